//! Sign-in with another platform: the cookies that the browser keeps meanwhile, and which answers of the platform are trusted.

use std::fmt;
use std::str::FromStr;

use locule_ids::{SessionId, UserId};

use crate::people::{self, UnknownWord, words};

words! {
    /// The purpose of a sign-in with another platform.
    Intent {
        /// Logs in to an existing account.
        Login = "login",
        /// Logs in, and creates the account where it does not exist.
        Signup = "signup",
        /// Adds a sign-in method to the account of the current login.
        Connect = "connect",
    }
}

const NONCE_DIGITS: usize = 48;
const EXPIRY_DIGITS: usize = 16;
const MAC_DIGITS: usize = 64;

/// The value that the other platform returns unchanged: the expiry, in seconds since 1970, and random digits.
pub fn nonce(ends_at: u64, random: u128) -> String {
    format!("{ends_at:016x}{random:032x}")
}

fn digits(text: &str, count: usize) -> bool {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == count && text.bytes().all(digit)
}

/// The cookie of a sign-in in progress: `nonce:mac:intent`.
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

/// The second cookie of a sign-in that adds a method: the user and the session, `user:session:mac`.
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

/// An e-mail address as the other platform lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEmail {
    pub email: String,
    pub primary: bool,
    pub verified: bool,
}

/// The only address that is trusted: the primary one, if the other platform has verified it. With any other address, such as
/// the one in a profile, an attacker could take an account or an invitation that is meant for the owner of the address.
pub fn trusted_email(listed: &[ListedEmail]) -> Option<String> {
    let trusted = listed
        .iter()
        .find(|listed| listed.primary && listed.verified)?;
    people::email(&trusted.email).ok()
}

/// The name of a new user: the name at the other platform, or the login there if the name is missing or invalid.
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
    fn only_a_verified_primary_address_is_trusted() {
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
    fn a_user_without_a_valid_name_is_named_by_the_login() {
        assert_eq!(name_of(Some(" Ada L. "), "ada").as_deref(), Some("Ada L."));
        let long = "x".repeat(101);
        for none in [None, Some(""), Some("  "), Some("a\u{7}"), Some(&long)] {
            assert_eq!(name_of(none, "ada").as_deref(), Some("ada"), "{none:?}");
        }
        assert_eq!(name_of(None, ""), None);
    }

    #[test]
    fn the_expiry_is_read_from_the_nonce() {
        for ends_at in [0, 1, 1_764_000_000, u64::MAX] {
            let nonce = nonce(ends_at, u128::MAX);
            let (mac, intent) = ("0".repeat(64), Intent::Connect);
            let text = format!("{nonce}:{mac}:{intent}");
            let read = StateCookie::parse(&text).unwrap();
            assert_eq!((read.ends_at(), read.to_string()), (ends_at, text));
        }
    }
}
