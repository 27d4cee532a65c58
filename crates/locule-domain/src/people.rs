//! Roles in a team, scopes of API keys, and the rules for names, addresses and passwords.

use std::fmt;
use std::str::FromStr;

use crate::limits::Invalid;

/// A word that is not one of the words of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the word is not known to this version")]
pub struct UnknownWord;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $text:literal,)* })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$of])* $variant,)* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(UnknownWord) }
            }
        }
    )* };
}
pub(crate) use words;

words! {
    /// The role of a member in a team. Each role includes the permissions of the roles before it.
    Role {
        /// Uses the sandboxes of the team and creates API keys.
        Member = "member",
        /// Also manages the members and the name of the team.
        Admin = "admin",
        /// Also deletes the team. A team has exactly one owner, who cannot leave, be removed or be demoted (B-150).
        Owner = "owner",
    }

    /// The status of a user account. Only an active user can log in.
    UserStatus {
        /// Signed up; the e-mail address is not confirmed yet.
        Inactive = "inactive",
        Active = "active",
        /// Disabled by a platform administrator.
        Disabled = "disabled",
        Deleted = "deleted",
    }

    /// The people who may create an account, after the first account exists.
    SignupPolicy {
        /// People with an invitation to a team.
        Invite = "invite",
        /// Every person who reaches the API.
        Open = "open",
        Closed = "closed",
    }

    /// The permissions of an API key.
    Scope {
        /// Every operation that is open to API keys.
        Full = "full",
        /// Operations that neither change nor open anything.
        Read = "read",
        /// Every operation on sandboxes.
        Sandbox = "sandbox",
    }
}

/// What an operation asks of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// It is about sandboxes.
    pub sandboxes: bool,
    /// It changes nothing and opens nothing.
    pub looks: bool,
}

impl Scope {
    pub const fn allows(self, need: Need) -> bool {
        match self {
            Self::Full => true,
            Self::Read => need.looks,
            Self::Sandbox => need.sandboxes,
        }
    }
}

const EMAIL_BYTES_MAX: usize = 254;
const NAME_CHARS_MAX: usize = 100;
const TEAM_NAME_MAX: usize = 128;
const PASSWORD_CHARS_MIN: usize = 8;
/// A longer password is refused before it is hashed.
const PASSWORD_BYTES_MAX: usize = 512;
const SEARCH_CHARS_MIN: usize = 3;

fn invalid<T>(text: &str) -> Result<T, Invalid> {
    Err(Invalid(text.to_owned()))
}

/// An e-mail address in its canonical form: trimmed, lower case.
pub fn email(text: &str) -> Result<String, Invalid> {
    let text = text.trim().to_ascii_lowercase();
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
    match text.split_once('@') {
        Some((name, domain))
            if text.len() <= EMAIL_BYTES_MAX
                && plain(name)
                && plain(domain)
                && !domain.contains('@') =>
        {
            Ok(text)
        }
        _ => invalid("email must be an e-mail address in ASCII letters"),
    }
}

/// A person's name, trimmed.
pub fn person_name(text: &str) -> Result<String, Invalid> {
    let controlled = text.chars().any(char::is_control);
    let text = text.trim();
    if (1..=NAME_CHARS_MAX).contains(&text.chars().count()) && !controlled {
        return Ok(text.to_owned());
    }
    invalid("name must be 1 to 100 characters, none of them a control character")
}

/// A team's name, trimmed: `^[A-Za-z0-9 _\-@']{1,128}$` (B-140).
pub fn team_name(text: &str) -> Result<String, Invalid> {
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'_' | b'-' | b'@' | b'\'')
    };
    let trimmed = text.trim();
    if (1..=TEAM_NAME_MAX).contains(&trimmed.len()) && text.bytes().all(allowed) {
        return Ok(trimmed.to_owned());
    }
    invalid("name must be 1 to 128 letters, digits, spaces or any of _ - @ '")
}

/// The name of an API key, trimmed; an empty name becomes `Unnamed API Key`.
pub fn key_name(text: &str) -> Result<String, Invalid> {
    if text.trim_matches(' ').is_empty() {
        return Ok("Unnamed API Key".to_owned());
    }
    person_name(text)
}

/// Checks a new password.
pub fn check_password(text: &str) -> Result<(), Invalid> {
    if text.chars().count() < PASSWORD_CHARS_MIN {
        return invalid("a password must have at least 8 characters");
    }
    check_password_size(text)
}

/// Checks the size of a password before it is hashed.
pub fn check_password_size(text: &str) -> Result<(), Invalid> {
    if text.len() > PASSWORD_BYTES_MAX {
        return invalid("a password must have at most 512 bytes");
    }
    Ok(())
}

/// The prefix of an e-mail address that users are searched by (B-041).
pub fn search_prefix(text: &str) -> Result<String, Invalid> {
    let text = text.trim().to_ascii_lowercase();
    let fits = (SEARCH_CHARS_MIN..=EMAIL_BYTES_MAX).contains(&text.len());
    if fits && text.split('@').count() == 2 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text);
    }
    invalid(
        "email must be the beginning of an e-mail address: at least 3 ASCII characters, with the @",
    )
}

/// A `LIKE` pattern that matches exactly this text, with `\` as the escape character (B-040).
pub fn like_literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | '%' | '_') {
            literal.push('\\');
        }
        literal.push(letter);
    }
    literal
}

/// A `LIKE` pattern for lower-case text that contains this text, in any case.
pub fn like_anywhere(text: &str) -> String {
    format!("%{}%", like_literal(&text.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_parses_to_the_value_that_prints_it() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(*role));
        }
        assert_eq!("Owner".parse::<Role>(), Err(UnknownWord));
        assert!(Role::Owner > Role::Admin && Role::Admin > Role::Member);
    }

    #[test]
    fn a_scope_allows_the_operations_that_it_names() {
        for (sandboxes, looks) in [(true, true), (true, false), (false, true), (false, false)] {
            let need = Need { sandboxes, looks };
            assert!(Scope::Full.allows(need));
            assert_eq!(Scope::Read.allows(need), looks);
            assert_eq!(Scope::Sandbox.allows(need), sandboxes);
        }
    }

    #[test]
    fn an_email_address_is_ascii_with_one_at_sign() {
        assert_eq!(email(" Ada@Locule.Test ").unwrap(), "ada@locule.test");
        let long = format!("{}@a", "x".repeat(254));
        for bad in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a b@c",
            "ä@b.c",
            "a@b\0",
            long.as_str(),
        ] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_short_and_has_no_control_characters() {
        assert_eq!(
            person_name(" Ada Lovelace\u{301} ").unwrap(),
            "Ada Lovelace\u{301}"
        );
        for bad in ["", "  ", "a\u{7}b", "a\nb", "a\n", &"x".repeat(101)] {
            assert!(person_name(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "R2-D2 @ home", "Ada's Team_1"] {
            assert_eq!(team_name(good).unwrap(), good);
        }
        for bad in ["", " ", "a/b", "ä", "a\nb", "\ta", &"x".repeat(129)] {
            assert!(team_name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(key_name(" ").unwrap(), "Unnamed API Key");
    }

    #[test]
    fn a_password_has_a_minimum_and_a_maximum_length() {
        check_password("12345678").unwrap();
        check_password("ääääääää").unwrap();
        check_password("1234567").unwrap_err();
        check_password(&"x".repeat(513)).unwrap_err();
    }

    #[test]
    fn a_search_prefix_contains_the_at_sign() {
        assert_eq!(search_prefix(" A_%@ ").unwrap(), "a_%@");
        for bad in ["", "a@", "abc", "a@\0"] {
            assert!(search_prefix(bad).is_err(), "{bad:?}");
        }
    }
}
