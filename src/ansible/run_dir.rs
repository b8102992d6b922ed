//! The private files one run needs, in directories nobody else can enter, gone when [`RunDir`] is dropped.
//!
//! There are two: the run's own (callback, events, Ansible's temporary files) under the temporary directory, which
//! may be a disk and has resources for a big fleet's events; and one for what is secret or must have a short path (extra
//! variables, ssh control sockets), in memory (`/dev/shm`) where there is one. The key and the vault password are in
//! no directory at all: they are files in memory that others reach through `/proc`, gone with this process.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use rustix::fs::{MemfdFlags, Mode};
use rustix::process::Pid;

use crate::ansible::cleanup::{Cleanup, Leftovers};
use crate::ansible::passwd::{self, Needs};
use crate::settings::{AnsibleSettings, ExtraVars, Secret};

const CALLBACK: &str = include_str!("callback.py");

/// What Linux calls a file system that lives in memory (`TMPFS_MAGIC` of its headers).
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

/// The directories and files of one run.
#[derive(Debug)]
pub struct RunDir {
    /// The run's own directory.
    folder: PathBuf,
    /// The directory in memory.
    private: PathBuf,
    /// The name of the callback plugin, which is this run's nonce.
    nonce: String,
    /// Opened before the run: a file that takes this one's place later is not the one that is read.
    events: Option<File>,
    home: Option<PathBuf>,
    passwd: Option<PathBuf>,
    extra_vars: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
    private_key: Option<Hidden>,
    vault_password: Option<Hidden>,
    /// Last, so that everything it would remove is gone before it goes.
    cleanup: Cleanup,
}

/// A secret as a file that others can open while we live, and that is gone with us, killed or not.
#[derive(Debug)]
struct Hidden {
    path: PathBuf,
    /// The file in memory; without it the path is a file in the private directory.
    memory: Option<OwnedFd>,
}

impl RunDir {
    /// Makes the directories, the callback, the event file and what `check` keeps in files. `temporary` is the
    /// directory for temporary files; `needs` says whether a home and a name are wanted too.
    ///
    /// # Errors
    /// A directory or file that cannot be made, by its path.
    pub fn new(temporary: &Path, ansible: &AnsibleSettings, needs: Needs) -> Result<Self> {
        let nonce = format!("drift_events_{}", random()?);
        let cannot_make = || {
            format!(
                "cannot make a private directory in `{}`; set TMPDIR to a directory that can be written",
                temporary.display()
            )
        };
        let folder = fs::canonicalize(temporary).with_context(cannot_make)?.join(&nonce);
        // Short, because a socket's path below it may have some hundred bytes and no more.
        let private = Path::new("/dev/shm").join(format!("gs-{}", &nonce[nonce.len() - 10..]));
        // Before there is anything that could be left behind.
        let cleanup = Cleanup::start(&Leftovers { mark: nonce.clone(), folders: [private.clone(), folder.clone()] })?;
        make_private(&folder).with_context(cannot_make)?;
        let private = if make_private(&private).is_ok() { private } else { folder.clone() };
        let mut run_dir = Self {
            private,
            folder,
            nonce,
            events: None,
            home: None,
            passwd: None,
            extra_vars: None,
            known_hosts: None,
            private_key: None,
            vault_password: None,
            cleanup,
        };
        for folder in [run_dir.local_temp(), run_dir.control_path_dir()] {
            make_private(&folder).with_context(|| cannot_write(&folder))?;
        }
        write_private(&run_dir.callback_dir().join(format!("{}.py", run_dir.nonce)), CALLBACK)?;
        let events = run_dir.callback_dir().join("events");
        write_private(&events, "")?;
        run_dir.events = Some(File::open(&events).with_context(|| format!("cannot open `{}`", events.display()))?);
        if needs.home || needs.name {
            let home = run_dir.folder.join("home");
            make_private(&home).with_context(|| cannot_write(&home))?;
            if needs.name {
                let (passwd, group) = passwd::with_us(&home);
                write_private(&run_dir.folder.join("passwd"), &passwd)?;
                write_private(&run_dir.folder.join("group"), &group)?;
                run_dir.passwd = Some(run_dir.folder.join("passwd"));
            }
            run_dir.home = needs.home.then_some(home);
        }
        let file = |name: &str, text: Option<&str>| -> Result<Option<PathBuf>> {
            let path = run_dir.private.join(name);
            text.map(|text| write_private(&path, text).map(|()| path.clone())).transpose()
        };
        let hidden =
            |name: &str, secret: Option<&Secret>| secret.map(|secret| hidden(&run_dir.private.join(name), secret));
        let extra_vars = file("extra_vars.json", ansible.extra_vars.as_ref().map(ExtraVars::json))?;
        let known_hosts = file("known_hosts", ansible.ssh.known_hosts.as_deref())?;
        let private_key = hidden("key", ansible.ssh.private_key.as_ref()).transpose()?;
        run_dir.vault_password = hidden("vault", ansible.vault_password.as_ref()).transpose()?;
        (run_dir.extra_vars, run_dir.known_hosts, run_dir.private_key) = (extra_vars, known_hosts, private_key);
        Ok(run_dir)
    }

    /// The directories that have to go with the run.
    pub fn folders(&self) -> [PathBuf; 2] {
        [self.private.clone(), self.folder.clone()]
    }

    /// The one process of ours that is none of the run's.
    pub fn cleanup(&self) -> Pid {
        self.cleanup.pid()
    }

    /// The directory Ansible finds the callback plugin in.
    pub fn callback_dir(&self) -> &Path {
        &self.folder
    }

    /// Where Ansible keeps its own temporary files; it leaves them behind when it is killed.
    pub fn local_temp(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    /// Where ssh masters put their sockets: its own for each run, so that no master of an earlier run is used.
    pub fn control_path_dir(&self) -> PathBuf {
        self.private.join("cp")
    }

    /// A home for who has none.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The list of users with this process in it, where it needs one; the list of groups lies beside it as `group`.
    pub fn passwd(&self) -> Option<&Path> {
        self.passwd.as_deref()
    }

    /// The file with the extra variables, if there are any.
    pub fn extra_vars(&self) -> Option<&Path> {
        self.extra_vars.as_deref()
    }

    /// The file with the known hosts, if they are set.
    pub fn known_hosts(&self) -> Option<&Path> {
        self.known_hosts.as_deref()
    }

    /// The file with the private key, if it is set.
    pub fn private_key(&self) -> Option<&Path> {
        self.private_key.as_ref().map(|hidden| hidden.path.as_path())
    }

    /// The file with the vault password, if it is set.
    pub fn vault_password(&self) -> Option<&Path> {
        self.vault_password.as_ref().map(|hidden| hidden.path.as_path())
    }

    /// Whether something secret lies on what may be a disk, because the platform has nothing better.
    pub fn secrets_on_disk(&self) -> bool {
        let on_disk = !rustix::fs::statfs(&self.private).is_ok_and(|found| found.f_type == TMPFS);
        let hidden = [&self.private_key, &self.vault_password].into_iter().flatten();
        on_disk && (self.extra_vars.is_some() || hidden.into_iter().any(|hidden| hidden.memory.is_none()))
    }

    /// What every event line of this run is signed with.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The event file, once.
    ///
    /// # Errors
    /// When it was taken before.
    pub fn take_events(&mut self) -> Result<File> {
        self.events.take().ok_or_else(|| anyhow!("the events of a run can be read once"))
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        for folder in &self.folders() {
            // Nothing can be said from here, and a directory that is gone already is what is wanted.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// A directory that nobody else can enter.
fn make_private(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)
}

/// In memory where the kernel has files there, else in the private directory.
fn hidden(path: &Path, secret: &Secret) -> Result<Hidden> {
    let memory = rustix::fs::memfd_create("secret", MemfdFlags::CLOEXEC).and_then(|memory| {
        // ssh refuses a key that others may read, and Ansible would run an executable password file as a script.
        rustix::fs::fchmod(&memory, Mode::RUSR | Mode::WUSR)?;
        Ok(memory)
    });
    if let Ok(memory) = memory {
        let mut file = File::from(memory);
        file.write_all(secret.expose().as_bytes()).context("cannot write a secret to memory")?;
        let memory = OwnedFd::from(file);
        let path = format!("/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd());
        return Ok(Hidden { path: path.into(), memory: Some(memory) });
    }
    write_private(path, secret.expose())?;
    Ok(Hidden { path: path.to_owned(), memory: None })
}

fn write_private(path: &Path, content: &str) -> Result<()> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(|| cannot_write(path))?;
    file.write_all(content.as_bytes()).with_context(|| cannot_write(path))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write `{}`", path.display())
}

/// 128 random bits in hexadecimal.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).context("cannot get random bytes")?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use std::os::unix::fs::PermissionsExt;

    fn check(settings: &[(&str, &str)]) -> AnsibleSettings {
        let all = [
            ("PLUGIN_PLAYBOOK", "p.yml"),
            ("PLUGIN_REPO_NAME", "r"),
            ("PLUGIN_SERVER_NAME", "s"),
            ("PLUGIN_DRY_RUN", "yes"),
        ];
        let variables = all.iter().chain(settings).map(|(name, value)| (name.into(), value.into()));
        Settings::read(variables).unwrap().ansible
    }

    #[test]
    fn everything_is_private_and_gone_after_the_run() {
        let check = check(&[
            ("PLUGIN_EXTRA_VARS", "{\"a\":1}"),
            ("PLUGIN_VAULT_PASSWORD", "v"),
            ("PLUGIN_SSH_KNOWN_HOSTS", "h k"),
        ]);
        let run_dir = RunDir::new(&std::env::temp_dir(), &check, Needs { home: true, name: true }).unwrap();
        let folders = [run_dir.callback_dir().to_owned(), run_dir.private.clone()];
        for folder in &folders {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
        let files = [run_dir.extra_vars(), run_dir.known_hosts(), run_dir.vault_password(), run_dir.passwd()]
            .map(|path| path.unwrap().to_owned());
        assert!(fs::read_to_string(&files[3]).unwrap().contains(&run_dir.home().unwrap().display().to_string()));
        for (file, content) in files.iter().zip(["{\"a\":1}", "h k\n", "v"]) {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(&fs::read_to_string(file).unwrap(), content);
        }
        drop(run_dir);
        assert!(folders.iter().chain(&files).all(|path| !path.exists()));
    }

    #[test]
    fn a_temporary_directory_that_does_not_exist_is_named() {
        let error = RunDir::new(Path::new("/nonexistent/tmp"), &check(&[]), Needs::default()).unwrap_err();
        assert!(format!("{error:#}").contains("`/nonexistent/tmp`"), "{error:#}");
    }
}
