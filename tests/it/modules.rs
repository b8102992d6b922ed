//! The table of modules against what the installed ansible-core and collections say of themselves: a new one that changes
//! something fails here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use plugin_gitops_status::{CheckMode, find_module};

use crate::harness::suite::{Need, NotRun, Suite, suite};
use crate::harness::{ansible, root, succeeded, variable};

pub fn suite() -> Suite {
    suite!(
        "modules",
        [Need::Ansible],
        each_module_supports_check_mode_as_the_table_says,
        each_module_of_a_collection_that_supports_check_mode_in_part_is_in_the_table,
    )
}

/// Prints each module under the directories that are given, by its place there, with what its documentation says of check mode.
const DOCUMENTED: &str = r#"
import pathlib, re, sys, yaml
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
for where in map(pathlib.Path, sys.argv[1:]):
    for file in sorted(where.rglob("*.py")):
        found = re.search(r"^DOCUMENTATION\s*=\s*r?('''|\"\"\")(.*?)\1", file.read_text(errors="replace"), re.S | re.M)
        if file.stem == "__init__" or not found:
            continue
        try:
            attributes = yaml.load(found.group(2), LOADER).get("attributes") or {}
        except yaml.YAMLError:
            attributes = {}
        # The file of a module that is deprecated may begin with `_`.
        name = file.relative_to(where).with_name(file.name.removeprefix("_"))
        print(name, attributes.get("check_mode", {}).get("support", "unstated"))
"#;

/// What the documentation of each module says, by its place under one of these directories.
fn documented(directories: &[PathBuf]) -> Result<BTreeMap<String, String>, NotRun> {
    let python = ansible::bin().map_err(NotRun)?.join("python3");
    let printed = succeeded(Command::new(python).args(["-c", DOCUMENTED]).args(directories)).stdout;
    let lines = printed.lines().map(|line| line.split_once(' ').unwrap());
    Ok(lines.map(|(place, support)| (place.trim_end_matches(".py").to_owned(), support.to_owned())).collect())
}

fn each_module_supports_check_mode_as_the_table_says() -> Result<(), NotRun> {
    ansible::bin().map_err(NotRun)?;
    // Some modules have learnt check mode since. Earlier versions skip them, and it is the skip that counts then.
    if ["2.14", "2.15", "2.16", "2.17", "2.18"].contains(&ansible::version()) {
        return Err(NotRun("the table holds what modules support from ansible-core 2.19 on".to_owned()));
    }
    let mut python = Command::new(ansible::bin().map_err(NotRun)?.join("python3"));
    let place = succeeded(python.args(["-c", "import ansible.modules as here; print(here.__path__[0])"])).stdout;
    let documented = documented(&[place.trim().into()])?;
    assert!(documented.len() > 50, "{documented:?}");
    for (name, support) in documented {
        let module = find_module(&format!("ansible.builtin.{name}"));
        match module.check_mode {
            CheckMode::Full => assert_eq!(support, "full", "the table says that `{name}` supports check mode in full"),
            CheckMode::NotInFull(_) => {
                let in_table = module.name == name;
                assert!(in_table || support == "full", "`{name}` is not in the table, and its support is {support}");
            }
        }
    }
    Ok(())
}

fn each_module_of_a_collection_that_supports_check_mode_in_part_is_in_the_table() -> Result<(), NotRun> {
    let places = collections();
    if places.is_empty() {
        return Err(NotRun(
            "no collections in ANSIBLE_COLLECTIONS_PATH, nor where tests/atlas/collections.sh brings them".to_owned(),
        ));
    }
    let mut in_part = 0;
    for (place, support) in documented(&places)? {
        let name = match &place.split('/').collect::<Vec<_>>()[..] {
            [namespace, collection, "plugins", "modules", .., module] => format!("{namespace}.{collection}.{module}"),
            _ => continue,
        };
        let module = find_module(&name);
        if module.name == name && module.check_mode == CheckMode::Full {
            assert_ne!(support, "partial", "the table says that `{name}` supports check mode in full");
        } else if support == "partial" {
            in_part += 1;
            assert_eq!(module.name, name, "`{name}` supports check mode in part, and is not in the table");
        }
    }
    assert!(in_part > 0, "no module of {places:?} supports check mode in part");
    Ok(())
}

/// Directories with collections.
fn collections() -> Vec<PathBuf> {
    let asked = variable("ANSIBLE_COLLECTIONS_PATH").unwrap_or_default();
    let asked = asked.split(':').filter(|part| !part.is_empty()).map(PathBuf::from);
    let atlas = root().join("target/atlas/collections");
    let installed = atlas.read_dir().into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let usual = [PathBuf::from("/usr/share/ansible/collections")];
    let all = asked.chain(installed).chain(usual).map(|place| place.join("ansible_collections"));
    all.filter(|place| place.is_dir()).collect()
}
