//! The repository itself: the order of the stages, the length of files, and words that have to agree with the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use plugin_gitops_status::TABLE;

use crate::harness::suite::{Suite, suite};
use crate::harness::{read, root, succeeded};
use crate::pages::pages;

pub fn suite() -> Suite {
    suite!(
        "tidy",
        [],
        a_stage_names_only_stages_to_its_left,
        every_folder_of_src_is_a_stage,
        no_file_is_too_long_to_be_read,
        the_settings_table_of_plugin_md_is_the_one_of_the_code,
        the_documents_stay_short_enough_to_be_read,
        every_command_of_the_documents_is_known,
        every_path_of_the_documents_is_there,
        the_parser_of_dates_with_a_known_fault_is_not_built,
    )
}

/// The stages as `lib.rs` lists them, from left to right.
fn stages() -> Vec<String> {
    let list = read("src/lib.rs");
    let names = list.lines().filter_map(|line| {
        let line = line.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    names.map(str::to_owned).collect()
}

/// Every Rust file below a directory, or the file of that name.
pub fn sources(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.with_extension("rs")];
    }
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "rs"));
    files.flat_map(|path| sources(&path)).collect()
}

/// The stages that a file names.
fn named_stages(file: &Path) -> Vec<String> {
    let code = fs::read_to_string(file).unwrap();
    let names = code.split("crate::").skip(1).flat_map(|rest| match rest.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap().split(',').map(str::trim).collect(),
        None => vec![rest],
    });
    assert!(!code.contains("super::super::"), "{} hides which stage it names", file.display());
    let name = |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned();
    names.map(name).filter(|name| !name.is_empty()).collect()
}

fn a_stage_names_only_stages_to_its_left() {
    let stages = stages();
    assert!(stages.len() > 7, "{stages:?}");
    // For each pair of stages the files of the right one that name the left one.
    let mut arrows: BTreeMap<(usize, usize), BTreeSet<PathBuf>> = BTreeMap::new();
    for (at, stage) in stages.iter().enumerate() {
        for file in sources(&root().join("src").join(stage)) {
            for name in named_stages(&file) {
                let to = stages.iter().position(|stage| *stage == name);
                let to = to.unwrap_or_else(|| panic!("{} names `{name}`, which is no stage", file.display()));
                if to != at {
                    arrows.entry((at, to)).or_default().insert(file.clone());
                }
            }
        }
    }
    if std::env::args().any(|argument| argument == "--nocapture") {
        print_picture(&stages, &arrows);
    }
    let back: Vec<String> = arrows
        .iter()
        .filter(|((from, to), _)| from < to)
        .map(|((from, to), files)| format!("{} names {}, in {files:?}", stages[*from], stages[*to]))
        .collect();
    assert!(back.is_empty(), "{back:#?}");
    assert!(arrows.len() > 10, "only {arrows:?} were found");
}

/// One line for each stage: how many of its files name each stage to its left.
#[expect(clippy::print_stdout, reason = "it is asked for with --nocapture")]
fn print_picture(stages: &[String], arrows: &BTreeMap<(usize, usize), BTreeSet<PathBuf>>) {
    let cell = |from: usize, to: usize| match arrows.get(&(from, to)) {
        Some(files) => files.len().to_string(),
        None if from == to => "\\".to_owned(),
        None => ".".to_owned(),
    };
    let row = |name: &str, cells: Vec<String>| {
        cells.iter().fold(format!("{name:<12}"), |row, cell| row + &format!("{cell:>5}"))
    };
    let heading = stages.iter().map(|stage| stage.chars().take(4).collect()).collect();
    let mut lines = vec!["Files of the row's stage that name the column's:".to_owned(), row("", heading)];
    lines.extend(
        stages.iter().enumerate().map(|(from, stage)| row(stage, (0..stages.len()).map(|to| cell(from, to)).collect())),
    );
    let files: usize = arrows.values().map(BTreeSet::len).sum();
    let back = arrows.keys().filter(|(from, to)| from < to).count();
    println!("\n{}\n{} arrows between stages, by {files} files; {back} back\n", lines.join("\n"), arrows.len());
}

fn every_folder_of_src_is_a_stage() {
    let stages = stages();
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(["main", "lib"].contains(&name.as_str()) || stages.contains(&name), "{} is no stage", path.display());
    }
}

/// How many lines `main.rs` may have.
const MAIN: usize = 80;

fn no_file_is_too_long_to_be_read() {
    let lines = |path: &Path| fs::read_to_string(path).unwrap().lines().count();
    let all: Vec<PathBuf> =
        ["src", "tests/it", "benches"].iter().flat_map(|folder| sources(&root().join(folder))).collect();
    assert!(all.len() > 50);
    let long: Vec<String> = all
        .iter()
        .filter(|file| lines(file) > 400)
        .map(|file| format!("{} has {} lines", file.display(), lines(file)))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
    let main = lines(&root().join("src/main.rs"));
    assert!(main <= MAIN, "src/main.rs has {main} lines");
}

/// The code blocks of a document in a language, each without its indentation.
pub fn blocks(document: &str, wanted: &str) -> Vec<String> {
    let text = read(document);
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim().strip_prefix("```") {
            let depth = line.len() - line.trim_start().len();
            let block = lines.by_ref().take_while(|line| line.trim() != "```");
            let block: Vec<&str> = block.map(|line| line.get(depth..).unwrap_or_default()).collect();
            if language == wanted {
                blocks.push(block.join("\n"));
            }
        }
    }
    blocks
}

fn the_settings_table_of_plugin_md_is_the_one_of_the_code() {
    let text = read("plugin.md");
    let (_, section) = text.split_once("\n## Settings\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let is_row = |line: &&str| line.starts_with(['|', '#']);
    let rows: Vec<&str> = section.lines().filter(is_row).collect();
    let mut expected = Vec::new();
    let mut group = None;
    for setting in TABLE {
        if group != Some(setting.group) {
            expected.push(format!("### {}", setting.group.title()));
            expected.extend(["| setting | type | default | meaning |", "|---|---|---|---|"].map(str::to_owned));
            group = Some(setting.group);
        }
        let default = setting.default.words();
        expected.push(format!("| `{}` | {} | {default} | {} |", setting.name, setting.kind, setting.help));
    }
    assert_eq!(rows, expected, "plugin.md needs:\n{}", expected.join("\n"));
}

fn the_documents_stay_short_enough_to_be_read() {
    for (file, lines) in [("README.md", 200), ("plugin.md", 200)] {
        let length = read(file).lines().count();
        assert!(length <= lines, "{file} has {length} lines");
    }
}

/// What removes a status.
const DELETE: &str = r#"curl -X DELETE -H "Authorization: Bearer TOKEN" 'URL/api/status?repo=REPO&server=SERVER'"#;

/// Every line of the documents' shell blocks is run by something else than this test; here stands by what.
fn every_command_of_the_documents_is_known() {
    let known = [
        ("examples/tour.sh", "the first command, which .ci/run runs"),
        ("tests/run.sh", "the second command, which runs this test"),
        ("docker build -t plugin-gitops-status .", ".ci/image builds it, with buildah where there is no docker"),
        ("openssl rand -hex 32 > examples/grafana/token", "the compose file's secret"),
        (
            "docker compose -f examples/grafana/docker-compose.yml up -d",
            "needs Grafana's image and plugin; its parts are tested",
        ),
        ("cd YOUR_REPOSITORY", "the reader's"),
        (
            "ssh-keyscan -t ed25519 web01 > ~/known_hosts && ssh-keygen -lf ~/known_hosts",
            "tests/it/newcomer.rs runs this and the next command against a server that nobody has met",
        ),
        (
            ".../examples/docker-run.sh playbook=site.yml inventory=hosts server_name=web01 dry_run=true \\",
            "the same; tests/it/image.rs runs the script in a container",
        ),
        ("    ssh_private_key=@~/.ssh/KEY ssh_known_hosts=@~/known_hosts", "the same"),
        ("curl -X DELETE http://PUSHGATEWAY:9091/metrics/job/JOB", "Pushgateway's own"),
        (DELETE, "the status server's tests delete like this"),
        (DELETE, "the same"),
    ];
    let users = ["README.md", "plugin.md", "docs/migration.md", "docs/troubleshooting.md"];
    let found: Vec<String> = users
        .iter()
        .flat_map(|document| blocks(document, "sh"))
        .flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(found, known.map(|(command, _)| command));
}

/// What stands in backticks and looks like a path of this repository is one.
fn every_path_of_the_documents_is_there() {
    let folders = ["src/", "tests/", "benches/", "docs/", "examples/", "fuzz/", ".ci/", ".woodpecker/"];
    let mut count = 0;
    for document in pages() {
        let text = read(&document);
        for path in text.split('`').skip(1).step_by(2) {
            let path = path.split([' ', '#']).next().unwrap();
            let is_path = folders.iter().any(|folder| path.starts_with(folder)) && !path.contains(['*', '<', '$', 'N']);
            if is_path {
                assert!(root().join(path).exists(), "{document} names {path}, which is not there");
                count += 1;
            }
        }
    }
    assert!(count > 15, "only {count} paths were found");
}

/// For this reason deny.toml allows a version of `time` whose parser of dates can be made to overflow the stack.
fn the_parser_of_dates_with_a_known_fault_is_not_built() {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(root()).args(["tree", "--locked", "--offline", "--package", env!("CARGO_PKG_NAME")]);
    tree.args(["--edges", "normal,build", "--prefix", "none", "--format", "{p} {f}"]);
    let tree = succeeded(&mut tree).stdout;
    let mut features = tree.lines().filter_map(|line| line.strip_prefix("time v")?.split_once(' '));
    // Without `time`, deny.toml needs no exception.
    let (version, features) = features.next().unwrap();
    assert!(!features.split(',').any(|feature| feature == "parsing"), "time {version} is built with {features}");
    // The status server parses dates, and in another form.
    let server = sources(&root().join("examples/status-server/src"));
    for file in server {
        assert!(!fs::read_to_string(&file).unwrap().contains("Rfc2822"), "{}", file.display());
    }
}
