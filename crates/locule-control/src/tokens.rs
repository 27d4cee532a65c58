//! The tokens of logins and of hosts: JSON Web Tokens signed with HMAC-SHA256 (HS256).
//!
//! The two kinds have different claims, so that neither can be used as the other (B-129). A token is accepted only with the header that [`sign`] writes, so the token cannot choose another algorithm.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use locule_ids::{HostId, HostRefreshTokenId, SessionId, TeamId, UserId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::secrets::keyed;

/// How long a login lasts, counted from the login or from its last renewal.
pub(crate) const SESSION_HOURS: i64 = 6;

/// `{"typ":"JWT","alg":"HS256"}`, encoded.
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: UserId,
    pub(crate) sid: SessionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) team_id: Option<TeamId>,
    /// `role`, `email`, `name` and `is_admin` are hints for a user interface; no decision reads them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<String>,
    pub(crate) email: String,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_admin: bool,
    /// Absent from a person's token; a host's token has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) typ: Option<String>,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
}

/// The claims of a host's access token.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostClaims {
    pub(crate) typ: HostTokenType,
    pub(crate) sub: HostId,
    pub(crate) host_id: HostId,
    /// The refresh token that came with the access token.
    pub(crate) rid: HostRefreshTokenId,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HostTokenType {
    Host,
}

pub(crate) fn sign(secret: &[u8], claims: &impl Serialize) -> Result<String, serde_json::Error> {
    let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims)?);
    let signed = format!("{HEADER}.{claims}");
    let mut mac = keyed(secret);
    mac.update(signed.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    Ok(format!("{signed}.{signature}"))
}

/// The claims of a token that `secret` signed, whether it has expired or not: the session's row says when a login ends.
pub(crate) fn verify<T: DeserializeOwned>(secret: &[u8], token: &str) -> Option<T> {
    serde_json::from_slice(&signed_claims(secret, token)?).ok()
}

/// Whether `secret` signed a token, of a login or of a host.
pub(crate) fn is_signed(secret: &[u8], token: &str) -> bool {
    signed_claims(secret, token).is_some()
}

/// The JSON of a token's claims.
fn signed_claims(secret: &[u8], token: &str) -> Option<Vec<u8>> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    if header != HEADER {
        return None;
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let mut mac = keyed(secret);
    mac.update(signed.as_bytes());
    // `verify_slice` compares in constant time.
    mac.verify_slice(&signature).ok()?;
    URL_SAFE_NO_PAD.decode(claims).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = &[2; 32];
    /// Signed by the JWT library that earlier versions used.
    const EARLIER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c3ItNWIyYzFkOWUtMGYzYS00YzdiLTlkMWUtMmE2ZjhjNGI3ZTEwIiwic2lkIjoic2VzLTdlMTBjNGI4LTJhNmYtNGQxZS04YzdiLTBmM2E1YjJjMWQ5ZSIsInRlYW1faWQiOiJ0ZWFtLTlkMWUyYTZmLThjNGItNDdlMS1hMGYzLTViMmMxZDllMGYzYSIsInJvbGUiOiJvd25lciIsImVtYWlsIjoiYWRhQGxvY3VsZS50ZXN0IiwibmFtZSI6IkFkYSIsImlzX2FkbWluIjp0cnVlLCJpYXQiOjE3NjQwMDAwMDAsImV4cCI6MTc2NDAyMTYwMH0.qCJFEhzEDw6iUeZSyfMkrEyVSeLyuak19kUS1XRlRtA";

    fn claims() -> Claims {
        Claims {
            sub: "usr-5b2c1d9e-0f3a-4c7b-9d1e-2a6f8c4b7e10".parse().unwrap(),
            sid: "ses-7e10c4b8-2a6f-4d1e-8c7b-0f3a5b2c1d9e".parse().unwrap(),
            team_id: Some("team-9d1e2a6f-8c4b-47e1-a0f3-5b2c1d9e0f3a".parse().unwrap()),
            role: Some("owner".to_owned()),
            email: "ada@locule.test".to_owned(),
            name: "Ada".to_owned(),
            is_admin: true,
            typ: None,
            iat: 1_764_000_000,
            exp: 1_764_021_600,
        }
    }

    /// Any header and claims with a good signature.
    fn signed_with_header(header: &str, claims: &str) -> String {
        let signed = [header, claims]
            .map(|part| URL_SAFE_NO_PAD.encode(part))
            .join(".");
        let mut mac = keyed(SECRET);
        mac.update(signed.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        format!("{signed}.{signature}")
    }

    fn login(token: &str) -> Option<Claims> {
        verify(SECRET, token)
    }

    #[test]
    fn a_signed_token_is_verified_to_the_same_claims() {
        let token = sign(SECRET, &claims()).unwrap();
        assert_eq!(login(&token), Some(claims()));
    }

    #[test]
    fn a_token_of_an_earlier_version_stays_valid() {
        assert_eq!(login(EARLIER), Some(claims()));
        assert_eq!(sign(SECRET, &claims()).unwrap(), EARLIER);
    }

    #[test]
    fn a_token_signed_with_another_key_is_refused() {
        let token = sign(&[3; 32], &claims()).unwrap();
        assert_eq!(login(&token), None);
    }

    #[test]
    fn a_token_with_one_changed_character_is_refused() {
        let token = sign(SECRET, &claims()).unwrap();
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(login(&changed), None, "character {at}");
        }
    }

    #[test]
    fn the_token_of_a_host_is_no_login_and_a_login_is_no_token_of_a_host() {
        let host = HostId::random();
        let host_claims = HostClaims {
            typ: HostTokenType::Host,
            sub: host,
            host_id: host,
            rid: HostRefreshTokenId::random(),
            iat: 1_764_000_000,
            exp: 1_764_021_600,
        };
        let token = sign(SECRET, &host_claims).unwrap();
        assert_eq!(verify(SECRET, &token), Some(host_claims));
        assert_eq!(login(&token), None);
        assert!(is_signed(SECRET, &token));
        let person = sign(SECRET, &claims()).unwrap();
        assert_eq!(verify::<HostClaims>(SECRET, &person), None);
    }

    #[test]
    fn a_truncated_token_is_refused() {
        let token = sign(SECRET, &claims()).unwrap();
        for length in 0..token.len() {
            assert_eq!(login(&token[..length]), None, "{length} characters");
        }
    }

    #[test]
    fn a_token_with_another_algorithm_is_refused() {
        let claims = serde_json::to_string(&claims()).unwrap();
        for header in [
            r#"{"typ":"JWT","alg":"none"}"#,
            r#"{"typ":"JWT","alg":"None"}"#,
            r#"{"typ":"JWT","alg":"HS512"}"#,
            r#"{"typ":"JWT","alg":"RS256"}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","alg":"none"}"#,
            "",
        ] {
            let token = signed_with_header(header, &claims);
            assert_eq!(login(&token), None, "{header}");
            let (unsigned, _) = token.rsplit_once('.').unwrap();
            assert_eq!(login(&format!("{unsigned}.")), None, "{header}");
        }
        let token = signed_with_header(r#"{"typ":"JWT","alg":"HS256"}"#, &claims);
        assert!(login(&token).is_some());
    }

    #[test]
    fn garbage_is_refused() {
        let signed_garbage = signed_with_header(r#"{"typ":"JWT","alg":"HS256"}"#, "no JSON");
        let five_parts = format!("{HEADER}.a.b.c.d");
        for token in [
            "",
            ".",
            "..",
            "...",
            "no token",
            "é.é.é",
            HEADER,
            &signed_garbage,
            &five_parts,
        ] {
            assert_eq!(login(token), None, "{token}");
        }
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn any_text_is_a_token_that_was_signed_or_is_refused() {
        let claims = Claims {
            sub: UserId::random(),
            sid: SessionId::random(),
            team_id: None,
            role: None,
            email: String::new(),
            name: String::new(),
            is_admin: false,
            typ: None,
            iat: 0,
            exp: 0,
        };
        let token = sign(&[2; 32], &claims).unwrap();
        locule_fuzz::fuzz(&[&token, HEADER, ".."], |input| {
            let text = String::from_utf8_lossy(input);
            let verified: Option<Claims> = verify(&[2; 32], &text);
            if verified.is_some() {
                assert_eq!(text, token);
            }
            (verified.is_some(), text.len() / 8)
        });
    }
}
