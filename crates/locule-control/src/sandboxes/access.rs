//! What the edge needs to know of a sandbox to answer a request for one of its ports, and a short memory of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::Mac as _;
use locule_agent_api::Connector;
use locule_domain::SandboxState;
use locule_ids::{HostId, SandboxId, TeamId};
use locule_store::sandbox_callers::{CallerId, Grant, Granted};
use subtle::{Choice, ConstantTimeEq as _};

use crate::secrets::keyed;

/// Above this number of sandboxes, all that is kept is read again.
const KEPT_MAX: usize = 10_000;
/// Between the end of a port's cookie and the proof.
const COOKIE_SEPARATOR: char = ':';

/// The host of a sandbox and the token of its guest agent, for the edge.
#[derive(Clone)]
pub struct Route {
    pub sandbox: SandboxId,
    pub team: TeamId,
    pub state: SandboxState,
    pub host: HostId,
    pub generation: i64,
    pub connector: Connector,
    /// The guest agent's own token, which no client is given.
    pub access_token: String,
    /// A request for one of its ports resumes it.
    pub auto_resume: bool,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Route")
            .field("sandbox", &self.sandbox)
            .field("state", &self.state)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// A caller that may use the sandbox, with the tokens that it was given.
pub(crate) struct Client {
    pub(crate) grant: Grant,
    pub(crate) access: String,
    pub(crate) traffic: String,
}

impl Client {
    /// The cookie with which a browser may use the port as this caller, until `expires_unix`.
    pub(super) fn port_cookie(&self, port: u16, expires_unix: i64) -> String {
        let mut mac = keyed(self.traffic.as_bytes());
        mac.update(b"port-cookie");
        mac.update(&port.to_be_bytes());
        mac.update(&expires_unix.to_be_bytes());
        let mac = hex::encode(mac.finalize().into_bytes());
        format!("{expires_unix}{COOKIE_SEPARATOR}{mac}")
    }
}

/// A sandbox of any team, as the database had it a moment ago: where it runs, and whose tokens open its ports.
pub struct SandboxAccess {
    pub team: TeamId,
    /// Its ports need no traffic token.
    pub public_traffic: bool,
    /// `None`: it has no host, or is desired to be gone.
    pub route: Option<Route>,
    pub(crate) clients: Vec<Client>,
    /// The time of a monotonic clock at which it was read.
    pub(crate) read_at: Duration,
}

impl std::fmt::Debug for SandboxAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SandboxAccess")
            .field("team", &self.team)
            .field("public_traffic", &self.public_traffic)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

impl SandboxAccess {
    /// The caller whose access token was presented.
    pub fn by_access_token(&self, presented: &[u8]) -> Option<Grant> {
        self.find(|client| client.access.as_bytes().ct_eq(presented))
    }

    /// The caller whose traffic token was presented.
    pub fn by_traffic_token(&self, presented: &[u8]) -> Option<Grant> {
        self.find(|client| client.traffic.as_bytes().ct_eq(presented))
    }

    /// The caller with whose access token `sign` makes the presented signature.
    pub fn by_signature(&self, presented: &[u8], sign: impl Fn(&str) -> String) -> Option<Grant> {
        self.find(|client| sign(&client.access).as_bytes().ct_eq(presented))
    }

    /// The caller whose link left this cookie for the port in a browser.
    pub fn by_port_cookie(&self, port: u16, presented: &str, now: DateTime<Utc>) -> Option<Grant> {
        let (expires, _) = presented.split_once(COOKIE_SEPARATOR)?;
        let expires = expires.parse().ok().filter(|at| *at > now.timestamp())?;
        self.find(|client| {
            let cookie = client.port_cookie(port, expires);
            cookie.as_bytes().ct_eq(presented.as_bytes())
        })
    }

    /// The tokens of a caller that may use the sandbox.
    pub(super) fn client_of(&self, caller: CallerId) -> Option<&Client> {
        self.clients.iter().find(|client| {
            let owner = match client.grant.caller {
                Granted::Numbered { user, .. } => Some(CallerId::User(user)),
                Granted::Key { key, .. } => Some(CallerId::Key(key)),
                Granted::Login { .. } | Granted::Visitor { .. } => None,
            };
            owner == Some(caller)
        })
    }

    /// Whether a word is a token of the sandbox: of a caller, or of the guest agent. Programs behind ports get none.
    pub fn is_token(&self, word: &str) -> bool {
        let word = word.as_bytes();
        let own = self
            .route
            .as_ref()
            .map(|route| route.access_token.as_bytes());
        let own = own.map_or(Choice::from(0), |own| own.ct_eq(word));
        let any = self.clients.iter().fold(own, |any, client| {
            any | client.access.as_bytes().ct_eq(word) | client.traffic.as_bytes().ct_eq(word)
        });
        any.into()
    }

    /// Compares every client, so that the time does not tell which one matches.
    fn find(&self, matches: impl Fn(&Client) -> Choice) -> Option<Grant> {
        self.clients.iter().fold(None, |found, client| {
            if matches(client).into() {
                Some(client.grant)
            } else {
                found
            }
        })
    }

    fn is_running(&self) -> bool {
        let state = self.route.as_ref().map(|route| route.state);
        matches!(state, Some(SandboxState::Running))
    }
}

/// The access of running sandboxes, kept for a short time. A change of a sandbox in this process removes it at once.
#[derive(Default)]
pub(crate) struct AccessCache(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    access: HashMap<SandboxId, Arc<SandboxAccess>>,
    /// How often something was forgotten.
    changes: u64,
}

impl AccessCache {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read at this time or later.
    pub(super) fn get(&self, id: SandboxId, since: Duration) -> Option<Arc<SandboxAccess>> {
        let kept = self.kept();
        let access = kept.access.get(&id)?;
        (access.read_at >= since).then(|| access.clone())
    }

    /// A number to pass to [`Self::keep`], taken before the database is read.
    pub(super) fn changes(&self) -> u64 {
        self.kept().changes
    }

    /// Keeps what was read, unless a sandbox changed since `changes` was taken. Other states than running are read each time.
    pub(super) fn keep(&self, id: SandboxId, access: &Arc<SandboxAccess>, changes: u64) {
        let mut kept = self.kept();
        if kept.changes != changes || !access.is_running() {
            return;
        }
        if kept.access.len() >= KEPT_MAX {
            kept.access.clear();
        }
        kept.access.insert(id, access.clone());
    }

    pub(super) fn remove(&self, id: SandboxId) {
        let mut kept = self.kept();
        kept.changes += 1;
        kept.access.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use locule_ids::ApiKeyId;

    use super::*;

    fn access(state: SandboxState) -> Arc<SandboxAccess> {
        let (sandbox, team) = (SandboxId::random(), TeamId::random());
        let client = |name: &str| Client {
            grant: Grant {
                team,
                caller: Granted::Key {
                    key: ApiKeyId::random(),
                    uses: true,
                },
            },
            access: format!("access of {name}"),
            traffic: format!("traffic of {name}"),
        };
        Arc::new(SandboxAccess {
            team,
            public_traffic: false,
            route: Some(Route {
                sandbox,
                team,
                state,
                host: HostId::random(),
                generation: 1,
                connector: Connector::Unix("/nowhere".into()),
                access_token: "own".to_owned(),
                auto_resume: false,
            }),
            clients: vec![client("ada"), client("bob")],
            read_at: Duration::from_secs(10),
        })
    }

    #[test]
    fn a_token_names_its_caller_and_opens_only_what_it_is_for() {
        let access = access(SandboxState::Running);
        let bob = Some(access.clients[1].grant);
        assert_eq!(access.by_access_token(b"access of bob"), bob);
        assert_eq!(access.by_traffic_token(b"traffic of bob"), bob);
        assert_eq!(
            access.by_signature(b"[access of bob]", |token| format!("[{token}]")),
            bob
        );
        assert_eq!(access.by_access_token(b"traffic of bob"), None);
        assert_eq!(access.by_traffic_token(b"access of bob"), None);
        assert_eq!(
            access.by_access_token(b"own"),
            None,
            "the guest's own token opens nothing"
        );
        assert_eq!(access.by_access_token(b""), None);
        for word in ["own", "access of ada", "traffic of bob"] {
            assert!(access.is_token(word), "{word}");
        }
        assert!(!access.is_token("access of"));
    }

    #[test]
    fn a_cookie_opens_its_port_for_its_caller_until_it_ends() {
        let access = access(SandboxState::Running);
        let at = |unix| DateTime::from_timestamp(unix, 0).unwrap();
        let bob = &access.clients[1];
        let cookie = bob.port_cookie(8080, 100);
        assert_eq!(
            access.by_port_cookie(8080, &cookie, at(99)),
            Some(bob.grant)
        );
        assert_eq!(access.by_port_cookie(8080, &cookie, at(100)), None, "ended");
        assert_eq!(access.by_port_cookie(8081, &cookie, at(99)), None);
        let prolonged = cookie.replacen("100", "999", 1);
        for forged in [&prolonged, "", ":", "100:", &cookie[..66], "x:y"] {
            assert_eq!(access.by_port_cookie(8080, forged, at(99)), None);
        }
    }

    #[test]
    fn the_access_of_a_sandbox_is_kept_until_it_is_old_or_the_sandbox_changes() {
        let (cache, id) = (AccessCache::default(), SandboxId::random());
        let at = Duration::from_secs;
        let running = access(SandboxState::Running);
        cache.keep(id, &running, cache.changes());
        assert!(cache.get(id, at(10)).is_some());
        assert!(cache.get(id, at(11)).is_none(), "too old");
        let before = cache.changes();
        cache.remove(id);
        cache.keep(id, &running, before);
        assert!(cache.get(id, at(0)).is_none(), "read before the change");
        cache.keep(id, &access(SandboxState::Paused), cache.changes());
        assert!(
            cache.get(id, at(0)).is_none(),
            "a paused sandbox may be resumed"
        );
    }
}
