//! A step as a pipeline runs it: the built binary, in a workspace and an environment of its own.
//!
//! `Step::new().setting("dry_run", "true").run().expect_code(0)` is a whole test. Without more, the step runs a fake
//! `ansible-playbook` that replays the events of a run in sync; [`Step::ansible`] takes the real one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::rc::Rc;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::ended::Ended;
use super::fake_ansible::{self, Fake};
use super::{ansible, copy, processes_naming, root, variable};

/// The step to run, and its surroundings: a directory that goes with it.
///
/// It holds `repository` (the working directory), `target` (the server's files; `$TARGET` in the environment), `home`,
/// `tmp` (the step's `TMPDIR`) and `bin` (first on `PATH`).
pub struct Step {
    folder: Rc<TempDir>,
    settings: BTreeMap<String, String>,
    environment: BTreeMap<OsString, OsString>,
    program: Program,
    own_group: bool,
}

/// What is found as `ansible-playbook`.
#[derive(Clone)]
enum Program {
    Fake,
    Real,
    /// A program of `tests/programs`, which may call the fake one as `recorded-ansible-playbook`.
    Own(&'static str),
}

impl Step {
    /// A step whose settings are complete but for where the status goes.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["repository", "target", "home", "tmp", "bin", "fake"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let step = Self {
            folder: Rc::new(folder),
            settings: BTreeMap::new(),
            environment: BTreeMap::new(),
            program: Program::Fake,
            own_group: false,
        };
        let settings = [("playbook", "site.yml"), ("inventory", "hosts"), ("repo_name", "r"), ("server_name", "s")];
        let step = step.file("site.yml", "").file("hosts", "web1 ansible_connection=local\n").settings(settings);
        step.replay("everything_was_as_it_should_be")
    }

    /// A step that runs the real Ansible on a playbook of `tests/playbooks`.
    pub fn ansible(playbook: &str) -> Self {
        let text = fs::read_to_string(root().join("tests/playbooks").join(playbook).with_extension("yml")).unwrap();
        Self { program: Program::Real, ..Self::new() }.file("site.yml", &text)
    }

    /// A step in a copy of a directory of the project, which runs the real Ansible. It has the settings that are given
    /// later, and no others.
    pub fn in_copy_of(repository: &str) -> Self {
        let step = Self { program: Program::Real, settings: BTreeMap::new(), ..Self::new() };
        fs::remove_dir_all(step.repository()).unwrap();
        copy(&root().join(repository), &step.repository());
        step
    }

    /// A step that shares everything with this one, to be run beside it or after it.
    pub fn again(&self) -> Self {
        Self {
            folder: Rc::clone(&self.folder),
            settings: self.settings.clone(),
            environment: self.environment.clone(),
            program: self.program.clone(),
            own_group: self.own_group,
        }
    }

    /// Writes a file of the repository.
    pub fn file(self, name: &str, text: &str) -> Self {
        let path = self.repository().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Writes a file of the server.
    pub fn target_file(self, name: &str, text: &str) -> Self {
        let path = self.target().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Sets a setting, as Woodpecker would pass it.
    pub fn setting(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.insert(name.to_owned(), value.into());
        self
    }

    /// Sets several settings.
    pub fn settings<'a>(self, settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        settings.into_iter().fold(self, |step, (name, value)| step.setting(name, value))
    }

    /// Leaves a setting out.
    pub fn without(mut self, name: &str) -> Self {
        self.settings.remove(name);
        self
    }

    /// Sends the status there.
    pub fn to(self, url: impl Into<String>) -> Self {
        self.setting("gitops_status_server_url", url)
    }

    /// Prints the payload and sends nothing.
    pub fn dry(self) -> Self {
        self.setting("dry_run", "true")
    }

    /// Sets a variable of the step's environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Lets the fake `ansible-playbook` replay a scene of `tests/scenes`.
    pub fn replay(self, scene: &str) -> Self {
        Fake::of(&root().join("tests/scenes").join(scene)).write(&self.path("fake"));
        Self { program: Program::Fake, ..self }
    }

    /// Lets the fake `ansible-playbook` print something.
    pub fn prints(self, output: &str) -> Self {
        self.with_fake(|fake| Fake { output: output.to_owned(), ..fake })
    }

    /// Lets the fake `ansible-playbook` end another way, see [`Fake::ending`].
    pub fn ends(self, ending: &str) -> Self {
        self.with_fake(|fake| Fake { ending: ending.to_owned(), ..fake })
    }

    /// Lets the fake `ansible-playbook` write its events so many times.
    pub fn repeats_events(self, times: usize) -> Self {
        self.with_fake(|fake| Fake { events: fake.events.repeat(times), ..fake })
    }

    fn with_fake(self, change: impl FnOnce(Fake) -> Fake) -> Self {
        change(Fake::of(&self.path("fake"))).write(&self.path("fake"));
        self
    }

    /// Puts a program of `tests/programs` in the place of `ansible-playbook`.
    pub fn program(self, name: &'static str) -> Self {
        Self { program: Program::Own(name), ..self }
    }

    /// Starts the step in a process group of its own.
    pub fn in_own_group(self) -> Self {
        Self { own_group: true, ..self }
    }

    /// A path in the directory that goes with the step.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The working directory of the step.
    pub fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    /// The directory for the server's files.
    pub fn target(&self) -> PathBuf {
        self.path("target")
    }

    /// The same with the paths of this step's directories written as those of the recorded scenes.
    pub fn without_paths(&self, text: &str) -> String {
        let text = text.replace(&self.target().display().to_string(), fake_ansible::TARGET);
        text.replace(&self.repository().display().to_string(), fake_ansible::REPOSITORY)
    }

    /// The command, for what no method here does.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plugin-gitops-status"));
        self.surround(&mut command);
        command.envs(self.settings.iter().map(|(name, value)| (format!("PLUGIN_{}", name.to_uppercase()), value)));
        if self.own_group {
            command.process_group(0);
        }
        command
    }

    /// Another program in the surroundings of the step.
    pub fn beside(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        self.surround(&mut command);
        command
    }

    /// Gives a command the step's working directory and its environment: what a container would have, and no more.
    fn surround(&self, command: &mut Command) {
        self.link_programs();
        let mut path = OsString::from(self.path("bin"));
        if matches!(self.program, Program::Real) {
            path.push(":");
            path.push(ansible::bin().unwrap());
        }
        path.push(":");
        path.push(variable("PATH").unwrap_or_default());
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("TARGET", self.target())
            .env("LC_ALL", "C.UTF-8")
            .env(fake_ansible::FOLDER, self.path("fake"))
            .envs(&self.environment)
            .current_dir(self.repository())
            .stdin(Stdio::null());
    }

    /// Nothing that is executed is ever written here: another test's child may still hold a new file open for writing,
    /// and then it cannot be executed.
    fn link_programs(&self) {
        let own = std::env::current_exe().unwrap();
        let links = match self.program {
            Program::Real => return,
            Program::Fake => vec![("ansible-playbook", own)],
            Program::Own(name) => {
                vec![("ansible-playbook", root().join("tests/programs").join(name)), ("recorded-ansible-playbook", own)]
            }
        };
        for (name, program) in links {
            let link = self.path("bin").join(name);
            let _ = fs::remove_file(&link);
            symlink(program, link).unwrap();
        }
    }

    /// Runs the step to its end; nothing of it may be left.
    #[track_caller]
    pub fn run(&self) -> Ended {
        let end: Ended = self.command().output().unwrap().into();
        self.expect_nothing_left(&end);
        end
    }

    /// Runs the step to its end and gives its log with both kinds of output in their order.
    #[track_caller]
    pub fn run_in_order(&self) -> (Option<i32>, String) {
        let file = self.path("log");
        let output = File::create(&file).unwrap();
        let mut command = self.command();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let code = command.status().unwrap().code();
        (code, String::from_utf8(fs::read(file).unwrap()).unwrap())
    }

    /// Runs the step with one `timeout` after the other, in seconds, until the playbook gets as far as `reached` asks:
    /// a loaded machine changes nothing then.
    #[track_caller]
    pub fn with_enough_time<T>(self, seconds: &[u32], run: impl Fn(&Self) -> T, reached: impl Fn() -> bool) -> T {
        let mut step = self;
        for limit in seconds {
            step = step.setting("timeout", format!("{limit}s"));
            let end = run(&step);
            if reached() {
                return end;
            }
        }
        panic!("the playbook did not get as far as it should within {seconds:?} seconds");
    }

    /// Starts the step and does not wait for it.
    pub fn start(&self) -> Running {
        let mut child = self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines, stdout: String::new() }
    }

    /// No file and no process of the step is there any more.
    #[track_caller]
    pub fn expect_nothing_left(&self, end: &Ended) {
        let tmp = self.path("tmp");
        let left: Vec<_> = fs::read_dir(&tmp).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?} are left\n{end}");
        assert_eq!(processes_naming(&tmp.display().to_string()), Vec::<String>::new(), "processes are left\n{end}");
    }

    /// What the fake `ansible-playbook` was called with.
    pub fn asked(&self) -> fake_ansible::Asked {
        fake_ansible::Asked::read(&self.path("fake"))
    }
}

/// A step that runs.
pub struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    stdout: String,
}

impl Running {
    /// Reads the log until a line holds a text.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> &mut Self {
        let begin = self.stdout.len();
        while !self.stdout[begin..].contains(text) {
            let length = self.lines.read_line(&mut self.stdout).unwrap();
            assert!(length > 0, "the log ended before {text:?}:\n{}", self.stdout);
        }
        self
    }

    /// Sends a signal to the step alone.
    pub fn signal(&self, signal: Signal) {
        // It may be gone by now, which is as good.
        let _ = rustix::process::kill_process(Pid::from_child(&self.child), signal);
    }

    /// Sends a signal to the step's process group, see [`Step::in_own_group`].
    pub fn signal_group(&self, signal: Signal) {
        rustix::process::kill_process_group(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        std::io::Read::read_to_string(&mut self.lines, &mut self.stdout).unwrap();
        let output = self.child.wait_with_output().unwrap();
        Ended { stdout: self.stdout, ..output.into() }
    }
}

/// A path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
