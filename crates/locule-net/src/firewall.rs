//! Packet rules as text for `nft -f -`: one atomic transaction, readable in review.

use crate::host::Names;
use crate::{GUEST_IP, GUEST_MAC, HOST_IP};

/// Where no sandbox may go: private and special-purpose ranges, the metadata address and our own among them.
const CLOSED: &str = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, \
                      192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/4, 240.0.0.0/4";
/// Connections one sandbox may have open, and open in a second: it must not fill the host's table.
const CONNECTIONS_MAX: u32 = 2000;
const NEW_PER_SECOND: u32 = 400;

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

/// The inside of one namespace: only the guest's own address and MAC leave it, and only to where they may go.
pub(crate) fn sandbox_rules() -> String {
    format!(
        "table ip locule {{
  set closed {{ type ipv4_addr; flags interval; elements = {{ {CLOSED} }} }}
  set open_connections {{ type ipv4_addr; size 65535; flags dynamic; }}
  chain forwarded {{
    type filter hook forward priority 0; policy drop;
    iifname \"eth0\" oifname \"tap0\" ct state established,related accept
    iifname \"tap0\" ether saddr != {GUEST_MAC} drop
    iifname \"tap0\" ip saddr != {GUEST_IP} drop
    iifname \"tap0\" ip daddr @closed drop
    iifname \"tap0\" ct state new limit rate over {NEW_PER_SECOND}/second burst {NEW_PER_SECOND} packets drop
    iifname \"tap0\" ct state new add @open_connections {{ ip saddr ct count over {CONNECTIONS_MAX} }} drop
    iifname \"tap0\" oifname \"eth0\" accept
  }}
  chain arriving {{
    type filter hook input priority 0; policy drop;
    iifname \"lo\" accept
    iifname \"tap0\" ip saddr != {GUEST_IP} drop
    ct state established,related accept
    iifname \"tap0\" ip daddr {HOST_IP} udp dport 53 accept
    iifname \"tap0\" ip daddr {HOST_IP} tcp dport 53 accept
  }}
  chain leaving {{
    type nat hook postrouting priority 100; policy accept;
    oifname \"eth0\" masquerade
  }}
}}
"
    )
}
