//! The few cookies there are: for the time that somebody is away to log in elsewhere, and for the page they come back to.
//! No request is let in by one.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Who may read a cookie, and where it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody but us.
    Ours,
    /// A script of the page under `/auth/`.
    Page,
}

/// Sets and reads cookies, as safely as the way to the browser is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cookies {
    pub(crate) secure: bool,
}

impl Cookies {
    /// Where TLS lets us, our own have a name that no other host of the domain can set: sandboxes' ports may be such hosts.
    fn name(self, kind: Kind, name: &str) -> String {
        let prefix = match kind {
            Kind::Ours if self.secure => "__Host-",
            Kind::Ours | Kind::Page => "",
        };
        format!("{prefix}locule_{name}")
    }

    /// One's value: percent-encoded, so that nothing in it means anything.
    pub(crate) fn set(
        self,
        headers: &mut HeaderMap,
        kind: Kind,
        (name, value): (&str, &str),
        seconds: u64,
    ) {
        let name = self.name(kind, name);
        // Read by scripts that undo it; ours hold letters, digits and colons.
        let mut cookie = match kind {
            Kind::Ours => format!("{name}={value}; Path=/; HttpOnly"),
            Kind::Page => format!(
                "{name}={}; Path=/auth/",
                utf8_percent_encode(value, NON_ALPHANUMERIC)
            ),
        };
        let _ = write!(cookie, "; Max-Age={seconds}; SameSite=Lax");
        if self.secure {
            cookie.push_str("; Secure");
        }
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }

    /// One of ours, that a browser sends. Of two with one name neither is believed.
    pub(crate) fn get(self, headers: &HeaderMap, name: &str) -> Option<String> {
        let name = self.name(Kind::Ours, name);
        let mut found = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|cookies| cookies.to_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .filter(|(known, _)| *known == name);
        let (_, value) = found.next()?;
        found.next().is_none().then(|| value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_ours_is_for_this_host_alone() {
        let mut headers = HeaderMap::new();
        let of = |secure| Cookies { secure };
        of(true).set(&mut headers, Kind::Ours, ("x", "1:2"), 600);
        of(false).set(&mut headers, Kind::Ours, ("x", ""), 0);
        of(true).set(&mut headers, Kind::Page, ("name", "Ä; Path=/"), 60);
        let set: Vec<&str> = headers
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|cookie| cookie.to_str().unwrap())
            .collect();
        assert_eq!(
            set,
            [
                "__Host-locule_x=1:2; Path=/; HttpOnly; Max-Age=600; SameSite=Lax; Secure",
                "locule_x=; Path=/; HttpOnly; Max-Age=0; SameSite=Lax",
                "locule_name=%C3%84%3B%20Path%3D%2F; Path=/auth/; Max-Age=60; SameSite=Lax; Secure",
            ]
        );
    }

    #[test]
    fn of_two_cookies_with_one_name_neither_is_believed() {
        let cookies = Cookies { secure: false };
        for (sent, read) in [
            (&["locule_x=1"][..], Some("1")),
            (&["a=b; locule_x=1:2=3;c"], Some("1:2=3")),
            (&["locule_x=1; locule_x=2"], None),
            (&["locule_x=1", "locule_x=1"], None),
            (&["__Host-locule_x=1; x=1; LOCULE_X=1"], None),
        ] {
            let mut headers = HeaderMap::new();
            for sent in sent {
                headers.append(header::COOKIE, sent.parse().unwrap());
            }
            assert_eq!(cookies.get(&headers, "x").as_deref(), read, "{sent:?}");
        }
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn whatever_a_browser_sends_a_cookie_is_one_value_or_none() {
        let seeds = ["locule_x=1; a=b", "a=b;locule_x=1; locule_x=2", "locule_x"];
        locule_fuzz::fuzz(&seeds, |input| {
            let Ok(value) = HeaderValue::from_bytes(input) else {
                return None;
            };
            let mut headers = HeaderMap::new();
            headers.append(header::COOKIE, value);
            let read = Cookies { secure: false }.get(&headers, "x")?;
            assert!(!read.contains(';') && read.trim_end() == read, "{read}");
            Some(read.len())
        });
    }
}
