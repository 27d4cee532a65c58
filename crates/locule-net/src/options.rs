//! Options of the operator for the networks of all sandboxes.

use std::net::{IpAddr, SocketAddr};

/// The number of resolvers that the C library uses.
const RESOLVERS_MAX: usize = 3;

#[derive(Debug, Clone)]
pub struct NetOptions {
    /// The bandwidth of one sandbox in each direction, in Mbit/s.
    pub bandwidth_mbit: u32,
    /// New connections per second of all sandboxes together, beyond what each sandbox has for itself. Ten times as many at once.
    pub shared_connections_per_second: u32,
    /// The resolvers for sandboxes. Empty: the host's resolvers.
    pub resolvers: Vec<SocketAddr>,
}

impl Default for NetOptions {
    fn default() -> Self {
        Self {
            bandwidth_mbit: 1000,
            shared_connections_per_second: 1000,
            resolvers: Vec::new(),
        }
    }
}

impl NetOptions {
    /// The resolvers to use now. The host's are read each time, because they change with the host's network.
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
    fn the_first_three_valid_name_servers_of_resolv_conf_are_used() {
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
