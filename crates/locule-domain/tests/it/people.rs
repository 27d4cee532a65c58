//! The rules for names and addresses: laws, not cases.

use locule_domain::people::{email, key_name, like_literal, person_name, search_prefix, team_name};
use proptest::prelude::*;

/// The text that a `LIKE` pattern matches literally; `None` if the pattern contains a wildcard.
fn read_literal(pattern: &str) -> Option<String> {
    let (mut text, mut letters) = (String::new(), pattern.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '%' | '_' => return None,
            '\\' => text.push(letters.next()?),
            letter => text.push(letter),
        }
    }
    Some(text)
}

proptest! {
    /// B-040.
    #[test]
    fn a_literal_pattern_matches_exactly_its_text(text in r"[a-z%_\\@.]{0,40}|\PC{0,40}") {
        prop_assert_eq!(read_literal(&like_literal(&text)), Some(text));
    }

    #[test]
    fn a_valid_text_stays_valid_and_unchanged(text in r"\PC{0,60}|.{0,300}|[a-zA-Z@ _'-]{0,20}") {
        for rule in [email, person_name, team_name, key_name, search_prefix] {
            if let Ok(kept) = rule(&text) {
                prop_assert_eq!(rule(&kept), Ok(kept.clone()));
                prop_assert!(!kept.contains('\0') && kept.len() <= 400, "{:?}", kept);
            }
        }
    }

    /// B-140.
    #[test]
    fn a_team_name_of_allowed_characters_is_valid(name in r"[A-Za-z0-9_\-@'][A-Za-z0-9 _\-@']{0,126}[A-Za-z0-9_\-@']") {
        prop_assert_eq!(team_name(&name), Ok(name));
    }
}
