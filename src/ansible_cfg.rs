//! The little that has to be known of the user's `ansible.cfg`: which one Ansible will read, what it says, and where it
//! looks for callback plugins. `ANSIBLE_CALLBACK_PLUGINS` replaces that place, so what the user has is read here and kept.
//!
//! The search order is Ansible's own: `ANSIBLE_CONFIG`, the working directory unless anybody may write to it,
//! `~/.ansible.cfg`, `/etc/ansible/ansible.cfg`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where Ansible looks for callback plugins when nobody says otherwise.
const DEFAULT_CALLBACK_PLUGINS: &str = "~/.ansible/plugins/callback:/usr/share/ansible/plugins/callback";

/// The directories Ansible would search for callback plugins, as a colon-separated list of absolute paths.
///
/// `config` is the value of `ANSIBLE_CONFIG`, if there is one. A file that cannot be read is left to Ansible to
/// complain about.
pub fn callback_plugins(config: Option<&Path>, home: Option<&Path>) -> String {
    let configured = found(config, home).and_then(|file| {
        let text = fs::read_to_string(&file).ok()?;
        let value = value_of(&text, "defaults", "callback_plugins")?;
        let folder = fs::canonicalize(file.parent()?).ok()?;
        Some((value, folder))
    });
    let (list, folder) = configured.unwrap_or_else(|| (DEFAULT_CALLBACK_PLUGINS.to_owned(), PathBuf::from("/")));
    let absolute = |part: &str| match (part.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => folder.join(part),
    };
    let parts: Vec<_> = list.split(':').map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.iter().map(|part| absolute(part).display().to_string()).collect::<Vec<_>>().join(":")
}

/// The text of the `ansible.cfg` that Ansible will read, if there is one.
pub fn text(config: Option<&Path>, home: Option<&Path>) -> Option<String> {
    fs::read_to_string(found(config, home)?).ok()
}

/// What the user's `ansible.cfg` adds to each ssh command line.
pub fn ssh_extra_args(config: Option<&Path>, home: Option<&Path>) -> Option<String> {
    value_of(&text(config, home)?, "ssh_connection", "ssh_extra_args")
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

/// The value of one key of an INI file, without a comment after `;`.
pub(crate) fn value_of(text: &str, section: &str, key: &str) -> Option<String> {
    let mut current = "";
    let mut value = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            current = name;
        } else if let Some((name, rest)) = line.split_once(['=', ':']) {
            if current == section && name.trim() == key {
                value = Some(rest.split(" ;").next().unwrap_or(rest).trim().to_owned());
            }
        }
    }
    value
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
    fn relative_directories_are_relative_to_the_file_that_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("ansible.cfg"), "[defaults]\ncallback_plugins = ./mine:/abs:~/h\n").unwrap();
        let real = fs::canonicalize(folder).unwrap();
        let list = callback_plugins(Some(&folder.join("ansible.cfg")), Some(Path::new("/home/me")));
        assert_eq!(list, format!("{}/./mine:/abs:/home/me/h", real.display()));
    }
}
