//! Which credential a request must present to reach a port of a sandbox. Pure: the credentials themselves are compared by the
//! caller, who knows the tokens.

use axum::extract::Query;
use http::{HeaderValue, Method, Uri};
use locule_guest_api::GUEST_PORT;
pub use locule_guest_api::signature::Operation;
use locule_guest_api::signature::sign;
use serde::Deserialize;

use crate::control_path::leads_to_control;
use crate::query::encode;

/// The port of the code interpreter, which reads variables from the guest agent with the access token of its request.
const INTERPRETER_PORT: u16 = 49999;

/// Whether a program on this port is given the guest agent's own token where a request carries a client's access token.
pub fn takes_access_token(port: u16) -> bool {
    port == GUEST_PORT || port == INTERPRETER_PORT
}

/// What a request to the guest agent's port must prove.
#[derive(Debug)]
pub enum GuestNeed {
    /// Only the host agent may send the request.
    Control,
    /// A browser asks whether a page may send the request itself.
    Preflight,
    /// Nothing.
    Open,
    AccessToken,
    /// The access token, or a signature that was made with it.
    File(FileLink),
}

impl GuestNeed {
    /// `Err`: the request is for a file, and its query cannot be read.
    pub fn of(method: &Method, uri: &Uri) -> Result<Self, String> {
        if leads_to_control(uri.path()) {
            return Ok(Self::Control);
        }
        let operation = match (method, uri.path()) {
            (&Method::OPTIONS, _) => return Ok(Self::Preflight),
            (&Method::GET, "/health") => return Ok(Self::Open),
            (&Method::GET | &Method::HEAD, "/files") => Operation::Read,
            (&Method::POST, "/files") => Operation::Write,
            _ => return Ok(Self::AccessToken),
        };
        let query = Query::try_from_uri(uri);
        let Query(query) = query.map_err(|error| error.body_text())?;
        Ok(Self::File(FileLink { operation, query }))
    }
}

#[derive(Debug, Deserialize)]
struct FileQuery {
    path: Option<String>,
    username: Option<String>,
    signature: Option<String>,
    signature_expiration: Option<i64>,
}

/// A request for a file, whose address may be signed.
#[derive(Debug)]
pub struct FileLink {
    operation: Operation,
    query: FileQuery,
}

impl FileLink {
    pub fn signature(&self) -> Option<&str> {
        self.query.signature.as_deref()
    }

    /// The signature of this request by the holder of an access token.
    pub fn signed_with(&self, token: &str) -> String {
        let query = &self.query;
        sign(
            query.path.as_deref().unwrap_or_default(),
            self.operation,
            query.username.as_deref().unwrap_or_default(),
            token,
            query.signature_expiration,
        )
    }

    /// The `Content-Disposition` with which a browser saves what the address reads under the name of the file, whatever the
    /// guest agent says. `None`: the address writes a file.
    pub fn attachment(&self) -> Option<HeaderValue> {
        if self.operation != Operation::Read {
            return None;
        }
        let path = self.query.path.as_deref().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        let shown: String = name.chars().filter(|c| !is_hidden(*c)).collect();
        let name = encode(&shown);
        HeaderValue::try_from(format!("attachment; filename*=UTF-8''{name}")).ok()
    }

    pub fn has_expired(&self, now_unix: i64) -> bool {
        let expiration = self.query.signature_expiration;
        expiration.is_some_and(|expiration| expiration < now_unix)
    }
}

/// Control characters, and those that change the direction of the text around them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Path and query of a signed address of a file, until `expires_unix`.
pub fn signed_address(path: &str, operation: Operation, token: &str, expires_unix: i64) -> String {
    let signature = sign(path, operation, "", token, Some(expires_unix));
    format!(
        "/files?path={}&signature={}&signature_expiration={expires_unix}",
        encode(path),
        encode(&signature)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(method: &str, uri: &str) -> Result<GuestNeed, String> {
        GuestNeed::of(&method.parse().unwrap(), &uri.parse().unwrap())
    }

    #[test]
    fn only_the_health_of_the_guest_agent_is_open() {
        assert!(matches!(need("GET", "/health?x"), Ok(GuestNeed::Open)));
        assert!(matches!(
            need("OPTIONS", "/files"),
            Ok(GuestNeed::Preflight)
        ));
        assert!(matches!(need("OPTIONS", "//init"), Ok(GuestNeed::Control)));
        for (method, uri) in [
            ("POST", "/health"),
            ("HEAD", "/health"),
            ("GET", "/health/"),
            ("GET", "//health"),
            ("GET", "/%68ealth"),
            ("GET", "/files/"),
            ("GET", "/%66iles?signature=x"),
            ("DELETE", "/files"),
            ("GET", "/metrics"),
            ("POST", "/process.Process/Start"),
        ] {
            let need = need(method, uri);
            assert!(matches!(need, Ok(GuestNeed::AccessToken)), "{method} {uri}");
        }
    }

    #[test]
    fn a_signed_address_is_accepted_for_its_own_operation_and_saves_a_file_under_its_name() {
        let uri = signed_address("/a/b \u{202e}ü;\".txt", Operation::Read, "t", 9);
        let link = |method: &str| match need(method, &uri) {
            Ok(GuestNeed::File(link)) => link,
            other => panic!("{other:?}"),
        };
        let (read, write) = (link("GET"), link("POST"));
        assert_eq!(read.signature(), Some(read.signed_with("t").as_str()));
        assert_ne!(write.signature(), Some(write.signed_with("t").as_str()));
        assert!(read.has_expired(10));
        let saved = read.attachment().unwrap();
        assert_eq!(saved, "attachment; filename*=UTF-8''b%20%C3%BC%3B%22.txt");
        assert_eq!(write.attachment(), None);
    }

    #[test]
    fn a_link_covers_the_raw_path_the_operation_the_user_and_the_expiration() {
        let uri = "/files?path=/a%20b&username=user&signature=v1_x%2B&signature_expiration=9";
        let link = |method: &str| match need(method, uri) {
            Ok(GuestNeed::File(link)) => link,
            other => panic!("{other:?}"),
        };
        let read = link("GET");
        assert_eq!(read.signature(), Some("v1_x+"));
        let expected = sign("/a b", Operation::Read, "user", "t", Some(9));
        assert_eq!(read.signed_with("t"), expected);
        assert_ne!(link("POST").signed_with("t"), expected);
        assert!(read.has_expired(10) && !read.has_expired(9));
        need("GET", "/files?signature_expiration=soon").unwrap_err();
    }
}
