//! Texts that people read without their surroundings: errors, log messages, summaries of the API document. Each names its subject.

use anyhow::{Context as _, Result};
use proc_macro2::{TokenStream, TokenTree};
use serde_json::Value;
use syn::visit::{self, Visit};

use crate::source::{is_for_tests, item_attributes};
use crate::words::problem::Problem;

/// No text begins with one of these.
const PRONOUNS: &[&str] = &[
    "he",
    "her",
    "his",
    "i",
    "it",
    "its",
    "one",
    "she",
    "their",
    "them",
    "they",
    "we",
    "what",
    "whatever",
    "which",
    "who",
    "you",
    "anybody",
    "everybody",
    "everything",
    "nobody",
    "nothing",
    "somebody",
    "someone",
    "something",
    "whoever",
];
/// No text contains one of these.
const NO_NOUN: &[&str] = &["who", "whoever", "somebody", "nobody"];
/// The macros whose last text is a message.
const MESSAGES: &[&str] = &["debug", "error", "info", "trace", "warn", "bail", "anyhow"];

/// What is wrong with the error texts and log messages of a Rust file.
pub(super) fn of_source(file: &str, text: &str) -> Result<Vec<Problem>> {
    let parsed = syn::parse_file(text).with_context(|| file.to_owned())?;
    let mut found = Found::default();
    found.visit_file(&parsed);
    let problems = found.texts.into_iter();
    Ok(problems
        .filter_map(|(text, line)| problem(file, line, &text))
        .collect())
}

/// What is wrong with the summaries of an `OpenAPI` document.
pub(super) fn of_document(file: &str, text: &str) -> Result<Vec<Problem>> {
    let document: Value = serde_json::from_str(text).with_context(|| file.to_owned())?;
    let paths = document["paths"].as_object().context("no paths")?;
    let operations = paths.values().filter_map(Value::as_object).flatten();
    let summaries = operations.filter_map(|(_, operation)| operation["summary"].as_str());
    Ok(summaries
        .filter_map(|summary| {
            let line = text
                .lines()
                .position(|line| line.contains(&format!("\"summary\": \"{summary}\"")));
            problem(file, line.map_or(1, |at| at + 1), summary)
        })
        .collect())
}

fn problem(file: &str, line: usize, text: &str) -> Option<Problem> {
    let mut words = text
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase);
    let first = words.next()?;
    // A placeholder stands for a noun.
    let begins = !text.starts_with('{') && PRONOUNS.contains(&first.as_str());
    let vague = std::iter::once(first)
        .chain(words)
        .any(|word| NO_NOUN.contains(&word.as_str()));
    (begins || vague).then(|| Problem {
        file: file.to_owned(),
        line,
        found: text.to_owned(),
        say: "the noun".to_owned(),
    })
}

#[derive(Default)]
struct Found {
    texts: Vec<(String, usize)>,
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(item_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("error")
            && let Ok(list) = attribute.meta.require_list()
        {
            self.texts.extend(first_text(list.tokens.clone()));
        }
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let last = item.path.segments.last().map(|one| one.ident.to_string());
        if last.is_some_and(|last| MESSAGES.contains(&last.as_str())) {
            self.texts.extend(message(item.tokens.clone()));
        }
    }
}

fn text_of(token: &TokenTree) -> Option<(String, usize)> {
    let TokenTree::Literal(literal) = token else {
        return None;
    };
    let line = literal.span().start().line;
    let text: syn::LitStr = syn::parse_str(&literal.to_string()).ok()?;
    Some((text.value(), line))
}

fn first_text(tokens: TokenStream) -> Option<(String, usize)> {
    tokens.into_iter().next().as_ref().and_then(text_of)
}

/// The text of a message: the first one that begins an argument, which the value of a field does not.
fn message(tokens: TokenStream) -> Option<(String, usize)> {
    let mut begins = true;
    for token in tokens {
        if begins && let Some(found) = text_of(&token) {
            return Some(found);
        }
        begins = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',');
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let found = of_source("a.rs", text).unwrap();
        found.into_iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn an_error_text_names_its_subject() {
        let text = "enum E {\n#[error(\"it is not there\")]\nA,\n#[error(\"no host is free\")]\nB,\n#[error(\"the user who asked is gone\")]\nC,\n#[error(\"{0}\")]\nD }";
        assert_eq!(lines(text), [2, 6]);
    }

    #[test]
    fn a_log_message_names_its_subject_whatever_its_fields_say() {
        let text = "fn f() {\ntracing::warn!(name = \"it\", \"its host does not answer\");\ntracing::info!(%id, reason = \"who\", \"sandbox paused\");\nanyhow::bail!(\"nobody asked\");\n}";
        assert_eq!(lines(text), [2, 4]);
    }

    #[test]
    fn a_summary_names_its_subject() {
        let text = "{ \"paths\": { \"/a\": { \"get\": {\n\"summary\": \"Look at a team and who is in it\" } }, \"/b\": { \"get\": { \"summary\": \"Get a team\" } } } }";
        let found = of_document("a.json", text).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 2);
    }
}
