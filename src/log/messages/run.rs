//! Before and around the run: the first heading, warnings, cancellation.

use super::{Line, Tone, warning};
use crate::ansible::command::inventories;
use crate::ansible::early_end::Suspect;
use crate::ansible::host_keys::OfferedKey;
use crate::ansible::surroundings::Surroundings;
use crate::settings::Settings;

/// The first heading, and what should be known before the run.
pub fn running(settings: &Settings, surroundings: Surroundings) -> Vec<Line> {
    let ansible = &settings.ansible;
    let mode = if ansible.check_mode { "check mode" } else { "no check mode, the playbook states its own result" };
    let inventory = match inventories(&ansible.inventory) {
        list if list.is_empty() => "Ansible's own inventory".to_owned(),
        list => format!("inventory {}", list.join(", ")),
    };
    let limit = ansible.limit.as_ref().map(|limit| format!(", limit {limit}")).unwrap_or_default();
    let mut lines = vec![Line::new(
        Tone::Step,
        format!("[1/4] Running {} ({mode}, {inventory}{limit})", ansible.playbooks.join(", ")),
    )];
    if surroundings.config_ignored && ansible.ansible_config.is_none() {
        lines.push(warning(
            "Ansible ignores the ansible.cfg here, because every user can write to this directory; \
             set `ansible_config: ansible.cfg`",
        ));
    }
    if surroundings.secrets_on_disk {
        lines.push(warning(
            "/dev/shm is not writable, so secrets are in a private file, possibly on a disk, until this step ends",
        ));
    }
    lines.extend(settings.warnings.iter().map(|sentence| warning(sentence)));
    if ansible.ssh.host_key_checking == Some(false) {
        lines.push(warning("`host_key_checking` is off: the identity of the servers is not verified"));
    }
    if settings.destination.server().is_some_and(|server| server.insecure_skip_verify) {
        lines.push(warning(
            "`insecure_skip_verify` is on: TLS verification is off, and the status can be intercepted or forged",
        ));
    }
    lines
}

/// Host keys that servers offered and that are not known, ready to be compared and pasted.
pub fn unknown_host_keys(keys: &[OfferedKey]) -> Vec<Line> {
    let lines = |key: &OfferedKey| {
        let OfferedKey { host, fingerprint, .. } = key;
        [
            format!("  hint: {host} offered this unknown host key with the fingerprint {fingerprint}"),
            format!("        {}", key.line()),
        ]
    };
    let mut lines: Vec<Line> = keys.iter().flat_map(lines).map(|text| Line::new(Tone::Remedy, text)).collect();
    if !lines.is_empty() {
        lines.push(Line::new(
            Tone::Remedy,
            "        compare the fingerprint with the output of `for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key; done` \
             on that server before you add the line to `ssh_known_hosts`",
        ));
    }
    lines
}

/// What may have ended Ansible before it ran anything.
pub fn suspects(suspects: &[Suspect]) -> Vec<Line> {
    let words = |suspect: &Suspect| match suspect {
        Suspect::StdoutCallback(name) => format!(
            "  hint: if Ansible could not load the callback plugin `{name}`: ansible-core alone does not have it; use an image \
             with its collection, or remove `stdout_callback` (`callback_result_format = yaml` makes the default one write YAML)"
        ),
        Suspect::InventoryDirectory(path) => format!(
            "  hint: if Ansible could not parse an inventory: it reads every file in the directory `{path}`; move what is not an \
             inventory out of it, or name it in `[inventory] ignore_patterns` of ansible.cfg"
        ),
    };
    suspects.iter().map(|suspect| Line::new(Tone::Remedy, words(suspect))).collect()
}

/// The step was ended by a signal before anything was sent.
pub fn cancelled(signal: i32) -> Vec<Line> {
    vec![Line::new(Tone::Error, format!("cancelled by {}: no status was sent", signal_name(signal)))]
}

/// The step was ended by a signal when `delivered` of `of` payloads had been taken.
pub fn cancelled_while_sending(signal: i32, delivered: usize, of: usize) -> Vec<Line> {
    let signal = signal_name(signal);
    vec![Line::new(
        Tone::Error,
        format!(
            "cancelled by {signal}: {delivered} of {of} payloads were delivered, one more may have been in transit; nothing \
             else is sent"
        ),
    )]
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        _ => "a signal",
    };
    format!("{name} ({signal})")
}
