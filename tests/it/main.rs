//! Every integration test, most of them through the built binary.
//!
//! `cargo test` runs what needs nothing but Rust, in seconds; `tests/run.sh` brings a real Ansible and the rest, and runs
//! everything. `cargo test --test it NAME` runs what has NAME in its name, such as `delivery::` or `cases::no_log`, and
//! `-- --list` lists all. CONTRIBUTING.md says how to add one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::ExitCode;

mod harness;

mod tidy;
mod pages;
mod sentences;
mod prose;
mod settings;
mod delivery;
mod retries;
mod tls;
mod proxies;
mod payload;
mod faults;
mod limits;
mod panic;
mod scenes;
mod cases;
mod modules;
mod ansible;
mod atlas;
mod ssh;
mod access;
mod keys;
mod accelerate;
mod secrets;
mod newcomer;
mod examples;
mod documents;
mod grafana;
mod woodpecker;
mod image;

fn main() -> ExitCode {
    if harness::fake_ansible::is_called() {
        return harness::fake_ansible::play();
    }
    if let Some(folder) = harness::variable(panic::FOLDER) {
        panic::have_a_fault(folder.as_ref());
    }
    harness::suite::run(vec![
        tidy::suite(),
        pages::suite(),
        sentences::suite(),
        prose::suite(),
        settings::suite(),
        delivery::suite(),
        retries::suite(),
        tls::suite(),
        proxies::suite(),
        payload::suite(),
        faults::suite(),
        limits::suite(),
        panic::suite(),
        scenes::suite(),
        // The longest tests come first, so that none of them is left alone at the end.
        accelerate::suite(),
        accelerate::suite_without(),
        atlas::suite(),
        ssh::suite(),
        access::suite(),
        keys::suite(),
        ansible::suite(),
        modules::suite(),
        secrets::suite(),
        newcomer::suite(),
        examples::suite(),
        documents::suite(),
        grafana::suite(),
        woodpecker::suite(),
        cases::suite(),
        woodpecker::suite_of_the_image(),
        image::suite(),
    ])
}
