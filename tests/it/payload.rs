//! The payload, as it is printed, written to a file and sent, for one server and for each host.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::delivery::failed;
use crate::harness::ended::{Ended, timeless};
use crate::harness::server::{Scripted, ok};
use crate::harness::step::{Step, text};
use crate::harness::suite::{NotRun, Suite, suite};

pub fn suite() -> Suite {
    suite!(
        "payload",
        [],
        a_dry_run_prints_what_would_be_sent_and_the_file_holds_the_same,
        what_is_sent_has_six_keys_in_their_order,
        details_are_one_key_more,
        per_host_reports_each_host_by_its_own_name,
        an_unknown_status_is_sent_only_where_that_is_asked_for,
        drift_ends_with_2_only_where_that_is_asked_for,
        a_payload_file_is_whole_or_not_there,
        a_full_disk_leaves_no_payload_file,
        only_a_regular_file_is_taken_for_the_payload,
        a_run_that_claims_nothing_leaves_no_earlier_status,
    )
}

const SYNCED: &str =
    r#"{"repo":"r","server":"s","sync_status":"SYNCED","drift_count":0,"files":[],"last_check":"TIME"}"#;
const DRIFTED: &str = r#"{"repo":"r","server":"s","sync_status":"OUT_OF_SYNC","drift_count":1,"files":[{"name":"rsyslog.conf"}],"last_check":"TIME"}"#;

/// A step whose server has one file that drifted.
fn drifted() -> Step {
    let step = Step::new().replay("files_differed");
    let etc = step.target().join("etc");
    step.setting("relative_to", text(&etc))
}

fn a_dry_run_prints_what_would_be_sent_and_the_file_holds_the_same() {
    for (step, expected) in [(Step::new(), SYNCED), (drifted(), DRIFTED)] {
        let file = step.path("payload.json");
        let step = step.dry().setting("payload_file", text(&file));
        let end = step.run();
        end.expect_code(0);
        assert_eq!(timeless(end.payload()), expected);
        assert_eq!(fs::read_to_string(file).unwrap(), format!("{}\n", end.payload()));
        assert!(end.stdout.ends_with("[4/4] Dry run, nothing is sent\n"), "{end}");
    }
}

fn what_is_sent_has_six_keys_in_their_order() {
    for (step, expected) in [(Step::new(), SYNCED), (drifted(), DRIFTED)] {
        let server = Scripted::keeping();
        let end = step.to(server.url()).run();
        end.expect_delivered();
        let requests = server.requests();
        assert_eq!(timeless(&requests[0].body), expected);
        assert_eq!(requests[0].body, end.payload());
        assert_eq!((requests.len(), requests[0].line.as_str()), (1, "POST /api/status HTTP/1.1"));
        assert_eq!(requests[0].header("content-type"), Some("application/json"));
        let agent = concat!("plugin-gitops-status/", env!("CARGO_PKG_VERSION"));
        assert_eq!(requests[0].header("user-agent"), Some(agent));
    }
}

fn details_are_one_key_more() {
    let pipeline = [("CI_COMMIT_SHA", "0123abcd"), ("CI_COMMIT_BRANCH", "main"), ("CI_PIPELINE_EVENT", "cron")];
    let step = pipeline.iter().fold(drifted().dry(), |step, (name, value)| step.env(name, *value));
    let plain = step.run();
    let end = step.setting("details", "true").run();
    let six = timeless(plain.payload()).trim_end_matches('}').to_owned();
    assert!(timeless(end.payload()).starts_with(&(six + r#","details":{"schema":1,"hosts":{"#)), "{end}");
    let payload: Value = serde_json::from_str(end.payload()).unwrap();
    let details = &payload["details"];
    assert_eq!(details["hosts"]["web1"]["sync_status"], "OUT_OF_SYNC");
    assert_eq!(details["hosts"]["web1"]["tasks_changed"], 1);
    assert_eq!(
        (&details["commit"], &details["branch"], &details["event"]),
        (&Value::from("0123abcd"), &Value::from("main"), &Value::from("cron"))
    );
}

fn per_host_reports_each_host_by_its_own_name() {
    let server = Scripted::keeping();
    let step = Step::new().replay("drift_and_an_unreachable_host").without("server_name");
    let end = step.setting("per_host", "true").setting("details", "true").to(server.url()).run();
    end.expect_code(1).expect_error("no payload for web2").expect_error("could not reach the host");
    let bodies: Vec<Value> = server.bodies().iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    let statuses: Vec<_> = bodies.iter().map(|body| (&body["server"], &body["sync_status"])).collect();
    assert_eq!(statuses, [(&Value::from("web1"), &Value::from("OUT_OF_SYNC"))], "{end}");
    assert_eq!(bodies[0]["details"]["hosts"]["web1"]["tasks_changed"], 1);
}

fn an_unknown_status_is_sent_only_where_that_is_asked_for() {
    let server = Scripted::keeping();
    let step = Step::new().replay("nothing_was_verified").to(server.url());
    step.run().expect_code(1);
    assert!(server.requests().is_empty());
    step.setting("report_unknown", "true").run().expect_code(1);
    let expected = SYNCED.replace("SYNCED", "UNKNOWN");
    assert_eq!(server.bodies().iter().map(|body| timeless(body)).collect::<Vec<_>>(), [expected]);
}

fn drift_ends_with_2_only_where_that_is_asked_for() {
    let server = Scripted::keeping();
    drifted().to(server.url()).run().expect_code(0);
    drifted().to(server.url()).setting("fail_on_drift", "yes").run().expect_code(2);
    Step::new().to(server.url()).setting("fail_on_drift", "yes").run().expect_code(0);
    // What was not delivered is a failure, and so is an incomplete check.
    drifted().dry().setting("fail_on_drift", "yes").run().expect_code(0);
    let killed = Step::new().replay("drift_then_the_run_was_killed").setting("fail_on_drift", "yes");
    killed.to(server.url()).run().expect_code(1);
}

fn a_payload_file_is_whole_or_not_there() {
    let server = Scripted::http([ok()]);
    let step = Step::new().to(server.url());
    let file = step.path("payload.json");
    let step = step.setting("payload_file", text(&file));
    step.run().expect_delivered();
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", server.bodies()[0]));

    let server = Scripted::http([ok()]);
    let end = Step::new().to(server.url()).setting("payload_file", "/proc/payload.json").run();
    failed(&end, "cannot write the payload to `/proc/payload.json`", "check `payload_file`");
    let end = Step::new().to(server.url()).setting("payload_file", "/nonexistent/x").run();
    failed(&end, "`payload_file` names `/nonexistent/x`, which cannot be written", "a directory that exists");
    end.expect_no("[1/4]");
    assert!(server.requests().is_empty());
}

/// Whether a command may mount file systems in a namespace of its own, and why not.
pub fn unshare() -> Result<Command, NotRun> {
    let command = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--map-root-user"]);
        unshare
    };
    let folder = tempfile::tempdir().unwrap();
    let mount = ["mount", "-t", "tmpfs", "tmpfs"];
    let tried = command().args(mount).arg(folder.path()).output();
    match tried {
        Ok(output) if output.status.success() => Ok(command()),
        Ok(output) => Err(NotRun(format!(
            "no file system may be mounted here: {}",
            String::from_utf8_lossy(&output.stderr).trim().replace(text(folder.path()), "a directory")
        ))),
        Err(error) => Err(NotRun(format!("no file system may be mounted here: cannot run `unshare`: {error}"))),
    }
}

fn a_full_disk_leaves_no_payload_file() -> Result<(), NotRun> {
    let mut unshare = unshare()?;
    let server = Scripted::http([ok()]);
    let step = Step::new().to(server.url());
    let disk = step.path("disk");
    fs::create_dir(&disk).unwrap();
    let step = step.setting("payload_file", text(&disk.join("payload.json")));
    // A file system of one page, which another file takes.
    let script = "mount -t tmpfs -o size=4k tmpfs $1 && echo other > $1/other && : > $1/payload.json && $2
        code=$?; echo left: $(ls -A $1); exit $code";
    let plugin = step.command();
    unshare.args(["sh", "-c", script, "sh"]).arg(&disk).arg(plugin.get_program());
    unshare.current_dir(step.repository()).env_clear();
    unshare.envs(plugin.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let end: Ended = unshare.output().unwrap().into();
    failed(&end, "cannot write the payload to", "No space left on device");
    assert!(end.stdout.ends_with("left: other\n"), "{end}");
    assert!(server.requests().is_empty());
    Ok(())
}

fn only_a_regular_file_is_taken_for_the_payload() {
    let server = Scripted::keeping();
    let step = Step::new().to(server.url());
    let path = |name: &str| step.path("target").join(name);
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    fs::create_dir(path("directory")).unwrap();
    // Not a device itself: a program that is wrong here would replace it.
    std::os::unix::fs::symlink("/dev/null", path("link")).unwrap();
    for (name, said) in [("socket", "a socket"), ("directory", "a directory"), ("link", "a symbolic link")] {
        let end = step.again().setting("payload_file", text(&path(name))).run();
        failed(
            &end,
            &format!("`payload_file` names `{}`, which is {said}", path(name).display()),
            "write the path of a file",
        );
        end.expect_no("[1/4]");
        assert!(!fs::symlink_metadata(path(name)).unwrap().is_file(), "{name} was replaced");
    }
    assert!(server.requests().is_empty());
}

fn a_run_that_claims_nothing_leaves_no_earlier_status() {
    let server = Scripted::keeping();
    let step = Step::new().to(server.url());
    let file = step.path("payload.json");
    let step = step.setting("payload_file", text(&file));
    let claims_nothing: [fn(Step) -> Step; 4] = [
        |step| step.replay("nothing_was_verified"),
        |step| step.setting("timeout", "no").setting("check", "maybe"),
        |step| step.setting("playbook", "nonexistent.yml"),
        |step| step.env("TMPDIR", "/nonexistent"),
    ];
    for changed in claims_nothing {
        fs::write(&file, "old").unwrap();
        changed(step.again()).run().expect_code(1);
        assert!(!file.exists());
    }
    fs::write(&file, "old").unwrap();
    let mut running = step.again().ends("timed out").prints("it waits\n").start();
    running.wait_for("it waits").signal(Signal::TERM);
    running.end().expect_code(143);
    assert!(!file.exists());
    let step = step.ends("exited 0");
    // What is sent is kept, whatever comes of it; so is what is known to be unknown.
    fs::write(&file, "old").unwrap();
    let unknown = step.again().replay("nothing_was_verified").setting("report_unknown", "true");
    unknown.run().expect_code(1);
    assert!(fs::read_to_string(&file).unwrap().contains("UNKNOWN"));
    let refused = Scripted::http([crate::harness::server::status("403 No")]);
    step.replay("everything_was_as_it_should_be").to(refused.url()).run().expect_code(1);
    assert!(fs::read_to_string(&file).unwrap().contains("SYNCED"));
}
