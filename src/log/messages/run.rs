//! Before and around the run: the first heading, warnings, cancellation.

use super::{Line, Tone, counted, warning};
use crate::ansible::command::inventories;
use crate::settings::Settings;

/// The first heading, and what should be known before the run. `config_ignored`: Ansible will pass over the ansible.cfg
/// of the working directory. `secrets_on_disk`: there is no memory to keep them in.
pub fn running(settings: &Settings, config_ignored: bool, secrets_on_disk: bool) -> Vec<Line> {
    let ansible = &settings.ansible;
    let mode = if ansible.check_mode { "check mode" } else { "its own drift check, no check mode" };
    let inventory = match inventories(&ansible.inventory) {
        list if list.is_empty() => "Ansible's own inventory".to_owned(),
        list => format!("inventory {}", list.join(", ")),
    };
    let limit = ansible.limit.as_ref().map(|limit| format!(", limit {limit}")).unwrap_or_default();
    let mut lines =
        vec![Line::new(Tone::Step, format!("[1/4] Run {} ({mode}, {inventory}{limit})", ansible.playbooks.join(", ")))];
    if config_ignored && ansible.ansible_config.is_none() {
        lines.push(warning(
            "Ansible ignores the ansible.cfg here, because anybody may write to this directory; \
             set `ansible_config: ansible.cfg`",
        ));
    }
    if secrets_on_disk {
        lines.push(warning(
            "secrets lie in a private file that may be on a disk until this step ends, because /dev/shm cannot be written",
        ));
    }
    if ansible.ssh.host_key_checking == Some(false) {
        lines.push(warning("`host_key_checking` is off: any machine that answers at a server's address is believed"));
    }
    if settings.destination.server().is_some_and(|server| server.insecure_skip_verify) {
        lines.push(warning(
            "`insecure_skip_verify` is on: whoever sits between here and the status server can read and forge the status",
        ));
    }
    lines
}

/// The step was ended by a signal; `arrived` says how many of how many payloads were taken by then, where any was to be sent.
pub fn cancelled(signal: i32, arrived: Option<(usize, usize)>) -> Vec<Line> {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        15 => "SIGTERM",
        _ => "a signal",
    };
    let claimed = match arrived {
        None => "nothing is claimed".to_owned(),
        Some((arrived, all)) => {
            format!("{arrived} of {} had arrived, the next may have been on its way", counted(all, "payload"))
        }
    };
    vec![Line::new(Tone::Error, format!("cancelled by {name} ({signal}): {claimed}; nothing more is sent"))]
}
