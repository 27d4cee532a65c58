//! The cookies of a sign-in with a provider: its state while the browser is at the provider, and its result for the page under
//! `/auth/`. No cookie authenticates a request.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The reader of a cookie, which decides its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Read by the server alone.
    Server,
    /// Read by a script of the page under `/auth/`.
    Page,
}

/// Sets and reads cookies. `secure` when the platform's public URL is HTTPS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cookies {
    pub(crate) secure: bool,
}

impl Cookies {
    /// The name of a cookie. With TLS, a server cookie has the prefix `__Host-`: another host of the domain, such as a
    /// sandbox's port, cannot set a cookie with that name.
    fn name(self, kind: Kind, name: &str) -> String {
        let prefix = match kind {
            Kind::Server if self.secure => "__Host-",
            Kind::Server | Kind::Page => "",
        };
        format!("{prefix}locule_{name}")
    }

    /// Adds a cookie. The value of a page cookie is percent-encoded.
    pub(crate) fn set(
        self,
        headers: &mut HeaderMap,
        kind: Kind,
        (name, value): (&str, &str),
        seconds: u64,
    ) {
        let name = self.name(kind, name);
        // The page's script decodes its value. A server cookie holds letters, digits and colons, which need no encoding.
        let mut cookie = match kind {
            Kind::Server => format!("{name}={value}; Path=/; HttpOnly"),
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

    /// The value of a server cookie in a request. `None` when the request has two cookies with the name, because either may be
    /// forged.
    pub(crate) fn get(self, headers: &HeaderMap, name: &str) -> Option<String> {
        let name = self.name(Kind::Server, name);
        let mut found = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|cookies| cookies.to_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .filter(|(sent, _)| *sent == name);
        let (_, value) = found.next()?;
        found.next().is_none().then(|| value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_cookie_belongs_to_its_host_alone() {
        let mut headers = HeaderMap::new();
        let of = |secure| Cookies { secure };
        of(true).set(&mut headers, Kind::Server, ("x", "1:2"), 600);
        of(false).set(&mut headers, Kind::Server, ("x", ""), 0);
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
    fn two_cookies_with_the_same_name_are_both_ignored() {
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
    fn any_cookie_header_yields_one_value_or_none() {
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
