//! Connections that are cut, at whatever byte, and a server that kills the Python.

use std::fs;

use super::Accelerated;
use crate::harness::step::{Step, text};
use crate::harness::{read, root};

/// How much of all that passes between agent and server in a whole run passes before the cut, in thousandths.
const CUTS: [u64; 4] = [20, 200, 600, 980];

pub fn drift_is_found_or_nothing_is_claimed_wherever_a_connection_is_cut() {
    let copy = |name: &str| format!("    - copy: {{content: x, dest: \"{{{{ lookup('env', 'TARGET') }}}}/{name}\"}}\n");
    let server = Accelerated::start(&(copy("managed") + &copy("managed") + &copy("drifted")));
    fs::write(server.path("target/drifted"), "y").unwrap();
    let hosts = read(server.path("repository/hosts"));
    let line = format!(
        "{} ansible_ssh_common_args=\"-o ProxyCommand='python3 {} {} {{{{ bytes }}}} {{{{ counted }}}}'\"\n",
        hosts.trim(),
        text(&root().join("tests/accelerate/cut.py")),
        server.sshd.read("port").trim()
    );
    server.step.again().file("hosts", &line);
    let counted = |bytes: u64| server.path(&format!("counted-{bytes}"));
    let step = |bytes: u64| -> Step {
        let variables = format!(r#"{{"bytes":"{bytes}","counted":"{}"}}"#, counted(bytes).display());
        server.step.again().setting("extra_vars", variables)
    };
    step(0).run().expect_code(0).expect_log("Result: OUT_OF_SYNC");
    let whole: u64 = read(counted(0)).parse().unwrap();
    for pair in CUTS.map(|part| whole * part / 1000).chunks(2) {
        let running: Vec<_> = pair.iter().map(|bytes| step(*bytes).start()).collect();
        for (running, bytes) in running.into_iter().zip(pair) {
            let end = running.end();
            assert_eq!(read(counted(*bytes)).parse(), Ok(*bytes), "the connection was not cut");
            end.expect_no("Result: SYNCED");
            if end.code == Some(0) {
                end.expect_log("Result: OUT_OF_SYNC");
            }
        }
    }
    server.expect_no_python();
}

pub fn a_python_that_is_killed_during_a_module_is_never_synced() {
    let server = Accelerated::start("    - probe: {do: parent}\n    - probe: {do: kill the parent}\n");
    server.run().expect_code(1).expect_error("could not reach the host");
}
