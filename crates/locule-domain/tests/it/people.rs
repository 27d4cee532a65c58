//! What people, teams and keys may be called: laws, not cases.

use locule_domain::people::{email, key_name, like_literal, person_name, search_prefix, team_name};
use proptest::prelude::*;

/// What `LIKE` takes for itself, read back: `None` where something still means something.
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
    fn whatever_is_typed_means_itself(text in r"[a-z%_\\@.]{0,40}|\PC{0,40}") {
        prop_assert_eq!(read_literal(&like_literal(&text)), Some(text));
    }

    #[test]
    fn what_was_let_in_is_let_in_again_and_stays_as_it_is(text in r"\PC{0,60}|.{0,300}|[a-zA-Z@ _'-]{0,20}") {
        for rule in [email, person_name, team_name, key_name, search_prefix] {
            if let Ok(kept) = rule(&text) {
                prop_assert_eq!(rule(&kept), Ok(kept.clone()));
                prop_assert!(!kept.contains('\0') && kept.len() <= 400, "{:?}", kept);
            }
        }
    }

    /// B-140.
    #[test]
    fn a_team_is_called_anything_of_its_letters(name in r"[A-Za-z0-9_\-@'][A-Za-z0-9 _\-@']{0,126}[A-Za-z0-9_\-@']") {
        prop_assert_eq!(team_name(&name), Ok(name));
    }
}
