//! Which credential a caller must present to reach a port of a sandbox. Pure: the credentials have been checked before.

use locule_guest_api::GUEST_PORT;

/// Who may use the ports of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// Open without a credential (created through the E2B dialect without `allowPublicTraffic: false`).
    Public,
    /// Open to the owning team and to requests that carry the traffic token.
    Private,
}

/// The valid credentials that a request carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PresentedCredentials {
    /// A credential of the owning team that may use sandboxes.
    pub team_key: bool,
    /// The sandbox's traffic token.
    pub traffic_token: bool,
}

/// Whether a request with these credentials may reach the port. The guest agent's own port is always open: the guest agent
/// checks its access token itself, and no team key replaces that token.
pub fn allowed(port: u16, exposure: Exposure, presented: PresentedCredentials) -> bool {
    port == GUEST_PORT
        || exposure == Exposure::Public
        || presented.team_key
        || presented.traffic_token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_port_requires_a_team_key_or_the_traffic_token() {
        let nothing = PresentedCredentials::default();
        let team_key = PresentedCredentials {
            team_key: true,
            ..nothing
        };
        let traffic_token = PresentedCredentials {
            traffic_token: true,
            ..nothing
        };
        assert!(allowed(GUEST_PORT, Exposure::Private, nothing));
        assert!(allowed(80, Exposure::Public, nothing));
        assert!(!allowed(80, Exposure::Private, nothing));
        assert!(allowed(80, Exposure::Private, team_key));
        assert!(allowed(80, Exposure::Private, traffic_token));
    }
}
