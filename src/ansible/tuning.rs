//! What makes a check quick and cannot change its outcome, chosen only where neither the environment nor `ansible.cfg`
//! says otherwise. A setting, an inventory variable or an argument wins over these anyway.

use crate::ansible::config::AnsibleCfg;

/// As many hosts at once as a check of twenty or so needs.
const FORKS: u64 = 25;

/// Ansible's own default, and the least that is chosen here.
const FEWEST_FORKS: u64 = 5;

/// A fork keeps a core busy for a good part of its time: more of them than this get in each other's way.
const FORKS_PER_CORE: u64 = 5;

/// What a fork may need, in bytes; most of it is shared with the others until it is written to.
const FORK: u64 = 100 << 20;

/// A key of `ansible.cfg`.
struct Key {
    section: &'static str,
    name: &'static str,
}

/// Something that may be chosen, and what else decides it.
struct Tuning {
    /// The variables that decide it; the first one is set.
    variables: &'static [&'static str],
    /// The keys of `ansible.cfg` that decide it.
    keys: &'static [Key],
}

/// A variable to set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) variable: &'static str,
    pub(super) value: String,
}

/// One ssh connection for a task instead of three. It fails where sudo asks for a terminal (`requiretty`). Over ssh alone:
/// a local task has nothing to gain, and without pipelining it shows that the directory for modules is full.
const PIPELINING: Tuning = Tuning {
    variables: &["ANSIBLE_SSH_PIPELINING", "ANSIBLE_PIPELINING"],
    keys: &[
        Key { section: "defaults", name: "pipelining" },
        Key { section: "connection", name: "pipelining" },
        Key { section: "ssh_connection", name: "pipelining" },
    ],
};

const MANY_FORKS: Tuning =
    Tuning { variables: &["ANSIBLE_FORKS"], keys: &[Key { section: "defaults", name: "forks" }] };

/// Ansible starts `cowsay` for each line where it finds one.
const NO_COWS: Tuning = Tuning { variables: &["ANSIBLE_NOCOWS"], keys: &[Key { section: "defaults", name: "nocows" }] };

impl Tuning {
    fn is_decided(&self, is_set: &impl Fn(&str) -> bool, config: &AnsibleCfg) -> bool {
        self.variables.iter().any(|name| is_set(name))
            || self.keys.iter().any(|key| config.value(key.section, key.name).is_some())
    }

    fn choose(&self, value: String) -> Choice {
        Choice { variable: self.variables[0], value }
    }
}

/// The variables to set. `is_set` tells whether Ansible's environment has one already, `resources` is what this process and its
/// children may still use.
pub(super) fn tuning(is_set: impl Fn(&str) -> bool, config: &AnsibleCfg, resources: Resources) -> Vec<Choice> {
    let choose = |tuning: Tuning, value: &dyn ToString| {
        (!tuning.is_decided(&is_set, config)).then(|| tuning.choose(value.to_string()))
    };
    let choices = [choose(PIPELINING, &true), choose(MANY_FORKS, &resources.forks()), choose(NO_COWS, &true)];
    choices.into_iter().flatten().collect()
}

/// What this process and its children may still use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resources {
    /// Bytes of memory: the least of what the kernel has and what the container may take. `None` where neither tells.
    pub(super) memory: Option<u64>,
    /// Processor cores, a container's quota considered.
    pub(super) cores: u64,
}

impl Resources {
    /// As the kernel tells it now.
    pub(super) fn left() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
        let of_kernel = read("/proc/meminfo").and_then(|text| available(&text));
        let of_container = number("/sys/fs/cgroup/memory.max")
            .and_then(|most| Some(most.saturating_sub(number("/sys/fs/cgroup/memory.current")?)))
            .or_else(|| number("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
        Self {
            memory: [of_kernel, of_container].into_iter().flatten().min(),
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
        }
    }

    fn forks(self) -> u64 {
        let fitting = self.memory.map_or(FEWEST_FORKS, |bytes| bytes / FORK);
        fitting.min(self.cores.saturating_mul(FORKS_PER_CORE)).clamp(FEWEST_FORKS, FORKS)
    }
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUCH: Resources = Resources { memory: Some(8 << 30), cores: 8 };

    fn chosen(set: &[&str], config: &str) -> Vec<String> {
        let tuning = tuning(|name| set.contains(&name), &AnsibleCfg::of(config), MUCH);
        tuning.into_iter().map(|choice| format!("{}={}", choice.variable, choice.value)).collect()
    }

    #[test]
    fn all_is_chosen_where_nobody_says_otherwise() {
        let all = ["ANSIBLE_SSH_PIPELINING=true", "ANSIBLE_FORKS=25", "ANSIBLE_NOCOWS=true"];
        assert_eq!(chosen(&[], "[defaults]\ninventory = x\n"), all);
        assert_eq!(tuning(|_| false, &AnsibleCfg::default(), MUCH).len(), 3);
    }

    #[test]
    fn what_somebody_says_is_left_alone() {
        let without = |set: &[&str], config: &str, name: &str| {
            assert!(!chosen(set, config).iter().any(|choice| choice.starts_with(name)), "{set:?} {config}");
            assert_eq!(chosen(set, config).len(), 2);
        };
        without(&["ANSIBLE_PIPELINING"], "", "ANSIBLE_SSH_PIPELINING");
        without(&[], "[ssh_connection]\npipelining = False\n", "ANSIBLE_SSH_PIPELINING");
        without(&[], "[defaults]\nforks=2\n", "ANSIBLE_FORKS");
        without(&["ANSIBLE_NOCOWS"], "", "ANSIBLE_NOCOWS");
    }

    #[test]
    fn forks_fit_the_memory_and_the_cores() {
        for (memory, cores, forks) in [
            (None, 8, 5),
            (Some(0), 8, 5),
            (Some(1 << 30), 8, 10),
            (Some(64 << 30), 8, 25),
            (Some(64 << 30), 2, 10),
            (Some(64 << 30), 1, 5),
        ] {
            assert_eq!(Resources { memory, cores }.forks(), forks, "{memory:?} {cores}");
        }
        assert_eq!(available("MemTotal:  9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        let left = Resources::left();
        assert!(left.memory.is_some_and(|bytes| bytes > 0) && left.cores > 0, "{left:?}");
    }
}
