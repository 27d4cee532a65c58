//! Packet rules as text for `nft -f -`: one atomic transaction, readable in review.

use crate::host::Names;
use crate::{GUEST_IP, GUEST_MAC, HOST_IP};

/// Where no sandbox may go: private and special-purpose ranges, the metadata addresses and our own among them. 168.63.129.16
/// is Azure's host, which tells secrets to whoever can reach it.
const CLOSED: &str = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 168.63.129.16, 169.254.0.0/16, 172.16.0.0/12, \
                      192.0.0.0/24, 192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/4, 240.0.0.0/4";
/// Connections one sandbox may have open, and open in a second for long and at once. One that was closed stays in the host's
/// table for up to two minutes, so the rate bounds the table as much as the number does.
const CONNECTIONS_MAX: u32 = 2000;
const NEW_PER_SECOND: u32 = 100;
const NEW_BURST: u32 = 500;
/// The same for all sandboxes of an instance together.
const ALL_NEW_PER_SECOND: u32 = 1000;
const ALL_NEW_BURST: u32 = 10_000;
/// Questions about names in a second: each may become a connection of the host to its resolver.
const QUESTIONS_PER_SECOND: u32 = 100;
const QUESTIONS_BURST: u32 = 200;
const NAME_CONNECTIONS_PER_SECOND: u32 = 20;
const NAME_CONNECTIONS_BURST: u32 = 40;

/// The host's side of all sandboxes of one instance.
pub(crate) fn host_rules(names: &Names, block: &str) -> String {
    let (table, veths) = (names.table(), names.veth_pattern());
    format!(
        "table ip {table} {{}}
delete table ip {table}
table ip {table} {{
  set closed {{ type ipv4_addr; flags interval; elements = {{ {CLOSED} }} }}
  chain forwarded {{
    type filter hook forward priority -10; policy accept;
    iifname \"{veths}\" ip saddr != {block} drop
    iifname \"{veths}\" ip daddr @closed drop
    iifname \"{veths}\" ct state invalid drop
    iifname \"{veths}\" ct state new limit rate over {ALL_NEW_PER_SECOND}/second burst {ALL_NEW_BURST} packets drop
    iifname \"{veths}\" accept
    oifname \"{veths}\" ct state established,related accept
    oifname \"{veths}\" drop
  }}
  chain arriving {{
    type filter hook input priority -10; policy accept;
    iifname \"{veths}\" drop
  }}
  chain leaving {{
    type nat hook postrouting priority 100; policy accept;
    ip saddr {block} oifname != \"{veths}\" masquerade
  }}
}}
table ip6 {table} {{}}
delete table ip6 {table}
table ip6 {table} {{
  chain forwarded {{
    type filter hook forward priority -10; policy accept;
    iifname \"{veths}\" drop
  }}
  chain arriving {{
    type filter hook input priority -10; policy accept;
    iifname \"{veths}\" drop
  }}
}}
"
    )
}

pub(crate) fn no_host_rules(names: &Names) -> String {
    let table = names.table();
    format!(
        "table ip {table} {{}}\ndelete table ip {table}\ntable ip6 {table} {{}}\ndelete table ip6 {table}\n"
    )
}

/// The inside of one namespace: only the guest's own address and MAC leave it, only to where they may go, and no faster than
/// `bandwidth_mbit` either way.
pub(crate) fn sandbox_rules(bandwidth_mbit: u32) -> String {
    let kilobytes = u64::from(bandwidth_mbit.max(1)) * 125;
    // What was not used for a second may come at once, and a frame or two on top.
    let bandwidth = format!("limit rate over {kilobytes} kbytes/second burst 128 kbytes drop");
    format!(
        "table ip locule {{
  set closed {{ type ipv4_addr; flags interval; elements = {{ {CLOSED} }} }}
  set open_connections {{ type ipv4_addr; size 65535; flags dynamic; }}
  chain forwarded {{
    type filter hook forward priority 0; policy drop;
    iifname \"eth0\" {bandwidth}
    iifname \"tap0\" {bandwidth}
    iifname \"eth0\" oifname \"tap0\" ct state established,related accept
    iifname \"tap0\" ether saddr != {GUEST_MAC} drop
    iifname \"tap0\" ip saddr != {GUEST_IP} drop
    iifname \"tap0\" ip daddr @closed drop
    iifname \"tap0\" ct state invalid drop
    iifname \"tap0\" ct state new limit rate over {NEW_PER_SECOND}/second burst {NEW_BURST} packets drop
    iifname \"tap0\" ct state new add @open_connections {{ ip saddr ct count over {CONNECTIONS_MAX} }} drop
    iifname \"tap0\" oifname \"eth0\" accept
  }}
  chain arriving {{
    type filter hook input priority 0; policy drop;
    iifname \"lo\" accept
    iifname \"tap0\" ether saddr != {GUEST_MAC} drop
    iifname \"tap0\" ip saddr != {GUEST_IP} drop
    iifname \"tap0\" ip daddr {HOST_IP} udp dport 53 limit rate over {QUESTIONS_PER_SECOND}/second burst {QUESTIONS_BURST} packets drop
    ct state established,related accept
    iifname \"tap0\" ip daddr {HOST_IP} udp dport 53 accept
    iifname \"tap0\" ip daddr {HOST_IP} tcp dport 53 ct state new limit rate {NAME_CONNECTIONS_PER_SECOND}/second burst {NAME_CONNECTIONS_BURST} packets accept
  }}
  chain leaving {{
    type nat hook postrouting priority 100; policy accept;
    oifname \"eth0\" masquerade
  }}
}}
"
    )
}
