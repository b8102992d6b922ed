//! Why the playbook was not run, as sentences.

use crate::ansible::command::ANSIBLE_GALAXY;
use crate::ansible::preflight::{InstallFailure, Missing, MissingFile, NotStarted, ProgramProblem};

/// Why it was not run, and what to do about it.
pub(super) fn not_started(why: &NotStarted) -> String {
    match why {
        NotStarted::Missing(missing) => self::missing(missing),
        NotStarted::DamagedKey => {
            "`ssh_private_key` is damaged: ssh-keygen cannot read it; store the complete file, unchanged".to_owned()
        }
        NotStarted::Program { program, problem } => match problem {
            ProgramProblem::NotOnPath => format!(
                "`{program}` is not on PATH; use the plugin's image, or install ansible-core where this step runs"
            ),
            ProgramProblem::NotExecutable => {
                format!("`{program}` on PATH is not executable; check its mode and owner")
            }
            ProgramProblem::ArgumentsTooLarge => format!(
                "`{program}` cannot be started: the environment and arguments are too large; pass fewer or shorter variables"
            ),
            ProgramProblem::Other(cause) => format!("`{program}` cannot be started: {cause}"),
        },
        NotStarted::NotInstalled { requirements, how } => {
            let how = match how {
                InstallFailure::Exited(code) => format!("exited with code {code}"),
                InstallFailure::Killed(signal) => format!("was killed by signal {signal}"),
                InstallFailure::TimedOut => "took longer than `timeout`".to_owned(),
            };
            format!("`{ANSIBLE_GALAXY}` {how} while installing `{requirements}`; see its own error above")
        }
    }
}

/// What is missing, and what to write instead.
pub(crate) fn missing(missing: &Missing) -> String {
    let directory = |file: &MissingFile| match &file.directory {
        Some(directory) => format!("`{}`", directory.display()),
        None => "the working directory".to_owned(),
    };
    match missing {
        Missing::Playbook(file) => format!(
            "playbook `{}` does not exist in {}; check the path, which is relative to the repository",
            file.path,
            directory(file)
        ),
        Missing::Inventory(file) => format!(
            "inventory `{path}` does not exist in {}; check the path, or write `{path},` for a host of that name",
            directory(file),
            path = file.path
        ),
        Missing::Requirements(file) => {
            format!("`galaxy_requirements` names `{}`, which does not exist in {}", file.path, directory(file))
        }
        Missing::Config(file) => {
            format!("`ansible_config` names `{}`, which does not exist in {}", file.path, directory(file))
        }
        Missing::IsDirectory { setting, path } => {
            format!("`{}` names `{path}`, which is a directory; name the file in it", setting.name)
        }
        Missing::IsNoFile { setting, path } => {
            format!("`{}` names `{path}`, which is a device, a pipe or a socket; name a regular file", setting.name)
        }
        Missing::Unreadable { setting, path, cause } => {
            format!("`{}` names `{path}`, which cannot be read: {cause}; check its owner and mode", setting.name)
        }
    }
}
