//! The pages for users: what they quote is what the program says, and where they point there is something.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use plugin_gitops_status::{Failure, FailureKind, Peer, Progress, messages::progress};

use crate::harness::suite::{Suite, suite};
use crate::harness::{read, root};
use crate::tidy::blocks;

pub fn suite() -> Suite {
    suite!(
        "pages",
        [],
        what_the_pages_say_of_a_failed_delivery_is_what_the_log_says,
        every_sentence_that_the_pages_quote_is_one_of_the_programs,
        every_link_of_a_page_leads_somewhere,
        plugin_md_needs_no_other_file,
        each_step_of_the_pages_says_when_it_runs_and_knows_its_hosts,
    )
}

/// The page that lists what the log may say.
const TROUBLESHOOTING: &str = "docs/troubleshooting.md";

/// Every page that a user or a contributor reads.
pub fn pages() -> Vec<String> {
    let mut pages: Vec<String> =
        ["README.md", "plugin.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(str::to_owned).to_vec();
    let entries = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| format!("docs/{}", name.into_string().unwrap()));
    pages.extend(names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md")));
    pages.extend(["examples/grafana/README.md", "examples/status-server/README.md"].map(str::to_owned));
    pages.sort();
    pages
}

fn what_the_pages_say_of_a_failed_delivery_is_what_the_log_says() {
    use FailureKind::{Certificate, Connection, Dns, Handshake, Protocol, Status, Timeout};
    let page = read(TROUBLESHOOTING);
    for kind in [
        Dns,
        Connection,
        Timeout,
        Certificate,
        Handshake,
        Protocol,
        Status(302),
        Status(400),
        Status(401),
        Status(404),
        Status(422),
        Status(503),
    ] {
        let failure = Failure { kind, peer: Peer::StatusServer, cause: "why".to_owned(), retry_after: None };
        let undelivered = Progress::Undelivered { server: None, failure: &failure, attempts: 1 };
        let lines: Vec<String> = progress(&undelivered).iter().map(|line| line.painted(false)).collect();
        let said = lines[0].strip_prefix("cannot deliver the status: ").unwrap();
        let symptom = said.split([':', '(']).next().unwrap().trim();
        let row = format!("| `{symptom}` | {} |", lines[1].trim().strip_prefix("hint: check ").unwrap());
        assert!(page.contains(&row), "{TROUBLESHOOTING} needs {row}");
    }
}

/// A heading in backticks is a sentence of the log, or a part of one. Every sentence of the plugin is in `tests/golden`.
fn every_sentence_that_the_pages_quote_is_one_of_the_programs() {
    let goldens = fs::read_dir(root().join("tests/golden")).unwrap().map(|entry| entry.unwrap().path());
    let answers = [
        root().join("examples/status-server/src/http/post.rs"),
        root().join("examples/status-server/src/store/write.rs"),
    ];
    let words: String = goldens.chain(answers).map(|file| fs::read_to_string(file).unwrap()).collect();
    let page = read(TROUBLESHOOTING);
    let quoted: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    assert!(quoted.len() > 15, "{quoted:?}");
    for sentence in quoted {
        assert!(words.contains(sentence), "nothing that the programs say is: {sentence}");
    }
}

/// The targets of a page's links, without those of code.
fn links(page: &str) -> Vec<String> {
    let mut in_block = false;
    let text: String = read(page)
        .lines()
        .filter(|line| {
            in_block ^= line.trim_start().starts_with("```");
            !in_block
        })
        .map(|line| line.to_owned() + "\n")
        .collect();
    let links = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()));
    links.filter(|link| !link.starts_with("http")).collect()
}

/// The anchors of a page's headings, as forges make them.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(page).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

fn every_link_of_a_page_leads_somewhere() {
    let mut count = 0;
    for page in pages() {
        let folder: PathBuf = root().join(&page).parent().unwrap().to_owned();
        for link in links(&page) {
            let (path, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() { root().join(&page) } else { folder.join(path) };
            assert!(target.exists(), "{page} links to {link}, which is not there");
            if let Some(anchor) = anchor {
                assert!(anchors(&target).contains(anchor), "{page} links to {link}, which is no heading there");
            }
            count += 1;
        }
    }
    assert!(count > 30, "only {count} links were found");
}

/// The plugin index shows it alone.
fn plugin_md_needs_no_other_file() {
    assert_eq!(links("plugin.md"), Vec::<String>::new());
}

fn each_step_of_the_pages_says_when_it_runs_and_knows_its_hosts() {
    let mut count = 0;
    for page in pages() {
        for block in blocks(&page, "yaml").iter().filter(|block| block.contains("steps:")) {
            assert!(block.contains("when:"), "{page} has a step without `when`:\n{block}");
            let has_key = block.contains("ssh_private_key:");
            assert!(!has_key || block.contains("ssh_known_hosts:"), "{page} has a step without known hosts:\n{block}");
            count += 1;
        }
    }
    assert!(count > 4, "only {count} steps were found");
}
