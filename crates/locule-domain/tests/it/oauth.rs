//! Parsing of the sign-in cookies, which an attacker can set to any bytes: laws, not cases.

use locule_domain::oauth::{ConnectCookie, Intent, StateCookie, nonce};
use locule_ids::{SessionId, UserId};
use proptest::prelude::*;

fn any_mac() -> impl Strategy<Value = String> {
    "[0-9a-f]{64}"
}

proptest! {
    #[test]
    fn a_printed_cookie_parses_to_the_same_cookie(ends_at: u64, random: u128, mac in any_mac(), at in 0..Intent::ALL.len()) {
        let (nonce, intent) = (nonce(ends_at, random), Intent::ALL[at]);
        let cookie = StateCookie { nonce: &nonce, mac: &mac, intent };
        let text = cookie.to_string();
        prop_assert_eq!(StateCookie::parse(&text), Some(cookie));
        prop_assert_eq!(cookie.ends_at(), ends_at);
        let (user, session) = (UserId::random(), SessionId::random());
        let connect = ConnectCookie { user, session, mac: &mac };
        let written = connect.to_string();
        prop_assert_eq!(ConnectCookie::parse(&written), Some(connect));
        prop_assert_eq!(ConnectCookie::parse(&text), None);
    }

    /// Each cookie has one text; every other text is refused.
    #[test]
    fn a_text_that_parses_is_the_text_that_the_cookie_prints(
        text in r".{0,200}|[0-9a-f]{47,49}:[0-9a-f]{63,65}:(login|signup|connect|Login|)(:.?)?",
    ) {
        if let Some(cookie) = StateCookie::parse(&text) {
            prop_assert_eq!(cookie.to_string(), text);
        }
    }

    /// A text with one changed letter is refused, or parses to another cookie.
    #[test]
    fn two_different_texts_never_parse_to_the_same_cookie(random: u128, mac in any_mac(), at in 0_usize..119, letter in any::<char>()) {
        let nonce = nonce(1, random);
        let text = format!("{nonce}:{mac}:login");
        let changed: String = text.chars().enumerate().map(|(place, old)| if place == at { letter } else { old }).collect();
        prop_assert_eq!(StateCookie::parse(&changed) == StateCookie::parse(&text), changed == text);
    }
}
