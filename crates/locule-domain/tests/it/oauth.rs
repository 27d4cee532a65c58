//! Cookies are anybody's bytes: laws, not cases.

use locule_domain::oauth::{ConnectCookie, Intent, StateCookie, nonce};
use locule_ids::{SessionId, UserId};
use proptest::prelude::*;

fn any_mac() -> impl Strategy<Value = String> {
    "[0-9a-f]{64}"
}

proptest! {
    #[test]
    fn a_state_is_read_as_it_is_written(ends_at: u64, random: u128, mac in any_mac(), at in 0..Intent::ALL.len()) {
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

    /// There is one way to write each, and anything else is refused.
    #[test]
    fn what_is_read_is_a_state_and_anything_else_is_none(
        text in r".{0,200}|[0-9a-f]{47,49}:[0-9a-f]{63,65}:(login|signup|connect|Login|)(:.?)?",
    ) {
        if let Some(cookie) = StateCookie::parse(&text) {
            prop_assert_eq!(cookie.to_string(), text);
        }
    }

    /// Wherever one letter is another, it is refused, or says so.
    #[test]
    fn no_two_texts_are_one_state(random: u128, mac in any_mac(), at in 0_usize..119, letter in any::<char>()) {
        let nonce = nonce(1, random);
        let text = format!("{nonce}:{mac}:login");
        let changed: String = text.chars().enumerate().map(|(place, old)| if place == at { letter } else { old }).collect();
        prop_assert_eq!(StateCookie::parse(&changed) == StateCookie::parse(&text), changed == text);
    }
}
