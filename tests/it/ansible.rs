//! What only a real Ansible can show: its processes, its event file while it runs, vaults, roles, sudo.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rustix::process::Signal;

use crate::harness::ended::Ended;
use crate::harness::server::Scripted;
use crate::harness::step::{Running, Step, text};
use crate::harness::suite::{Need, Suite, suite};
use crate::harness::{processes_naming, succeeded};

pub fn suite() -> Suite {
    suite!(
        "ansible",
        [Need::Ansible],
        a_signal_ends_the_run_claims_nothing_and_leaves_nothing,
        a_step_that_is_killed_leaves_nothing_all_the_same,
        a_run_over_its_time_is_ended_and_named,
        a_host_that_hangs_does_not_affect_the_others_where_tasks_have_a_limit,
        an_event_file_that_is_tampered_with_is_never_synced,
        a_step_without_a_home_is_checked_all_the_same,
        vaulted_variables_are_read_with_the_setting_alone,
        roles_are_installed_before_the_run_and_a_failure_of_that_claims_nothing,
        sudo_that_wants_a_terminal_is_named_with_its_remedy,
        callback_plugins_of_the_repository_are_loaded_wherever_they_lie,
        what_keeps_ansible_from_checking_has_a_hint_of_its_own,
        a_temporary_directory_may_have_a_long_path,
    )
}

/// A step that is in sync.
fn in_sync(playbook: &str) -> Step {
    Step::ansible(playbook).target_file("managed", "x")
}

/// Nothing was sent, and the log says why.
#[track_caller]
fn claims_nothing(server: &Scripted, end: &Ended, code: i32, sentence: &str) {
    end.expect_code(code).expect_error(sentence);
    assert_eq!(server.bodies(), Vec::<String>::new(), "{end}");
}

/// A step whose playbook waits for ever, and does by now.
fn waiting(server: &Scripted) -> (Step, Running) {
    let step = Step::ansible("hangs").to(server.url()).setting("report_unknown", "true").in_own_group();
    let mut running = step.start();
    running.wait_for("TASK [hang]");
    while fs::read_to_string(step.target().join("reached")).unwrap_or_default().is_empty() {
        std::thread::yield_now();
    }
    (step, running)
}

fn a_signal_ends_the_run_claims_nothing_and_leaves_nothing() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let server = Scripted::keeping();
        let (step, running) = waiting(&server);
        running.signal(signal);
        let end = running.end();
        claims_nothing(&server, &end, code, "no status was sent");
        step.expect_nothing_left(&end);
    }
}

fn a_step_that_is_killed_leaves_nothing_all_the_same() {
    for whole_group in [false, true] {
        let server = Scripted::keeping();
        let (step, running) = waiting(&server);
        let signal = if whole_group { Running::signal_group } else { Running::signal };
        signal(&running, Signal::KILL);
        // The cleanup ends all of them, and then their output ends, and the files are gone at last.
        running.end();
        while !processes_naming(text(&step.path("tmp"))).is_empty()
            || fs::read_dir(step.path("tmp")).unwrap().count() > 0
        {
            std::thread::yield_now();
        }
        assert!(server.requests().is_empty());
    }
}

fn a_run_over_its_time_is_ended_and_named() {
    let server = Scripted::keeping();
    let step = Step::ansible("hangs").to(server.url());
    let reached = step.target().join("reached");
    let end = step.with_enough_time(&[8, 30, 120], Step::run, || reached.exists());
    claims_nothing(&server, &end, 1, "the run took longer than `timeout` (during task `hang`)");
    end.expect_error("raise `timeout`");
}

fn a_host_that_hangs_does_not_affect_the_others_where_tasks_have_a_limit() {
    let server = Scripted::keeping();
    let step = Step::ansible("one-host-hangs")
        .to(server.url())
        .without("server_name")
        .settings([("per_host", "true"), ("ansible_env", r#"{"ANSIBLE_TASK_TIMEOUT":"20"}"#)]);
    let end = step.file("hosts", "web1\nweb2\n[all:vars]\nansible_connection=local\n").run();
    end.expect_code(1).expect_error("on web1: task `hang` failed");
    let bodies = server.bodies();
    assert_eq!(bodies.len(), 1, "{end}");
    assert!(bodies[0].contains(r#""server":"web2","sync_status":"SYNCED""#), "{bodies:?}");
}

fn an_event_file_that_is_tampered_with_is_never_synced() {
    let run = |way: &str| {
        let server = Scripted::keeping();
        let end = in_sync("tampers").to(server.url()).env("WAY", way).run();
        (server, end)
    };
    for way in ["true > $events", "truncate -s -10 $events", "echo '00000000 [0,{}]' >> $events"] {
        let (server, end) = run(way);
        claims_nothing(&server, &end, 1, "the record of the run is damaged");
    }
    // It is written and read where it was opened: what lies under its name changes nothing.
    for way in ["rm $events", "cp $events $events.new; mv $events.new $events", "rm $events; mkdir $events"] {
        let (server, end) = run(way);
        end.expect_delivered();
        assert_eq!(server.bodies().len(), 1);
    }
}

fn a_step_without_a_home_is_checked_all_the_same() {
    for home in [None, Some("/nonexistent"), Some("/")] {
        let server = Scripted::keeping();
        let step = in_sync("in-sync").to(server.url());
        let mut command = step.command();
        command.env_remove("HOME");
        if let Some(home) = home {
            command.env("HOME", home);
        }
        let end: Ended = command.output().unwrap().into();
        step.expect_nothing_left(end.expect_delivered());
    }
}

fn vaulted_variables_are_read_with_the_setting_alone() {
    let step = Step::ansible("vaulted").dry().file("vars.yml", "content: from the vault\n");
    let step = step.target_file("managed", "from the vault");
    let password = step.path("password");
    fs::write(&password, "v4ult").unwrap();
    let mut vault = step.beside("ansible-vault");
    succeeded(vault.args(["encrypt", "vars.yml", "--vault-password-file"]).arg(password));
    let end = step.again().setting("vault_password", "v4ult").run();
    end.expect_code(0).expect_log(r#""sync_status":"SYNCED""#).expect_no("v4ult");
    step.again().setting("vault_password", "wrong").run().expect_code(1);
    step.run().expect_code(1);
}

fn roles_are_installed_before_the_run_and_a_failure_of_that_claims_nothing() {
    let step = in_sync("with-a-role").dry();
    let role = step.path("lab");
    fs::create_dir_all(role.join("tasks")).unwrap();
    fs::create_dir_all(role.join("meta")).unwrap();
    let meta = "galaxy_info: {author: me, description: d, license: x, min_ansible_version: '2.9'}\n";
    fs::write(role.join("meta/main.yml"), meta).unwrap();
    let tasks = "- copy: {content: x, dest: \"{{ lookup('env', 'TARGET') }}/managed\"}\n";
    fs::write(role.join("tasks/main.yml"), tasks).unwrap();
    let packed = step.path("lab.tar.gz");
    succeeded(Command::new("tar").arg("czf").arg(&packed).arg("-C").arg(step.path("")).arg("lab"));

    let step = step
        .file("requirements.yml", &format!("roles:\n  - {{src: 'file://{}', name: lab}}\n", packed.display()))
        .file("none.yml", "roles:\n  - {src: 'file:///nonexistent.tar.gz', name: none}\n");
    for _ in 0..2 {
        let end = step.again().setting("galaxy_requirements", "requirements.yml").run();
        end.expect_code(0).expect_log(r#""sync_status":"SYNCED""#);
    }
    let end = step.setting("galaxy_requirements", "none.yml").run();
    let sentence = "`ansible-galaxy` exited with code 1 while installing `none.yml`";
    end.expect_code(1).expect_error(sentence);
}

fn sudo_that_wants_a_terminal_is_named_with_its_remedy() {
    let server = Scripted::keeping();
    let step = in_sync("in-sync").to(server.url());
    // What `Defaults requiretty` makes of sudo; changing this machine's own is nothing a test should do.
    let sudo = crate::harness::root().join("tests/programs/sudo-requiretty");
    assert!(sudo.metadata().unwrap().permissions().mode() & 0o111 > 0);
    let hosts = format!(
        "web1 ansible_connection=local ansible_become=true ansible_become_user=nobody ansible_become_exe={}\n",
        sudo.display()
    );
    // Chosen by the step over ssh alone; this is a local host.
    let end = step.file("hosts", &hosts).env("ANSIBLE_PIPELINING", "true").run();
    claims_nothing(&server, &end, 1, "`requiretty`");
    end.expect_error("set `ansible_env: {ANSIBLE_PIPELINING: \"false\"}`");
}

fn callback_plugins_of_the_repository_are_loaded_wherever_they_lie() {
    let server = Scripted::keeping();
    let step = in_sync("in-sync").to(server.url()).setting("ansible_config", "ansible.cfg");
    let plugin = crate::harness::read("tests/programs/callback-that-leaves-a-mark.py");
    let list = "$PWD/one:${PWD}/two:{{CWD}}/three:four:./five";
    let names = ["one", "two", "three", "four", "five"];
    let step = step.file("ansible.cfg", &format!("[defaults]\ncallback_plugins = {list}\n"));
    let step = names.into_iter().fold(step, |step, name| step.file(&format!("{name}/mark_{name}.py"), &plugin));
    let here = step.repository();
    step.again().env("PWD", &here).run().expect_delivered();
    for name in names {
        assert!(step.target().join(format!("mark_{name}")).exists(), "{name} was not loaded");
    }
}

fn what_keeps_ansible_from_checking_has_a_hint_of_its_own() {
    let server = Scripted::keeping();
    let step = Step::ansible("runs-async").to(server.url());
    let end = step.run();
    claims_nothing(&server, &end, 1, "on web1: task `start a job` failed");
    end.expect_error("Ansible runs no `async` task in check mode: set `check_mode: false` on it");

    let step = in_sync("in-sync").to(server.url());
    let config = step.again().file("ansible.cfg", "[defaults]\nstdout_callback = yaml\n");
    let end = config.setting("ansible_config", "ansible.cfg").run();
    claims_nothing(&server, &end, 1, "could not load the callback plugin `yaml`: ansible-core alone does not have it");
    end.expect_no("could not parse an inventory");
    fs::remove_file(step.repository().join("ansible.cfg")).unwrap();

    let hosts = "web1 ansible_connection=local\n";
    let directory = step.again().file("lab/hosts", hosts).file("lab/notes", "This: is * prose\n- x\n");
    let end = directory.setting("inventory", "lab").run();
    claims_nothing(&server, &end, 1, "could not parse an inventory: it reads every file in the directory `lab`");

    // What a Python shim writes: the cause, and then advice.
    let shim = text(&crate::harness::root().join("tests/programs/python-shim")).to_owned();
    let step = step.file("hosts", &format!("web1 ansible_connection=local ansible_python_interpreter={shim}\n"));
    let end = step.run();
    claims_nothing(&server, &end, 1, "python3: command not found");
    assert!(!end.stderr.lines().any(|line| line.contains("  - ") && line.contains("at the same time")), "{end}");
}

/// Ansible itself has a socket below it, whose path may have 107 bytes.
fn a_temporary_directory_may_have_a_long_path() {
    let server = Scripted::keeping();
    let step = in_sync("in-sync").to(server.url());
    let folder = step.path("tmp").join("x".repeat(46 - text(&step.path("tmp")).len()));
    fs::create_dir(&folder).unwrap();
    let end: Ended = step.again().env("TMPDIR", &folder).command().output().unwrap().into();
    end.expect_delivered();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}
