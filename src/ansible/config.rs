//! The little that has to be known of the user's `ansible.cfg`: which one Ansible will read, what it says, and where it
//! looks for plugins. `ANSIBLE_CALLBACK_PLUGINS` replaces that place, so what the user has is read here and kept.
//!
//! Not here: anything else that it says; Ansible reads it itself.
//!
//! The search order is Ansible's own: `ANSIBLE_CONFIG`, the working directory unless anybody may write to it,
//! `~/.ansible.cfg`, `/etc/ansible/ansible.cfg`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where Ansible looks for plugins when nobody says otherwise, besides a directory below its home.
const SYSTEM_PLUGINS: &str = "/usr/share/ansible/plugins";

/// The `ansible.cfg` that Ansible will read; an empty one where there is none. A file that cannot be read is left to
/// Ansible to complain about.
#[derive(Debug, Default)]
pub struct AnsibleCfg {
    /// The directory it lies in, which its relative paths are relative to.
    directory: PathBuf,
    text: String,
}

impl AnsibleCfg {
    /// Finds and reads it. `config` is the value of `ANSIBLE_CONFIG`, if there is one.
    pub fn find(config: Option<&Path>, home: Option<&Path>) -> Self {
        found(config, home).and_then(|file| Self::read(&file)).unwrap_or_default()
    }

    fn read(file: &Path) -> Option<Self> {
        // Not the directory that a link leads to: neither does Ansible look there.
        let directory = std::path::absolute(file).ok()?.parent()?.to_owned();
        if !file.is_file() {
            // Nobody may ever write to a pipe, and a device may never end.
            return None;
        }
        Some(Self { text: fs::read_to_string(file).ok()?, directory })
    }

    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// What it says of one key, on one line; `None` where it does not name the key.
    pub fn value(&self, section: &str, key: &str) -> Option<String> {
        value_of(&self.text, section, key)
    }

    /// The directories Ansible would search for plugins of a kind (`callback`, `connection`), as a value of the variable for
    /// them: `~`, `$PWD`, `{{CWD}}` and the like are left for Ansible to expand. `ansible_home` is the value of `ANSIBLE_HOME`.
    pub fn plugins(&self, kind: &str, ansible_home: Option<&str>) -> String {
        if let Some(list) = self.value("defaults", &format!("{kind}_plugins")) {
            let parts = list.split(':').map(str::trim).filter(|part| !part.is_empty());
            return parts.map(|part| self.absolute(part)).collect::<Vec<_>>().join(":");
        }
        let configured = || self.value("defaults", "home").map(|home| self.absolute(&home));
        let home = ansible_home.map(str::to_owned).or_else(configured).unwrap_or_else(|| "~/.ansible".to_owned());
        format!("{home}/plugins/{kind}:{SYSTEM_PLUGINS}/{kind}")
    }

    /// A path of this file as a variable can say it. The one thing that a variable cannot say is that a path is relative to
    /// this file's directory; that which begins with something to expand is none.
    fn absolute(&self, path: &str) -> String {
        if path.starts_with(['/', '~', '$', '{']) {
            return path.to_owned();
        }
        self.directory.join(path).display().to_string()
    }
}

/// Whether Ansible passes over an `ansible.cfg` in the working directory because anybody could have put it there.
pub fn ignored_in_working_directory() -> bool {
    Path::new("ansible.cfg").exists() && world_writable(Path::new("."))
}

fn found(config: Option<&Path>, home: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = config {
        return Some(if path.is_dir() { path.join("ansible.cfg") } else { path.to_owned() });
    }
    let here = (!world_writable(Path::new("."))).then(|| PathBuf::from("./ansible.cfg"));
    [here, home.map(|home| home.join(".ansible.cfg")), Some(PathBuf::from("/etc/ansible/ansible.cfg"))]
        .into_iter()
        .flatten()
        .find(|path| path.exists())
}

fn world_writable(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o002 != 0)
}

/// The value of one key of an INI file as Python's `configparser` reads it for Ansible: names of keys in any case, values
/// that go on in lines that are indented further than their key, comments after a blank and `;`.
fn value_of(text: &str, section: &str, key: &str) -> Option<String> {
    let (mut current, mut value) = ("", None::<String>);
    // How far the key was indented whose value may go on, and whether it is the one that is looked for.
    let mut open = None;
    for line in text.lines() {
        let content = without_comment(line);
        let indent = line.len() - line.trim_start().len();
        match open {
            _ if content.is_empty() => {}
            Some((above, wanted)) if indent > above => {
                if let (true, Some(value)) = (wanted, &mut value) {
                    format!("{value} {content}").trim().clone_into(value);
                }
            }
            _ if content.starts_with('[') => {
                current = content[1..].split(']').next().unwrap_or_default();
                open = None;
            }
            _ => {
                let (name, rest) = content.split_once(['=', ':']).unwrap_or((content, ""));
                let wanted = current == section && name.trim().eq_ignore_ascii_case(key);
                if wanted {
                    value = Some(rest.trim().to_owned());
                }
                open = Some((indent, wanted));
            }
        }
    }
    value
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let comment = line.match_indices(';').map(|(at, _)| at).find(|at| line[..*at].ends_with(char::is_whitespace));
    line[..comment.unwrap_or(line.len())].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_the_right_section_is_found() {
        let text = "[other]\ncallback_plugins = no\n[defaults]\n# callback_plugins = no\n\
                    callback_plugins = ./mine:~/x ; why\n[x]\n";
        assert_eq!(value_of(text, "defaults", "callback_plugins").as_deref(), Some("./mine:~/x"));
        assert_eq!(value_of(text, "defaults", "inventory"), None);
    }

    #[test]
    fn values_are_read_as_ansible_reads_them() {
        let text = "[ssh_connection]\nSSH_Args = -C\n  # not this\n    -o ControlPersist=60s ; nor this\n\n  -v\n\
                    control_path : a;b\npipelining =\n [defaults] \nforks=\n";
        assert_eq!(value_of(text, "ssh_connection", "ssh_args").as_deref(), Some("-C -o ControlPersist=60s -v"));
        assert_eq!(value_of(text, "ssh_connection", "control_path").as_deref(), Some("a;b"));
        assert_eq!(value_of(text, "ssh_connection", "pipelining").as_deref(), Some("[defaults]"));
        assert_eq!(value_of("[defaults]\nforks=\n", "defaults", "forks").as_deref(), Some(""));
    }

    #[test]
    fn relative_directories_are_relative_to_the_file_that_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let list = "./mine:/abs:~/h:$PWD/p:${PWD}/p:{{CWD}}/c: x";
        fs::write(folder.join("ansible.cfg"), format!("[defaults]\ncallback_plugins = {list}\n")).unwrap();
        let real = folder.display();
        let config = AnsibleCfg::find(Some(&folder.join("ansible.cfg")), None);
        let expected = format!("{real}/./mine:/abs:~/h:$PWD/p:${{PWD}}/p:{{{{CWD}}}}/c:{real}/x");
        assert_eq!(config.plugins("callback", Some("/unused")), expected);
    }

    #[test]
    fn a_file_of_the_working_directory_is_read_too() {
        // Tests run where this file is.
        let config = AnsibleCfg::read(Path::new("rustfmt.toml")).unwrap();
        assert!(config.text.contains("max_width"));
        assert_eq!(config.directory, std::env::current_dir().unwrap());
    }

    #[test]
    fn the_default_directory_is_below_ansibles_home() {
        let system = "plugins/callback:/usr/share/ansible/plugins/callback";
        let config = AnsibleCfg::of("[defaults]\nhome = /configured\n");
        assert_eq!(AnsibleCfg::default().plugins("callback", None), format!("~/.ansible/{system}"));
        assert_eq!(config.plugins("callback", None), format!("/configured/{system}"));
        assert_eq!(config.plugins("callback", Some("/variable")), format!("/variable/{system}"));
    }
}
