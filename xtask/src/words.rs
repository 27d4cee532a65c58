//! Holds code, comments, documentation and the API document to the terms of docs/GLOSSARY.md.

mod problem;
mod table;
mod texts;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::places::Places;
use crate::run::answer;
use crate::source::lexer::{Kind, pieces};
use crate::source::{self, code_names};
use crate::words::problem::Problem;
use crate::words::table::{Find, RETIRED, Retired};

/// Files of these kinds are read.
const EXTENSIONS: &[&str] = &["rs", "md", "json", "proto", "sql", "toml", "snap", "py"];

/// Files that name retired words on purpose: this gate, and the records of old names.
const NAMES_THEM: &[&str] = &[
    "xtask/src/words",
    "docs/GLOSSARY.md",
    "crates/locule-http/src/spec/language.rs",
    // Figures that `make bench` wrote, with the texts of their day.
    "docs/PERFORMANCE.md",
];

/// Fails with every retired word and every text that does not name its subject.
pub(crate) fn check(places: &Places) -> Result<()> {
    let problems = problems(&places.root)?;
    if problems.is_empty() {
        return Ok(());
    }
    for problem in &problems {
        answer(format_args!("{problem}"))?;
    }
    bail!("{} retired words and unclear texts", problems.len());
}

/// Prints how many problems each crate has.
pub(crate) fn count(places: &Places) -> Result<()> {
    let mut counts = BTreeMap::<String, usize>::new();
    for problem in problems(&places.root)? {
        let parts = problem.file.split('/').take(2);
        *counts
            .entry(parts.collect::<Vec<_>>().join("/"))
            .or_default() += 1;
    }
    for (part, count) in counts {
        answer(format_args!("{count:>5} {part}"))?;
    }
    Ok(())
}

fn problems(root: &Path) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for path in source::files(root, EXTENSIONS)? {
        let file = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .display()
            .to_string();
        if NAMES_THEM.iter().any(|one| file.starts_with(one)) {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| file.clone())?;
        problems.extend(retired(&file, &text, RETIRED));
        if Path::new(&file).extension().is_some_and(|end| end == "rs") {
            problems.extend(texts::of_source(&file, &text)?);
        } else if file == "openapi/public.json" {
            problems.extend(texts::of_document(&file, &text)?);
        }
    }
    Ok(problems)
}

/// The retired words of one file.
fn retired(file: &str, text: &str, table: &[Retired]) -> Vec<Problem> {
    let is_rust = Path::new(file).extension().is_some_and(|end| end == "rs");
    let rows: Vec<_> = table
        .iter()
        .filter(|row| row.only_in.is_empty() || row.only_in.iter().any(|one| file.starts_with(one)))
        .collect();
    let lines: Vec<&str> = text.lines().collect();
    let mut problems = Vec::new();
    let mut found = |row: &Retired, line: usize, word: &str| {
        let shown = lines.get(line - 1).copied().unwrap_or_default();
        if is_title(file, shown) {
            return;
        }
        if !row.except.iter().any(|one| shown.contains(one)) {
            let (file, found, say) = (file.to_owned(), word.to_owned(), row.say.to_owned());
            problems.push(Problem {
                file,
                line,
                found,
                say,
            });
        }
    };
    if is_rust {
        let mut before = "";
        for (name, line) in code_names(text) {
            let declares = ["struct", "enum", "trait", "type", "union"].contains(&before);
            for row in &rows {
                let is_retired = match row.find {
                    Find::Name(one) => one == name,
                    Find::Type(one) => one == name && declares,
                    Find::Words(_) => false,
                };
                if is_retired {
                    found(row, line, name);
                }
            }
            before = name;
        }
    }
    let mut phrases: BTreeMap<&str, Vec<(&Retired, Vec<&str>)>> = BTreeMap::new();
    for row in rows {
        if let Find::Words(phrase) = row.find {
            let phrase: Vec<_> = phrase.split(' ').collect();
            phrases.entry(phrase[0]).or_default().push((row, phrase));
        }
    }
    let read = words_of(text, is_rust);
    for (at, (first, line)) in read.iter().enumerate() {
        for (row, phrase) in phrases.get(first.as_str()).into_iter().flatten() {
            let here = read[at..].iter().map(|(word, _)| word.as_str());
            if here.take(phrase.len()).eq(phrase.iter().copied()) {
                found(row, *line, &phrase.join(" "));
            }
        }
    }
    problems.sort_by_key(|problem| problem.line);
    problems
}

/// The title of an accepted decision stays, here and in the table of decisions.
fn is_title(file: &str, line: &str) -> bool {
    file.starts_with("docs/adr/") && (line.starts_with("# 0") || line.starts_with("| 0"))
}

/// Every word of a text in lower case with its line, identifiers taken apart. A sentence's end is a word of its own, so that no
/// phrase reaches across it; nor from code into a comment.
fn words_of(text: &str, is_rust: bool) -> Vec<(String, usize)> {
    let mut words = Vec::new();
    if is_rust {
        for piece in pieces(text) {
            split(piece.text, piece.line, piece.kind == Kind::Code, &mut words);
            if piece.kind != Kind::Comment && !piece.text.trim().is_empty() {
                words.push((".".to_owned(), piece.line));
            }
        }
    } else {
        split(text, 1, false, &mut words);
    }
    words
}

fn split(text: &str, first_line: usize, is_code: bool, words: &mut Vec<(String, usize)>) {
    for (line, number) in text.split('\n').zip(first_line..) {
        let mut word = String::new();
        let mut before = ' ';
        for c in line.chars().chain(['\n']) {
            let is_end = !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase());
            if is_end && !word.is_empty() {
                words.push((std::mem::take(&mut word), number));
            }
            if c.is_alphanumeric() {
                word.extend(c.to_lowercase());
            } else if matches!(c, '.' | ';' | ':' | ',' | '(' | ')' | '|' | '{' | '}')
                || (is_code && c != '_' && c != '\n')
            {
                words.push((".".to_owned(), number));
            }
            before = c;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str, text: &str) -> Vec<String> {
        retired(file, text, RETIRED)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_retired_word_is_found_in_prose_with_its_line_and_its_replacement() {
        assert_eq!(
            found(
                "docs/x.md",
                "A fine line.\nThe Golden\u{20}image of a template."
            ),
            ["docs/x.md:2: `golden image`: say template snapshot"]
        );
    }

    #[test]
    fn a_phrase_is_found_in_identifiers_and_over_the_end_of_a_comment_line() {
        let text = "fn golden_image() {}\nstruct GoldenImage;\n// from a golden\n// image\n";
        let lines: Vec<_> = retired("crates/a/src/b.rs", text, RETIRED)
            .into_iter()
            .map(|problem| problem.line)
            .collect();
        assert_eq!(lines, [1, 2, 3]);
    }

    #[test]
    fn a_part_of_a_word_is_not_the_word() {
        assert!(found("docs/x.md", "The tombstone of a classroom; a golden file.").is_empty());
    }

    #[test]
    fn a_type_is_retired_where_it_is_declared_in_its_own_crates() {
        let text = "struct Guest;\nstruct GuestState;\n// Guest\nconst T: &str = \"Guest\";";
        assert_eq!(found("crates/locule-guest/src/a.rs", text).len(), 1);
        assert!(found("crates/locule-http/src/a.rs", text).is_empty());
    }

    #[test]
    fn a_name_is_retired_as_a_whole_identifier() {
        let text = "fn f() { look_at_the_clocks(); }\n// memory_mb\nfn g(memory_mb: u32, memory_mb_max: u32) {}";
        assert_eq!(found("crates/locule-domain/src/a.rs", text).len(), 3);
        assert_eq!(found("crates/locule-api/src/a.rs", text).len(), 2);
    }

    #[test]
    fn a_wire_word_is_allowed() {
        assert!(found("docs/x.md", "The reason is `image_lost`.").is_empty());
        assert_eq!(found("docs/x.md", "The image lost its host.").len(), 1);
    }
}
