//! What an operator may decide about the network of all sandboxes.

use std::net::{IpAddr, SocketAddr};

/// No more resolvers than the C library asks.
const RESOLVERS_MAX: usize = 3;

#[derive(Debug, Clone)]
pub struct NetOptions {
    /// What one sandbox may send, and receive, in Mbit/s.
    pub bandwidth_mbit: u32,
    /// Who answers questions about names; empty for the host's own resolvers.
    pub resolvers: Vec<SocketAddr>,
}

impl Default for NetOptions {
    fn default() -> Self {
        Self {
            bandwidth_mbit: 1000,
            resolvers: Vec::new(),
        }
    }
}

impl NetOptions {
    /// Whom to ask now. The host's resolvers are read anew each time: they change with the host's network.
    pub(crate) fn resolvers(&self) -> Vec<SocketAddr> {
        if self.resolvers.is_empty() {
            parse(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
        } else {
            self.resolvers.clone()
        }
    }
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let lines = text.lines().map(str::split_whitespace);
    lines
        .filter_map(|mut words| (words.next()? == "nameserver").then(|| words.next())?)
        .filter_map(|address| address.parse::<IpAddr>().ok())
        .map(|ip| SocketAddr::new(ip, 53))
        .take(RESOLVERS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_name_servers_are_asked_and_nothing_else() {
        let text = "# nameserver 1.1.1.1\nsearch x\nnameserver\t9.9.9.9 # ours\nnameserver nonsense\nnameserverless 1.2.3.4\n\
                    nameserver 2620:fe::fe\nnameserver 8.8.8.8\nnameserver 8.8.4.4\n";
        let found: Vec<_> = parse(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["9.9.9.9:53", "[2620:fe::fe]:53", "8.8.8.8:53"]);
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn any_text_names_at_most_three_resolvers() {
        let seeds = ["nameserver 9.9.9.9\nnameserver ::1\noptions edns0\nsearch a.b\n"];
        locule_fuzz::fuzz(&seeds, |text| {
            let found = parse(&String::from_utf8_lossy(text));
            assert!(found.len() <= RESOLVERS_MAX);
            found.len()
        });
    }
}
