//! What a caller must show to reach a port of a sandbox. Pure: the caller has been looked up before.

use locule_guest_api::GUEST_PORT;

/// Who may use the ports of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// Anybody who knows the name (created through the E2B dialect without `allowPublicTraffic: false`).
    Public,
    /// The team, or who shows the traffic token.
    Private,
}

/// What the request proved about its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shown {
    /// A credential of the owning team that may use sandboxes.
    pub team_key: bool,
    /// The sandbox's traffic token.
    pub traffic_token: bool,
}

/// Whether the port opens. The guest agent's own port always does: it checks its access token itself, and no team key
/// replaces that.
pub fn allowed(port: u16, exposure: Exposure, shown: Shown) -> bool {
    port == GUEST_PORT || exposure == Exposure::Public || shown.team_key || shown.traffic_token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_port_wants_the_team_or_the_token() {
        let nothing = Shown::default();
        let team_key = Shown {
            team_key: true,
            ..nothing
        };
        let traffic_token = Shown {
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
