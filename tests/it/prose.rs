//! How the pages and the log are written, as far as a program can tell: no sentence is too long to be read aloud, and no
//! word stands there that the field does not use. No linter of prose is used for it: those that are well kept come as
//! a program of their own from elsewhere, or with a language of their own.

use std::fs;

use crate::harness::suite::{Suite, suite};
use crate::harness::{read, root};
use crate::pages::pages;

pub fn suite() -> Suite {
    suite!(
        "prose",
        [],
        no_sentence_of_the_pages_is_too_long,
        the_pages_and_the_log_use_the_words_of_the_field,
        sentences_are_told_apart,
    )
}

/// How many words a sentence may have; code in backticks counts as one.
const LONGEST: usize = 35;

/// Words that nobody in the field uses, and what they stand for: drift, a reason, an exception, a failure.
const NOT_USED: [&str; 19] = [
    "anew",
    "basically",
    "believe",
    "claim",
    "claimed",
    "claims",
    "courier",
    "janitor",
    "likewise",
    "mend",
    "mended",
    "merely",
    "obviously",
    "simply",
    "spoils",
    "testimony",
    "vouch",
    "vouches",
    "witness",
];

/// A page that a program writes.
const GENERATED: &str = "docs/check-mode.md";

/// The paragraphs, items and cells of a page, each in one line and with every piece of code as one word.
fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    let mut in_block = false;
    for line in text.lines().map(str::trim) {
        let fence = line.starts_with("```");
        in_block ^= fence;
        if in_block || fence || line.is_empty() || line.starts_with(['#', '!']) {
            paragraphs.push(String::new());
        } else if line.starts_with('|') {
            paragraphs.extend(line.split('|').map(|cell| cell.trim().to_owned()));
            paragraphs.push(String::new());
        } else {
            let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
            let item = line.strip_prefix("- ").or_else(|| number.strip_prefix(". ").filter(|_| number != line));
            if item.is_some() {
                paragraphs.push(String::new());
            }
            let last = paragraphs.len() - 1;
            paragraphs[last] += item.unwrap_or(line);
            paragraphs[last].push(' ');
        }
    }
    paragraphs.iter().map(|paragraph| without_code(paragraph)).filter(|paragraph| !paragraph.is_empty()).collect()
}

/// A text with `X` in the place of each piece of code and each address.
fn without_code(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    let text: String = pieces.map(|(number, piece)| if number % 2 == 0 { piece } else { "X" }).collect();
    let text = text.replace("**", "");
    let mut links = text.split("](");
    let first = links.next().unwrap_or_default().to_owned();
    links.fold(first, |text, rest| text + "]" + rest.split_once(')').map_or("", |(_, after)| after)).trim().to_owned()
}

/// The sentences of a paragraph.
fn sentences(paragraph: &str) -> Vec<&str> {
    paragraph.split_inclusive(['.', '?', '!']).fold(Vec::new(), |mut sentences: Vec<&str>, part| {
        let begins = part.starts_with(' ') && part.trim_start().starts_with(|c: char| !c.is_lowercase());
        match sentences.last_mut() {
            Some(last) if !begins => {
                // The parts lie side by side in the paragraph.
                let start = last.as_ptr() as usize - paragraph.as_ptr() as usize;
                *last = &paragraph[start..start + last.len() + part.len()];
            }
            _ => sentences.push(part),
        }
        sentences
    })
}

fn no_sentence_of_the_pages_is_too_long() {
    let mut count = 0;
    let mut long = Vec::new();
    for page in pages().iter().filter(|page| *page != GENERATED) {
        for paragraph in paragraphs(&read(page)) {
            for sentence in sentences(&paragraph) {
                let words = sentence.split_whitespace().count();
                count += 1;
                if words > LONGEST {
                    long.push(format!("{page} has a sentence of {words} words: {}", sentence.trim()));
                }
            }
        }
    }
    assert!(count > 500, "only {count} sentences were found");
    assert!(long.is_empty(), "{long:#?}");
}

fn the_pages_and_the_log_use_the_words_of_the_field() {
    let logs = fs::read_dir(root().join("tests/golden")).unwrap();
    let logs = logs.map(|entry| format!("tests/golden/{}", entry.unwrap().file_name().into_string().unwrap()));
    let texts = pages().into_iter().filter(|page| page != GENERATED).chain(logs);
    let mut found = Vec::new();
    for file in texts {
        for line in read(&file).lines() {
            let line = without_code(line).to_lowercase();
            let mut words = line.split(|c: char| !c.is_alphabetic());
            found.extend(words.find(|word| NOT_USED.contains(word)).map(|word| format!("{file} says {word}: {line}")));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

fn sentences_are_told_apart() {
    let page = "# Heading\n\nOne sentence, with `code. Here`. Another\none of plugin.md.\n\n- an item\n- [a link](to. It)\n\n\
                ```\ncode. Code\n```\n\n| cell | Another cell. |\n|---|---|\n";
    let paragraphs = paragraphs(page);
    let sentences: Vec<Vec<&str>> = paragraphs.iter().map(|paragraph| sentences(paragraph)).collect();
    assert_eq!(sentences[0], ["One sentence, with X.", " Another one of plugin.md."]);
    assert_eq!(paragraphs[1..5], ["an item", "[a link]", "cell", "Another cell."]);
}
