//! Ids are parsed from URLs, host names, headers and messages, which an attacker controls (B-007, W-030).

use locule_fuzz::fuzz;
use locule_ids::{ParseIdError, SandboxId, TeamId};

#[test]
fn a_text_that_parses_as_an_id_prints_as_an_id() {
    let seeds = [
        "sb-6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "cl-6dfzh5ik5uxynzmlf5cshamdk",
        "sb-f5lxx1zz5pnorynqglhzmsp33",
        "6dfzh5ik5uxynzmlf5cshamdk",
        "team-00000000-0000-0000-0000-000000000000",
    ];
    fuzz(&seeds, |input| {
        let text = String::from_utf8_lossy(input);
        let parsed: Result<SandboxId, ParseIdError> = text.parse();
        if let Ok(id) = parsed {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(SandboxId::from_base36(&id.base36()), Ok(id));
        }
        let bare = SandboxId::from_base36(&text);
        if let Ok(id) = bare {
            assert_eq!(id.base36(), text);
        }
        (
            parsed.is_ok(),
            bare.is_ok(),
            text.parse::<TeamId>().is_ok(),
            text.len() / 8,
        )
    });
}
