//! The signed cookies that the browser keeps while the person is at the provider. A cookie of another origin or an expired one is
//! refused.
//!
//! Everything is derived from the nonce and the secret that signs login tokens; nothing is stored. The nonce travels as `state` and
//! in a cookie of the browser that began. A link that an attacker prepared is therefore refused on return; otherwise it would log
//! its victim in to the attacker's account.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use locule_domain::oauth::{ConnectCookie, Intent, StateCookie};
use locule_ids::{SessionId, UserId};
use sha2::{Digest as _, Sha256};

use crate::secrets::keyed;

/// The time that a person has to log in at the provider.
pub const STATE_SECONDS: u64 = 600;

/// Separates the messages of each purpose from each other and from login tokens.
#[derive(Clone, Copy)]
enum Purpose {
    State,
    Connect,
    Verifier,
}

/// Signs and reads the cookies with the platform's secret.
#[derive(Clone, Copy)]
pub(super) struct States<'a>(pub(super) &'a [u8]);

/// The state of a new sign-in.
pub(super) struct NewState {
    pub(super) nonce: String,
    pub(super) cookie: String,
    /// The provider compares the verifier with it, so that an intercepted code is useless (PKCE).
    pub(super) challenge: String,
}

/// A state that this platform signed and that has not expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) nonce: String,
    pub(super) intent: Intent,
}

fn seconds(time: DateTime<Utc>) -> u64 {
    time.timestamp().max(0).unsigned_abs()
}

impl States<'_> {
    fn mac(self, purpose: Purpose, nonce: &str, of: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = keyed(self.0);
        mac.update(match purpose {
            Purpose::State => b"oauth state\0",
            Purpose::Connect => b"oauth connect\0",
            Purpose::Verifier => b"oauth verifier\0",
        });
        // The nonce has a fixed length.
        mac.update(nonce.as_bytes());
        for part in of {
            mac.update(part);
        }
        mac
    }

    pub(super) fn begin(self, intent: Intent, now: DateTime<Utc>, random: u128) -> NewState {
        let nonce = locule_domain::oauth::nonce(seconds(now) + STATE_SECONDS, random);
        let mac = self.mac(Purpose::State, &nonce, &[intent.as_str().as_bytes()]);
        let mac = &hex::encode(mac.finalize().into_bytes());
        let cookie = StateCookie {
            nonce: &nonce,
            mac,
            intent,
        };
        let challenge = Sha256::digest(self.verifier(&nonce));
        NewState {
            cookie: cookie.to_string(),
            challenge: URL_SAFE_NO_PAD.encode(challenge),
            nonce,
        }
    }

    /// Proves to the provider that the code is exchanged by the side that requested it.
    pub(super) fn verifier(self, nonce: &str) -> String {
        let mac = self.mac(Purpose::Verifier, nonce, &[]);
        hex::encode(mac.finalize().into_bytes())
    }

    pub(super) fn read(self, cookie: &str, now: DateTime<Utc>) -> Option<State> {
        let cookie = StateCookie::parse(cookie)?;
        let shown = hex::decode(cookie.mac).ok()?;
        let intent = cookie.intent.as_str().as_bytes();
        let mac = self.mac(Purpose::State, cookie.nonce, &[intent]);
        // `verify_slice` compares in constant time.
        mac.verify_slice(&shown).ok()?;
        (seconds(now) < cookie.ends_at()).then(|| State {
            nonce: cookie.nonce.to_owned(),
            intent: cookie.intent,
        })
    }

    /// The connect cookie of one sign-in: it is bound to the nonce.
    pub(super) fn connect_cookie(self, nonce: &str, user: UserId, session: SessionId) -> String {
        let mac = self.connect_mac(nonce, user, session);
        let mac = &hex::encode(mac.finalize().into_bytes());
        ConnectCookie { user, session, mac }.to_string()
    }

    pub(super) fn read_connect(self, cookie: &str, nonce: &str) -> Option<(UserId, SessionId)> {
        let cookie = ConnectCookie::parse(cookie)?;
        let shown = hex::decode(cookie.mac).ok()?;
        let mac = self.connect_mac(nonce, cookie.user, cookie.session);
        mac.verify_slice(&shown).ok()?;
        Some((cookie.user, cookie.session))
    }

    fn connect_mac(self, nonce: &str, user: UserId, session: SessionId) -> Hmac<Sha256> {
        let (user, session) = (user.as_uuid(), session.as_uuid());
        self.mac(
            Purpose::Connect,
            nonce,
            &[user.as_bytes(), session.as_bytes()],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const SECRET: States<'static> = States(&[2; 32]);

    pub(super) fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::Duration::seconds(seconds)
    }

    #[test]
    fn a_state_is_for_its_intent_and_its_time() {
        let new = SECRET.begin(Intent::Login, at(1000), 7);
        let expected = State {
            nonce: new.nonce,
            intent: Intent::Login,
        };
        for (now, read) in [(1000, true), (1599, true), (1600, false)] {
            let state = SECRET.read(&new.cookie, at(now));
            assert_eq!(state, read.then(|| expected.clone()), "{now}");
        }
        let other_intent = new.cookie.replace(":login", ":connect");
        assert_eq!(SECRET.read(&other_intent, at(1000)), None);
        assert_eq!(States(&[3; 32]).read(&new.cookie, at(1000)), None);
    }

    #[test]
    fn a_connect_cookie_is_for_its_login_and_its_journey() {
        let (user, session) = (UserId::random(), SessionId::random());
        let cookie = SECRET.connect_cookie("nonce", user, session);
        assert_eq!(SECRET.read_connect(&cookie, "nonce"), Some((user, session)));
        assert_eq!(SECRET.read_connect(&cookie, "other"), None);
        let mac = cookie.rsplit(':').next().unwrap();
        for (user, session) in [(UserId::random(), session), (user, SessionId::random())] {
            let forged = ConnectCookie { user, session, mac }.to_string();
            assert_eq!(SECRET.read_connect(&forged, "nonce"), None);
        }
    }
}

#[cfg(test)]
mod fuzz {
    use super::tests::{SECRET, at};
    use super::*;

    /// Only the exact signed text is read.
    #[test]
    fn any_cookie_is_one_of_ours_or_refused() {
        let (user, session) = (UserId::random(), SessionId::random());
        let new = SECRET.begin(Intent::Connect, at(0), 7);
        let connect = SECRET.connect_cookie(&new.nonce, user, session);
        let seeds = [new.cookie.clone(), connect.clone()];
        locule_fuzz::fuzz(&seeds, |input| {
            let text = String::from_utf8_lossy(input);
            let state = SECRET.read(&text, at(1));
            assert!(state.is_none() || text == new.cookie, "{text}");
            let read = SECRET.read_connect(&text, &new.nonce);
            // An id has two spellings.
            assert!(read.is_none_or(|read| read == (user, session)), "{text}");
            (
                StateCookie::parse(&text).map(|cookie| cookie.intent.as_str()),
                ConnectCookie::parse(&text).is_some(),
                (state.is_some(), read.is_some()),
                text.len() / 16,
            )
        });
    }
}
