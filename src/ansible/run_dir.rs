//! The files that a run needs, in directories nobody else can enter, gone when [`RunDir`] is dropped.
//!
//! There are two directories: one for work (callback, events, Ansible's temporary files) under the temporary directory,
//! which may be a disk and has room for a big fleet's events; and one for what is secret or must have a short path
//! (extra variables, ssh control sockets), in memory (`/dev/shm`) where there is one. The key and the vaults' passwords are
//! in no directory at all: they are files in memory that others reach through `/proc`, gone with this process. The
//! password for sudo and the like is in no file: Ansible reads it from its standard input.
//!
//! Not here: what the paths are for; [`super::environment`] and [`super::command`] hand them to Ansible.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::process::Pid;

use crate::ansible::accelerate;
use crate::ansible::cleanup::{Cleanup, Leftovers};
use crate::ansible::passwd::{AccountFiles, Needs};
use crate::ansible::private_files::{PrivateDir, SecretFile};
use crate::ansible::reported;
use crate::random;
use crate::settings::{AnsibleSettings, ExtraVars, Secret, Settings};

const CALLBACK: &str = include_str!("callback.py");

/// The part of the callback that says what of a value is reported.
const CALLBACK_VALUES: &str = include_str!("values.py");

/// The parts of it that follow where values come from.
const CALLBACK_PROVENANCE: [(&str, &str); 4] = [
    ("template_names", include_str!("template_names.py")),
    ("written_task", include_str!("written_task.py")),
    ("task_names", include_str!("task_names.py")),
    ("provenance", include_str!("provenance.py")),
];

/// What Linux calls a file system that lives in memory (`TMPFS_MAGIC` of its headers).
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

/// How many hexadecimal digits of randomness the name of a run has.
const NONCE_DIGITS: usize = 20;

/// The directories and files of one run.
#[derive(Debug)]
pub struct RunDir {
    /// The name of the callback plugin, which no other run has and no playbook can guess.
    nonce: String,
    /// Opened before the run: a file that takes this one's place later is not the one that is read.
    events: File,
    local_temp: PathBuf,
    control_path_dir: PathBuf,
    connection_plugins: Option<PathBuf>,
    offered_host_keys: PathBuf,
    account: AccountFiles,
    inputs: Inputs,
    /// The directory in memory; `None` where it cannot be made, and the work directory takes its place.
    memory: Option<PrivateDir>,
    work: PrivateDir,
    /// Last, so that everything it would remove is gone before it goes.
    cleanup: Cleanup,
}

/// Settings as files, for programs that take nothing but a path.
#[derive(Debug)]
struct Inputs {
    extra_vars: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
    certificate: Option<PathBuf>,
    private_key: Option<SecretFile>,
    vault_password: Option<SecretFile>,
    vaults: Vec<VaultFile>,
}

/// The password of one vault id.
#[derive(Debug)]
struct VaultFile {
    id: String,
    password: SecretFile,
}

impl Inputs {
    fn write(dir: &PrivateDir, ansible: &AnsibleSettings) -> Result<Self> {
        let plain = |name, text: Option<&str>| text.map(|text| dir.write(name, text)).transpose();
        let hidden =
            |name, secret: Option<&Secret>| secret.map(|secret| SecretFile::create(dir, name, secret)).transpose();
        Ok(Self {
            extra_vars: plain("extra_vars.json", ansible.extra_vars.as_ref().map(ExtraVars::json))?,
            known_hosts: plain("known_hosts", ansible.ssh.known_hosts.as_deref())?,
            certificate: plain("key-cert.pub", ansible.ssh.certificate.as_deref())?,
            private_key: hidden("key", ansible.ssh.private_key.as_ref())?,
            vault_password: hidden("vault", ansible.vaults.default.as_ref())?,
            vaults: vault_files(dir, &ansible.vaults.by_id)?,
        })
    }

    /// Whether any of them is secret and lies in a directory.
    fn has_secret_in_directory(&self) -> bool {
        let single = [&self.private_key, &self.vault_password].into_iter().flatten();
        let mut secrets = single.chain(self.vaults.iter().map(|vault| &vault.password));
        self.extra_vars.is_some() || secrets.any(|secret| !secret.is_in_memory())
    }
}

fn vault_files(dir: &PrivateDir, passwords: &BTreeMap<String, Secret>) -> Result<Vec<VaultFile>> {
    let file = |(number, (id, password)): (usize, (&String, &Secret))| {
        // The id may hold what no file name can.
        let password = SecretFile::create(dir, &format!("vault{number}"), password)?;
        Ok(VaultFile { id: id.clone(), password })
    };
    passwords.iter().enumerate().map(file).collect()
}

impl RunDir {
    /// Makes the directories, the callback, the event file and what `ansible` needs as files. `temporary` is the directory
    /// for temporary files; `needs` says whether a home and a name are wanted too.
    ///
    /// # Errors
    /// A directory or file that cannot be made, by its path.
    pub fn new(temporary: &Path, settings: &Settings, needs: Needs) -> Result<Self> {
        let ansible = &settings.ansible;
        let cannot_make = || {
            let dir = temporary.display();
            format!("cannot make a private directory in `{dir}`; set TMPDIR to a directory that can be written")
        };
        // Short, because the path of a socket may have some hundred bytes and no more: Ansible has one below each of these.
        let nonce = format!("gs_{}", &random::hex_128()?[..NONCE_DIGITS]);
        let work_path = fs::canonicalize(temporary).with_context(cannot_make)?.join(&nonce);
        let memory_path = Path::new("/dev/shm").join(format!("gs-{}", &nonce[nonce.len() - 10..]));
        // Before there is anything that could be left behind.
        let leftovers = Leftovers { mark: nonce.clone(), directories: [memory_path.clone(), work_path.clone()] };
        let cleanup = Cleanup::start(&leftovers)?;

        let work = PrivateDir::create(work_path).with_context(cannot_make)?;
        let memory = PrivateDir::create(memory_path).ok();
        let private = memory.as_ref().unwrap_or(&work);
        work.write(&format!("{nonce}.py"), CALLBACK)?;
        work.write("values", CALLBACK_VALUES)?;
        for (name, text) in CALLBACK_PROVENANCE {
            work.write(name, text)?;
        }
        work.write("reported.json", &reported::json(&settings.ignore)?)?;
        let events = work.write("events", "")?;
        Ok(Self {
            events: File::open(&events).with_context(|| format!("cannot open `{}`", events.display()))?,
            local_temp: work.make_dir("tmp")?,
            control_path_dir: private.make_dir("cp")?,
            connection_plugins: ansible.accelerate.then(|| accelerate::write(private)).transpose()?,
            offered_host_keys: work.write("offered_host_keys", "")?,
            account: AccountFiles::write(&work, needs)?,
            inputs: Inputs::write(private, ansible)?,
            nonce,
            memory,
            work,
            cleanup,
        })
    }

    /// The directory for what is neither secret nor short of room, and for programs: the other one may forbid to run any.
    pub(super) fn work(&self) -> &PrivateDir {
        &self.work
    }

    /// The directory for what is secret or must have a short path.
    fn private(&self) -> &PrivateDir {
        self.memory.as_ref().unwrap_or(&self.work)
    }

    /// The directories that have to go with the run.
    pub fn directories(&self) -> [PathBuf; 2] {
        [self.private().path().to_owned(), self.work.path().to_owned()]
    }

    /// The one process of ours that is none of the run's.
    pub fn cleanup(&self) -> Pid {
        self.cleanup.pid()
    }

    /// The directory Ansible finds the callback plugin in.
    pub fn callback_dir(&self) -> &Path {
        self.work.path()
    }

    /// Where Ansible keeps its own temporary files; it leaves them behind when it is killed.
    pub fn local_temp(&self) -> &Path {
        &self.local_temp
    }

    /// Where ssh masters put their sockets: its own for each run, so that no master of an earlier run is used.
    pub fn control_path_dir(&self) -> &Path {
        &self.control_path_dir
    }

    /// The directory Ansible finds the connection plugin of `accelerate` in, if it is set.
    pub fn connection_plugins(&self) -> Option<&Path> {
        self.connection_plugins.as_deref()
    }

    /// The file with the host keys that servers offered.
    pub fn offered_host_keys(&self) -> &Path {
        &self.offered_host_keys
    }

    /// A home and a name for this process, where it has none.
    pub fn account(&self) -> &AccountFiles {
        &self.account
    }

    /// The file with the extra variables, if there are any.
    pub fn extra_vars(&self) -> Option<&Path> {
        self.inputs.extra_vars.as_deref()
    }

    /// The file with the known hosts, if they are set.
    pub fn known_hosts(&self) -> Option<&Path> {
        self.inputs.known_hosts.as_deref()
    }

    /// The file with the certificate of the private key, if it is set.
    pub fn certificate(&self) -> Option<&Path> {
        self.inputs.certificate.as_deref()
    }

    /// The file with the private key, if it is set.
    pub fn private_key(&self) -> Option<&Path> {
        self.inputs.private_key.as_ref().map(SecretFile::path)
    }

    /// The file with the vault password, if it is set.
    pub fn vault_password(&self) -> Option<&Path> {
        self.inputs.vault_password.as_ref().map(SecretFile::path)
    }

    /// The password files of further vault ids, each as `ID@PATH`.
    pub fn vault_ids(&self) -> impl Iterator<Item = String> {
        self.inputs.vaults.iter().map(|vault| format!("{}@{}", vault.id, vault.password.path().display()))
    }

    /// Whether something secret lies on what may be a disk, because the platform has nothing better.
    pub fn has_secrets_on_disk(&self) -> bool {
        let in_memory = rustix::fs::statfs(self.private().path()).is_ok_and(|found| found.f_type == TMPFS);
        !in_memory && self.inputs.has_secret_in_directory()
    }

    /// What every event line of this run is signed with.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The event file, to be read once: reading goes on where it stopped.
    pub fn events(&self) -> &File {
        &self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn settings(given: &[(&str, &str)]) -> Settings {
        let all = [
            ("PLUGIN_PLAYBOOK", "p.yml"),
            ("PLUGIN_REPO_NAME", "r"),
            ("PLUGIN_SERVER_NAME", "s"),
            ("PLUGIN_DRY_RUN", "yes"),
        ];
        let variables = all.iter().chain(given).map(|(name, value)| (name.into(), value.into()));
        Settings::read(variables, time::Date::MIN).unwrap()
    }

    #[test]
    fn everything_is_private_and_gone_after_the_run() {
        let settings = settings(&[
            ("PLUGIN_EXTRA_VARS", "{\"a\":1}"),
            ("PLUGIN_VAULT_PASSWORD", "v"),
            ("PLUGIN_SSH_KNOWN_HOSTS", "h k"),
        ]);
        let run_dir = RunDir::new(&std::env::temp_dir(), &settings, Needs { home: true, name: true }).unwrap();
        let directories = run_dir.directories();
        for folder in &directories {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
        let files = [
            run_dir.extra_vars(),
            run_dir.known_hosts(),
            run_dir.vault_password(),
            run_dir.account().passwd.as_deref(),
        ]
        .map(|path| path.unwrap().to_owned());
        assert!(
            fs::read_to_string(&files[3])
                .unwrap()
                .contains(&run_dir.account().home.as_ref().unwrap().display().to_string())
        );
        for (file, content) in files.iter().zip(["{\"a\":1}", "h k\n", "v"]) {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(&fs::read_to_string(file).unwrap(), content);
        }
        drop(run_dir);
        assert!(directories.iter().all(|directory| !directory.exists()));
        // The number of a file in memory may be another file by now.
        assert_ne!(fs::read_to_string(&files[2]).ok().as_deref(), Some("v"));
    }

    #[test]
    fn a_temporary_directory_that_does_not_exist_is_named() {
        let error = RunDir::new(Path::new("/nonexistent/tmp"), &settings(&[]), Needs::default()).unwrap_err();
        assert!(format!("{error:#}").contains("`/nonexistent/tmp`"), "{error:#}");
    }
}
