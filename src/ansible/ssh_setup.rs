//! Sets ssh up for a run: writes its files and sets its variables in Ansible's environment.
//!
//! Not here: what ssh is told ([`super::ssh`]), and the text of the files ([`super::ssh_files`]).

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::ansible::ask::ask;
use crate::ansible::config::AnsibleCfg;
use crate::ansible::environment::Environment;
use crate::ansible::run_dir::RunDir;
use crate::ansible::ssh::{self, Access, Configured, SshOption};
use crate::ansible::ssh_files::{self, UserConfig};

/// Writes the files and sets the variables. The key is an ssh option and not `ANSIBLE_PRIVATE_KEY_FILE`: Ansible resolves that
/// path first, and a file in memory has no other name.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn set_up(
    environment: &mut Environment,
    config: &AnsibleCfg,
    host_key_checking: Option<bool>,
    run_dir: &RunDir,
) -> Result<()> {
    let program = environment.get("PATH").and_then(OsStr::to_str).and_then(|path| ssh_files::find_program(path, "ssh"));
    let recorder = match &program {
        Some(ssh) if tells_host_keys(ssh, environment, run_dir) => {
            Some(ssh_files::write_key_recorder(run_dir.work(), run_dir.offered_host_keys())?)
        }
        Some(_) | None => None,
    };
    let access = Access {
        private_key: run_dir.private_key(),
        certificate: run_dir.certificate(),
        known_hosts: run_dir.known_hosts(),
        host_key_checking,
    };
    let options = ssh::options(access, recorder.as_deref());
    let mut configured = configured(environment, config);
    let user = take_user_config(&mut configured);
    let file = ssh_files::write_config(run_dir.work(), &options, &user, recorder.as_deref())?;

    // A master of an earlier run would vouch for a host key that this run never saw.
    environment.set("ANSIBLE_SSH_CONTROL_PATH_DIR", run_dir.control_path_dir());
    environment.set("ANSIBLE_SSH_CONTROL_PATH", "%(directory)s/%%C");
    environment.set("ANSIBLE_SSH_ARGS", ssh::ssh_args(&options, &configured, &file, run_dir.control_path_dir()));
    for (variable, args) in
        [("ANSIBLE_SSH_COMMON_ARGS", configured.common_args), ("ANSIBLE_SSH_EXTRA_ARGS", configured.extra_args)]
    {
        if let Some(args) = args {
            environment.set(variable, args);
        }
    }
    if let (Some(program), false) = (&program, options.is_empty()) {
        set_program(environment, config, program, &options, &file, run_dir)?;
    }
    Ok(())
}

/// What environment and `ansible.cfg` tell ssh.
fn configured(environment: &Environment, config: &AnsibleCfg) -> Configured {
    let value = |key: &str| {
        // An empty variable is a value to Ansible: it turns masters off.
        let variable = environment.get_even_empty(&format!("ANSIBLE_{}", key.to_uppercase()));
        variable.map(|value| value.to_string_lossy().into_owned()).or_else(|| config.value("ssh_connection", key))
    };
    Configured { args: value("ssh_args"), common_args: value("ssh_common_args"), extra_args: value("ssh_extra_args") }
}

/// The configuration that goes into the one of this run, no longer named by `configured`. A file that cannot be read stays
/// named there: ssh says best what is wrong with it.
fn take_user_config(configured: &mut Configured) -> UserConfig {
    let mut rest = configured.clone();
    match rest.take_config_file().map(|file| UserConfig::read(&file)) {
        Some(Some(user)) => {
            *configured = rest;
            user
        }
        Some(None) | None => UserConfig::Default,
    }
}

/// Gives the options to every ssh that is found on `PATH`, and to git.
fn set_program(
    environment: &mut Environment,
    config: &AnsibleCfg,
    program: &Path,
    options: &[SshOption],
    file: &Path,
    run_dir: &RunDir,
) -> Result<()> {
    let mut words = vec![ssh::word(&program.display().to_string()), "-F".to_owned()];
    words.push(ssh::word(&file.display().to_string()));
    words.extend(options.iter().map(SshOption::words));
    let command = words.join(" ");
    let mut path = ssh_files::write_program(run_dir.work(), &command)?.into_os_string();
    path.push(":");
    path.push(environment.get("PATH").unwrap_or_default());
    environment.set("PATH", path);
    // Where no program may be run from a temporary directory, the command serves git at least.
    if environment.get("GIT_SSH_COMMAND").is_none() {
        environment.set("GIT_SSH_COMMAND", command);
    }
    // Ansible's own connections are told by `ssh_args`, and need no shell before each of them.
    if environment.get("ANSIBLE_SSH_EXECUTABLE").is_none() && config.value("ssh_connection", "ssh_executable").is_none()
    {
        environment.set("ANSIBLE_SSH_EXECUTABLE", program);
    }
    Ok(())
}

/// Whether this ssh can tell which host keys are offered.
fn tells_host_keys(program: &Path, environment: &Environment, run_dir: &RunDir) -> bool {
    let mut command = Command::new(program);
    Environment::minimal(environment.iter(), run_dir.account()).replace_in(&mut command);
    let told = ask(command.arg("-V"), || false);
    told.is_some_and(|told| ssh_files::has_known_hosts_command(&told.stderr))
}
