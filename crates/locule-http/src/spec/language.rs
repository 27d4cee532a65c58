//! The language of the API's texts: the OpenAPI document and `docs/ERRORS.md`.

use serde_json::Value;

/// Every verb with which a summary begins. A summary reads like "Create a sandbox".
const VERBS: &str = "Accept Activate Add Attach Change Complete Connect Create Delete Destroy Drain Enable End Extend Follow Get Import Invite Kill Leave Link \
    List Log Move Pause Preview Read Refresh Register Remove Rename Renew Request Reset Resume Revoke Run Search Send Set Sign Start Switch Write";
const SUMMARY_CHARS_MAX: usize = 50;
/// Words that stand for a noun: a text that begins with one does not name its subject.
const PRONOUNS: &str = "he her here hers his how i it its my one our she some that their them there these they this those we \
    what whatever where which whichever whose why you your";
/// Words that name no subject, wherever they are in a text.
const NOBODY: &str = "anybody everybody nobody somebody someone who whoever whom";

fn is_in(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|listed| listed == word)
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|char: char| !char.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// What is wrong with the language of a text.
fn fault(text: &str) -> Option<String> {
    if let Some(word) = words(text).find(|word| is_in(NOBODY, word)) {
        return Some(format!("contains \"{word}\""));
    }
    let first = words(text).next()?;
    is_in(PRONOUNS, &first).then(|| format!("begins with \"{first}\""))
}

fn summary_fault(summary: &str) -> Option<String> {
    let (verb, _) = summary.split_once(' ').unwrap_or((summary, ""));
    if !is_in(VERBS, verb) {
        return Some(format!("begins with \"{verb}\", which is not in VERBS"));
    }
    if summary.ends_with('.') || summary.chars().count() > SUMMARY_CHARS_MAX {
        return Some("ends with a full stop or is too long".to_owned());
    }
    None
}

/// Calls `visit` with the place, the key and the text of every `summary` and `description` in the document.
fn texts(value: &Value, place: &str, visit: &mut impl FnMut(&str, &str, &str)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let ("summary" | "description", Value::String(text)) = (name.as_str(), value) {
                    visit(place, name, text);
                } else {
                    texts(value, &format!("{place}/{name}"), visit);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, place, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn summaries_begin_with_a_verb_and_every_text_names_its_subject() {
    let document = serde_json::to_value(super::document()).unwrap();
    let mut faults = Vec::new();
    let mut seen = 0;
    texts(&document, "", &mut |place, key, text| {
        seen += 1;
        let summary = (key == "summary").then(|| summary_fault(text)).flatten();
        for fault in summary.into_iter().chain(fault(text)) {
            faults.push(format!("{place}: {fault}: {text}"));
        }
    });
    assert!(seen > 500, "{seen}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_page_of_error_codes_names_the_subject_of_every_text() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ERRORS.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut codes = 0;
    for line in page.lines() {
        let text = if let Some(row) = line.strip_prefix("| `") {
            codes += 1;
            row.split('|').nth(2).unwrap()
        } else if let Some(item) = line.strip_prefix("- `") {
            item.split_once(": ").unwrap().1
        } else {
            // A line of a paragraph begins anywhere in a sentence.
            assert!(!words(line).any(|word| is_in(NOBODY, &word)), "{line}");
            continue;
        };
        assert_eq!(fault(text), None, "{line}");
    }
    assert!(codes > 30, "{codes}");
}

#[test]
fn faults_are_found_as_whole_words_whatever_their_case() {
    assert_eq!(fault("Gets the team that owns the whole sandbox."), None);
    for wrong in ["It is gone.", "ONE of them", "The user WHO asked"] {
        assert!(fault(wrong).is_some(), "{wrong}");
    }
    assert_eq!(summary_fault("Get a team"), None);
    for wrong in ["Get a team.", "Look at a team", "Teams"] {
        assert!(summary_fault(wrong).is_some(), "{wrong}");
    }
}
