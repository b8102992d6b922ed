//! What makes a check quick and cannot change its outcome, chosen only where neither the environment nor `ansible.cfg`
//! says otherwise. A setting, an inventory variable or an argument wins over these anyway.

use crate::ansible_cfg::value_of;

/// As many hosts at once as a check of twenty or so needs.
const FORKS: u64 = 25;

/// Ansible's own default, and the least that is chosen here.
const FEWEST_FORKS: u64 = 5;

/// What a fork may need, in bytes; most of it is shared with the others until it is written to.
const FORK: u64 = 100 << 20;

/// One choice: the variables and the keys of `ansible.cfg`, with their sections, that decide it otherwise.
struct Choice {
    variables: &'static [&'static str],
    keys: &'static [(&'static str, &'static str)],
}

/// One ssh connection for a task instead of three. It fails where sudo asks for a terminal (`requiretty`). Over ssh alone:
/// a local task has nothing to gain, and without pipelining it shows that the directory for modules is full.
const PIPELINING: Choice = Choice {
    variables: &["ANSIBLE_SSH_PIPELINING", "ANSIBLE_PIPELINING"],
    keys: &[("defaults", "pipelining"), ("connection", "pipelining"), ("ssh_connection", "pipelining")],
};

const MANY_FORKS: Choice = Choice { variables: &["ANSIBLE_FORKS"], keys: &[("defaults", "forks")] };

/// Ansible starts `cowsay` for each line where it finds one.
const NO_COWS: Choice = Choice { variables: &["ANSIBLE_NOCOWS"], keys: &[("defaults", "nocows")] };

impl Choice {
    fn is_open(&self, is_set: &impl Fn(&str) -> bool, config: Option<&str>) -> bool {
        let configured =
            |(section, key): &(&str, &str)| config.is_some_and(|text| value_of(text, section, key).is_some());
        !self.variables.iter().any(|name| is_set(name)) && !self.keys.iter().any(configured)
    }
}

/// The variables to set. `is_set` tells whether Ansible's environment has one already, `config` is the text of the
/// `ansible.cfg` that Ansible will read, `memory` how many bytes this process and its children may still use.
pub fn choices(
    is_set: impl Fn(&str) -> bool,
    config: Option<&str>,
    memory: Option<u64>,
) -> Vec<(&'static str, String)> {
    let forks = memory.map_or(FEWEST_FORKS, |bytes| (bytes / FORK).clamp(FEWEST_FORKS, FORKS));
    [(PIPELINING, "true".to_owned()), (MANY_FORKS, forks.to_string()), (NO_COWS, "true".to_owned())]
        .into_iter()
        .filter(|(choice, _)| choice.is_open(&is_set, config))
        .map(|(choice, value)| (choice.variables[0], value))
        .collect()
}

/// How many bytes are left to this process and its children: the least of what the kernel has and what the container may
/// take. `None` where neither tells.
pub fn memory_left() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
    let of_kernel = read("/proc/meminfo").and_then(|text| available(&text));
    let of_container = number("/sys/fs/cgroup/memory.max")
        .and_then(|most| Some(most.saturating_sub(number("/sys/fs/cgroup/memory.current")?)))
        .or_else(|| number("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    [of_kernel, of_container].into_iter().flatten().min()
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(set: &[&str], config: &str, memory: Option<u64>) -> Vec<String> {
        let choices = choices(|name| set.contains(&name), Some(config), memory);
        choices.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn all_is_chosen_where_nobody_says_otherwise() {
        let all = ["ANSIBLE_SSH_PIPELINING=true", "ANSIBLE_FORKS=25", "ANSIBLE_NOCOWS=true"];
        assert_eq!(chosen(&[], "[defaults]\ninventory = x\n", Some(8 << 30)), all);
        assert_eq!(choices(|_| false, None, Some(8 << 30)).len(), 3);
    }

    #[test]
    fn what_somebody_says_is_left_alone() {
        let without = |set: &[&str], config: &str, name: &str| {
            assert!(!chosen(set, config, None).iter().any(|choice| choice.starts_with(name)), "{set:?} {config}");
            assert_eq!(chosen(set, config, None).len(), 2);
        };
        without(&["ANSIBLE_PIPELINING"], "", "ANSIBLE_SSH_PIPELINING");
        without(&[], "[ssh_connection]\npipelining = False\n", "ANSIBLE_SSH_PIPELINING");
        without(&[], "[defaults]\nforks=2\n", "ANSIBLE_FORKS");
        without(&["ANSIBLE_NOCOWS"], "", "ANSIBLE_NOCOWS");
    }

    #[test]
    fn forks_fit_the_memory() {
        for (memory, forks) in [(None, 5), (Some(0), 5), (Some(1 << 30), 10), (Some(64 << 30), 25)] {
            assert!(chosen(&[], "", memory).contains(&format!("ANSIBLE_FORKS={forks}")), "{memory:?}");
        }
        assert_eq!(available("MemTotal:  9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert!(memory_left().is_some_and(|bytes| bytes > 0));
    }
}
