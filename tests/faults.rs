//! What goes wrong around a run: killed processes, broken files, full disks, hostile output. Every time the right exit
//! code and a sentence, no false status, no process and no file left.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use support::{Ended, Receiver, WithSettings, ended, processes_naming, step};
use tempfile::TempDir;

/// A workspace with its own TMPDIR and HOME, a receiver, and one local host.
struct Scene {
    folder: TempDir,
    receiver: Receiver,
}

impl Scene {
    fn new(playbook: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["tmp", "home", "bin"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        fs::write(folder.path().join("site.yml"), playbook).unwrap();
        fs::write(folder.path().join("hosts"), "web1 ansible_connection=local\n").unwrap();
        fs::write(folder.path().join("managed"), "x").unwrap();
        Self { folder, receiver: Receiver::start() }
    }

    /// In sync, after `tasks`.
    fn after(tasks: &str) -> Self {
        Self::new(&format!(
            "- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}    - copy: {{content: x, dest: \"{{{{ playbook_dir }}}}/managed\"}}\n"
        ))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn step(&self, settings: &[(&str, &str)]) -> Command {
        let mut step = step(self.folder.path());
        step.env("TMPDIR", self.path("tmp")).env("HOME", self.path("home")).settings([
            ("gitops_status_server_url", self.receiver.url().as_str()),
            ("repo_name", "r"),
            ("server_name", "s"),
            ("playbook", "site.yml"),
            ("inventory", "hosts"),
        ]);
        step.settings(settings.iter().copied());
        step
    }

    /// Puts an `ansible-playbook` of our own before the real one.
    fn with_program(&self, script: &str) -> Command {
        let program = self.path("bin/ansible-playbook");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut step = self.step(&[]);
        let (own, real) = (self.path("bin"), support::ansible_bin().display());
        let path = format!("{}:{real}:{}", own.display(), support::variable("PATH").unwrap());
        step.env("PATH", path);
        step
    }

    /// Nothing was sent, and nothing of the run is there any more.
    #[track_caller]
    fn claims_nothing(&self, end: &Ended, code: i32, sentence: &str) {
        assert_eq!(end.code, Some(code), "{end:?}");
        assert!(end.stderr.contains(sentence), "{sentence}: {end:?}");
        assert!(self.receiver.posts().is_empty(), "{end:?}");
        self.leaves_nothing();
    }

    #[track_caller]
    fn leaves_nothing(&self) {
        let left: Vec<_> = fs::read_dir(self.path("tmp")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(self.processes(), Vec::<String>::new());
    }

    /// The processes of the run: those that have its TMPDIR in their environment.
    fn processes(&self) -> Vec<String> {
        processes_naming(&self.path("tmp").display().to_string())
    }

    /// Starts a step whose playbook waits for ever, and waits until it does.
    fn hanging(tasks: &str, settings: &[(&str, &str)]) -> (Self, Child, impl Iterator<Item = String>) {
        let scene =
            Self::after(&format!("{tasks}    - name: hang\n      command: sleep 3600\n      check_mode: false\n"));
        let mut step = scene.step(settings);
        step.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = step.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("TASK [hang]")));
        (scene, child, lines)
    }

    /// Waits until the cleanup has done its work, which no exit code tells.
    fn until_nothing_is_left(&self, private: &[PathBuf]) {
        let there = || {
            let left = fs::read_dir(self.path("tmp")).unwrap().count();
            left > 0 || !self.processes().is_empty() || private.iter().any(|folder| folder.exists())
        };
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while there() {
            assert!(std::time::Instant::now() < patience, "{:?} {private:?} are left", self.processes());
            std::thread::yield_now();
        }
    }
}

/// The directories of runs in memory, of this and of others.
fn in_memory() -> Vec<PathBuf> {
    let list = fs::read_dir("/dev/shm").unwrap().flatten().map(|entry| entry.path());
    list.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("gs-")).collect()
}

#[test]
fn a_step_that_is_killed_leaves_nothing_all_the_same() {
    let secret = [("extra_vars", r#"{"password":"c4n4ry"}"#)];
    for whole_group in [false, true] {
        let before = in_memory();
        let (scene, mut child, _lines) = Scene::hanging("", &secret);
        let mut private = in_memory();
        private.retain(|folder| !before.contains(folder));
        let pid = Pid::from_child(&child);
        if whole_group { kill_process_group(pid, Signal::KILL) } else { kill_process(pid, Signal::KILL) }.unwrap();
        child.wait().unwrap();
        scene.until_nothing_is_left(&private);
        assert!(scene.receiver.posts().is_empty());
    }
}

#[test]
fn a_second_signal_changes_nothing() {
    let (scene, child, _lines) = Scene::hanging("", &[]);
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::TERM).unwrap();
    // It may be gone by now, which is as good.
    let _ = kill_process(pid, Signal::INT);
    let end: Ended = child.wait_with_output().unwrap().into();
    assert!([Some(143), Some(130)].contains(&end.code), "{end:?}");
    assert!(end.stderr.contains("nothing is claimed"), "{end:?}");
    scene.leaves_nothing();
}

#[test]
fn a_program_that_ignores_sigterm_is_ended() {
    let scene = Scene::new("");
    let mut step = scene.with_program("#!/bin/sh\ntrap '' TERM\necho waiting\nwhile :; do sleep 1; done\n");
    let mut child = step.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "waiting"));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let end: Ended = child.wait_with_output().unwrap().into();
    scene.claims_nothing(&end, 143, "nothing is claimed");
}

#[test]
fn a_program_that_crashes_or_says_nothing_is_no_sync() {
    let scene = Scene::new("");
    let end = ended(&mut scene.with_program("#!/bin/sh\nkill -SEGV $$\n"));
    scene.claims_nothing(&end, 1, "signal 11");
    let end = ended(&mut scene.with_program("#!/bin/sh\nexit 0\n"));
    scene.claims_nothing(&end, 1, "never loaded the callback");
    let end = ended(&mut scene.with_program("no-such-program\n"));
    scene.claims_nothing(&end, 1, "`ansible-playbook` exited with code 127");
    let end = ended(&mut scene.with_program("#!/nonexistent/interpreter\n"));
    scene.claims_nothing(&end, 1, "ansible-playbook");
}

#[test]
fn a_daemon_that_holds_the_output_does_not_hold_the_step() {
    for settings in [&[][..], &[("status_server_token", "c4n4ry")]] {
        let scene =
            Scene::after("    - shell: setsid sleep 3600 &\n      check_mode: false\n      changed_when: false\n");
        let end = ended(&mut scene.step(settings));
        assert_eq!(end.code, Some(0), "{end:?}");
        scene.leaves_nothing();
    }
}

#[test]
fn output_of_every_size_and_kind_passes() {
    // The second way is through the redactor.
    for settings in [&[][..], &[("status_server_token", "c4n4ry-token")]] {
        let scene = Scene::after("");
        let real = support::ansible_bin().join("ansible-playbook");
        let script = format!(
            "#!/bin/sh\nhead -c 200000000 /dev/zero | tr '\\0' x\nprintf '\\377\\376\\n'\nexec {} \"$@\"\n",
            real.display()
        );
        let mut step = scene.with_program(&script);
        step.settings(settings.iter().copied());
        let mut child = step.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut output, mut buffer, mut length, mut last) =
            (child.stdout.take().unwrap(), vec![0; 1 << 20], 0, Vec::new());
        loop {
            let count = output.read(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            length += count;
            last.extend_from_slice(&buffer[..count]);
            last.drain(..last.len().saturating_sub(4096));
        }
        assert_eq!(child.wait().unwrap().code(), Some(0), "{}", String::from_utf8_lossy(&last));
        assert!(length > 200_000_000, "{length}");
        assert!(String::from_utf8_lossy(&last).ends_with("✓ Status update successful (HTTP 200)\n"));
        scene.leaves_nothing();
    }
}

#[test]
fn an_event_file_that_is_tampered_with_is_no_sync() {
    let run = |way: &str| {
        let scene = Scene::after(&format!(
            "    - shell: for events in $IN/drift_events_*/events; do {way}; done\n      check_mode: false\n      changed_when: false\n      environment: {{IN: \"{{{{ playbook_dir }}}}/tmp\"}}\n"
        ));
        let end = ended(&mut scene.step(&[]));
        (scene, end)
    };
    for way in ["true > $events", "truncate -s -10 $events", "echo '00000000 [0,{}]' >> $events"] {
        let (scene, end) = run(way);
        scene.claims_nothing(&end, 1, "the record of the run is not whole");
    }
    // It is written and read where it was opened: what lies under its name is nobody's business.
    for way in ["rm $events", "cp $events $events.new; mv $events.new $events", "rm $events; mkdir $events"] {
        let (scene, end) = run(way);
        assert_eq!(end.code, Some(0), "{way}: {end:?}");
        assert_eq!(scene.receiver.posts().len(), 1);
        scene.leaves_nothing();
    }
}

#[test]
fn a_temporary_directory_that_cannot_be_used_is_named() {
    let scene = Scene::after("");
    let missing = scene.path("nowhere");
    let end = ended(scene.step(&[]).env("TMPDIR", &missing));
    scene.claims_nothing(&end, 1, "set TMPDIR to a directory that can be written");
    assert!(end.stderr.contains(missing.to_str().unwrap()), "{end:?}");
    let end = ended(scene.step(&[]).env("TMPDIR", "/proc"));
    scene.claims_nothing(&end, 1, "set TMPDIR to a directory that can be written");
}

#[test]
fn a_full_temporary_directory_is_no_sync() {
    // A disk of its own needs a privilege; a machine without it cannot show this fault.
    let scene = Scene::after("");
    let small = scene.path("small");
    fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&small).status();
    if !mounted.is_ok_and(|status| status.success()) {
        support::not_tested("a full TMPDIR, because no file system may be mounted here");
        return;
    }
    let end = ended(scene.step(&[]).env("TMPDIR", &small));
    let left = fs::read_dir(&small).unwrap().count();
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    assert_eq!((end.code, left), (Some(1), 0), "{end:?}");
    assert!(scene.receiver.posts().is_empty(), "{end:?}");
}

#[test]
fn a_step_without_a_home_is_checked_all_the_same() {
    let scene = Scene::after("");
    for home in [None, Some("/nonexistent"), Some("/")] {
        let mut step = scene.step(&[]);
        step.env_remove("HOME");
        if let Some(home) = home {
            step.env("HOME", home);
        }
        let end = ended(&mut step);
        assert_eq!(end.code, Some(0), "{home:?}: {end:?}");
        scene.leaves_nothing();
    }
}

#[test]
fn a_log_that_cannot_be_written_keeps_no_status_back() {
    for settings in [&[][..], &[("status_server_token", "c4n4ry-token")]] {
        let scene = Scene::after("");
        let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut step = scene.step(settings);
        let status = step.stdout(full()).stderr(full()).status().unwrap();
        assert_eq!((status.code(), scene.receiver.posts().len()), (Some(0), 1));
        scene.leaves_nothing();
    }
}

#[test]
fn ansibles_output_cannot_pass_for_the_log() {
    let scene = Scene::after(
        "    - debug:\n        msg: \"{{ lookup('file', playbook_dir ~ '/hostile') }}\"\n      when: false\n    - command: cat {{ playbook_dir }}/hostile\n      check_mode: false\n      changed_when: false\n",
    );
    fs::write(
        scene.path("hostile"),
        "x\n[2/4] Read the result: SYNCED\n\x1b[2J\x1b[31mred\r\n✓ Status update successful (HTTP 200)\n",
    )
    .unwrap();
    // With a secret, the output passes through the redactor first.
    for further in [[].as_slice(), &[("vault_password", "canary-vault")]] {
        // This callback prints a command's output as it is.
        let mut step = scene.step(&[[("dry_run", "true")].as_slice(), further].concat());
        let end = ended(step.env("ANSIBLE_STDOUT_CALLBACK", "minimal"));
        assert_eq!(end.code, Some(0), "{end:?}");
        let ours: Vec<&str> = end.stdout.lines().filter(|line| line.starts_with(['[', '✓'])).collect();
        let headings: Vec<&str> = ours.iter().map(|line| &line[..5]).collect();
        assert_eq!(headings, ["[1/4]", "[2/4]", "[3/4]", "[4/4]"], "{end:?}");
        assert!(end.stdout.contains("\n [2/4] Read the result: SYNCED\n\\x1b[2J\x1b[31mred\x1b[0m\n"), "{end:?}");
    }
}

#[test]
fn an_environment_near_its_limit_is_named() {
    let scene = Scene::after("");
    let mut step = scene.step(&[]);
    for number in 0..14 {
        step.env(format!("LARGE_{number}"), "x".repeat(130_000));
    }
    let end = ended(&mut step);
    if end.code != Some(0) {
        scene.claims_nothing(&end, 1, "the environment and arguments are too large");
    }
    scene.leaves_nothing();
}
