//! Accounts and sudo with `accelerate`: one Python for each user and interpreter, and the same answers as without it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;

use super::Accelerated;
use crate::harness::step::text;
use crate::harness::suite::NotRun;
use crate::harness::{read, root};

/// The password of all accounts, `a password`, as `/etc/shadow` holds it.
const HASH: &str =
    "$6$accelerate$CY2CSMy/hSEK0qFyNHqluPAfAhlE6xurhbvIr2ALGRLNK4/Wnuz1zx4xghHZO2pd6QksI7jB.Nl2T.iCxT.9w1";

/// A server with the accounts `checker`, who logs in and may use sudo with a password, and `other`.
fn server() -> Result<Accelerated, NotRun> {
    let own = Command::new("unshare")
        .args(["--mount", "sh", "-c", "mount --bind /etc/passwd /etc/passwd && sudo -V"])
        .output();
    if !own.is_ok_and(|output| output.status.success()) || !rustix::process::geteuid().is_root() {
        return Err(NotRun("accounts for a test need root, sudo and a mount namespace".to_owned()));
    }
    Ok(Accelerated::start_with(|step| {
        let accounts = step.path("accounts");
        fs::create_dir(&accounts).unwrap();
        let add = |name: &str, lines: &str, mode: u32| {
            let old = if name == "sudoers" { String::new() } else { read(format!("/etc/{name}")) };
            fs::write(accounts.join(name), old + lines).unwrap();
            fs::set_permissions(accounts.join(name), Permissions::from_mode(mode)).unwrap();
        };
        let home = step.path("home-of-checker");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(61001), Some(61001)).unwrap();
        let account = |name: &str, id: u32| format!("{name}:x:{id}:{id}::{}:/bin/sh\n", home.display());
        add("passwd", &(account("checker", 61001) + &account("other", 61002)), 0o644);
        add("group", "checker:x:61001:\nother:x:61002:\nshared:x:61003:checker,other\n", 0o644);
        add("shadow", &["checker", "other"].map(|name| format!("{name}:{HASH}:19000::::::\n")).concat(), 0o640);
        add("sudoers", "Defaults lecture=never, timestamp_timeout=0\nchecker ALL=(ALL:ALL) ALL\n", 0o440);
        fs::create_dir(accounts.join("sudoers.d")).unwrap();
        fs::write(accounts.join("sudoers.d/more"), "# more\n").unwrap();
        for folder in ["", "target", "repository"] {
            fs::set_permissions(step.path(folder), Permissions::from_mode(0o755)).unwrap();
        }
        let script = root().join("tests/accelerate/accounts.sh");
        format!("unshare --mount {} {}", text(&script), text(&accounts))
    }))
}

pub fn every_user_is_answered_as_without() -> Result<(), NotRun> {
    let server = server()?;
    let another = server.path("another-python");
    symlink(server.python(), &another).unwrap();
    let step = server.step.again().file("site.yml", &read("tests/accelerate/users.yml"));
    let step = step.setting("become_password", "a password").setting("user", "checker");
    let step = step.setting("extra_vars", format!(r#"{{"another":"{}"}}"#, another.display()));
    server.expect_the_same_answers(&step, 9);
    Ok(())
}

pub fn each_user_and_interpreter_has_a_python() -> Result<(), NotRun> {
    let server = server()?;
    let another = server.path("another-python");
    symlink(server.python(), &another).unwrap();
    server.tasks(&format!(
        "    - {{probe: {{do: parent}}, register: login, loop: [1, 2]}}
    - {{probe: {{do: parent}}, register: root, loop: [1, 2], become: true}}
    - {{probe: {{do: parent}}, register: other, loop: [1, 2], become: true, become_user: other}}
    - {{probe: {{do: parent}}, register: another, loop: [1, 2], become: true, vars: {{ansible_python_interpreter: {}}}}}
    - debug: {{msg: \"parents: {{{{ (login.results + root.results + other.results + another.results)
        | map(attribute='parent') | unique | length }}}}\"}}
    - {{shell: echo '# changed' >> /etc/sudoers.d/more, check_mode: false, changed_when: false, become: true}}
    - {{probe: {{do: parent}}, register: after, become: true}}
    - debug: {{msg: \"after a change of the rules: {{{{ root.results[0].parent == after.parent }}}}\"}}
",
        another.display()
    ));
    let step = server.step.again().setting("become_password", "a password").setting("user", "checker");
    step.run().expect_log("parents: 4").expect_log("after a change of the rules: False");
    server.expect_no_python();
    Ok(())
}

pub fn commands_around_modules_with_become_need_no_session() -> Result<(), NotRun> {
    let server = server()?;
    let copy = "    - {copy: {content: x, dest: \"{{ lookup('env', 'TARGET') }}/managed\"}, become: true}\n";
    server.tasks(&copy.repeat(6));
    let step = server.step.again().setting("become_password", "a password").setting("user", "checker");
    step.run().expect_code(0).expect_log("Result: SYNCED");
    server.expect_no_python();
    // Two before the first module, the Python of root, three more, and the Python of the user who logs in.
    assert_eq!(server.sshd.sessions(), 7);
    Ok(())
}
