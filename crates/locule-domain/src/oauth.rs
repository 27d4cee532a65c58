//! Sign-in with another platform: what the browser keeps meanwhile, and which of the platform's answers are trusted.

use std::fmt;
use std::str::FromStr;

use locule_ids::{SessionId, UserId};

use crate::people::{self, UnknownWord, words};

words! {
    /// Why a browser is redirected to the other platform.
    Intent {
        /// Signs in to an existing account.
        Login = "login",
        /// Signs in, and creates the account if it does not exist.
        Signup = "signup",
        /// Adds a sign-in method to the account of the current login.
        Connect = "connect",
    }
}

const NONCE_DIGITS: usize = 48;
const EXPIRY_DIGITS: usize = 16;
const MAC_DIGITS: usize = 64;

/// The nonce of one sign-in: its expiry, in seconds since 1970, and a random number that cannot be guessed.
pub fn nonce(ends_at: u64, random: u128) -> String {
    format!("{ends_at:016x}{random:032x}")
}

fn digits(text: &str, count: usize) -> bool {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == count && text.bytes().all(digit)
}

/// What the browser keeps while its owner is away: `nonce:mac:intent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateCookie<'a> {
    pub nonce: &'a str,
    pub mac: &'a str,
    pub intent: Intent,
}

impl<'a> StateCookie<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let (nonce, rest) = text.split_once(':')?;
        let (mac, intent) = rest.split_once(':')?;
        let fits = digits(nonce, NONCE_DIGITS) && digits(mac, MAC_DIGITS);
        let intent = intent.parse().ok()?;
        fits.then_some(Self { nonce, mac, intent })
    }

    /// Seconds since 1970.
    pub fn ends_at(&self) -> u64 {
        let ends_at = self.nonce.get(..EXPIRY_DIGITS);
        ends_at
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .unwrap_or_default()
    }
}

impl fmt::Display for StateCookie<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.nonce, self.mac, self.intent)
    }
}

/// Beside it, who wants another way in, and by which login: `user:session:mac`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectCookie<'a> {
    pub user: UserId,
    pub session: SessionId,
    pub mac: &'a str,
}

impl<'a> ConnectCookie<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let (user, rest) = text.split_once(':')?;
        let (session, mac) = rest.split_once(':')?;
        let (user, session) = (user.parse().ok()?, session.parse().ok()?);
        digits(mac, MAC_DIGITS).then_some(Self { user, session, mac })
    }
}

impl fmt::Display for ConnectCookie<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.user, self.session, self.mac)
    }
}

/// An address as the other platform lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEmail {
    pub email: String,
    pub primary: bool,
    pub verified: bool,
}

/// The one address that is trusted: primary, and verified by the other platform. A sign-in with any other address, such as the
/// one that a profile shows, could take an account or an invitation that is meant for the owner of the address.
pub fn trusted_email(listed: &[ListedEmail]) -> Option<String> {
    let trusted = listed
        .iter()
        .find(|listed| listed.primary && listed.verified)?;
    people::email(&trusted.email).ok()
}

/// The name of a new account: the name at the other platform, or the login there when the name is missing or not allowed.
pub fn name_of(name: Option<&str>, login: &str) -> Option<String> {
    let mut names = [name.unwrap_or_default(), login].into_iter();
    names.find_map(|text| people::person_name(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(email: &str, primary: bool, verified: bool) -> ListedEmail {
        ListedEmail {
            email: email.to_owned(),
            primary,
            verified,
        }
    }

    #[test]
    fn only_the_primary_address_is_believed_and_only_when_verified() {
        let others = [
            listed("other@x.test", false, true),
            listed("ada@x.test", true, false),
        ];
        assert_eq!(trusted_email(&others), None);
        assert_eq!(trusted_email(&[]), None);
        let both = [others[0].clone(), listed(" Ada@X.test", true, true)];
        assert_eq!(trusted_email(&both).as_deref(), Some("ada@x.test"));
        assert_eq!(trusted_email(&[listed("ä@x.test", true, true)]), None);
    }

    #[test]
    fn who_has_no_name_is_called_by_their_login() {
        assert_eq!(name_of(Some(" Ada L. "), "ada").as_deref(), Some("Ada L."));
        let long = "x".repeat(101);
        for none in [None, Some(""), Some("  "), Some("a\u{7}"), Some(&long)] {
            assert_eq!(name_of(none, "ada").as_deref(), Some("ada"), "{none:?}");
        }
        assert_eq!(name_of(None, ""), None);
    }

    #[test]
    fn a_nonce_says_when_it_ends() {
        for ends_at in [0, 1, 1_764_000_000, u64::MAX] {
            let nonce = nonce(ends_at, u128::MAX);
            let (mac, intent) = ("0".repeat(64), Intent::Connect);
            let text = format!("{nonce}:{mac}:{intent}");
            let read = StateCookie::parse(&text).unwrap();
            assert_eq!((read.ends_at(), read.to_string()), (ends_at, text));
        }
    }
}
