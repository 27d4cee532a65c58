//! Packet rules as text for `nft -f -`, which applies them in one atomic transaction.

use locule_base::command::Command;

use crate::names::Names;
use crate::{GUEST_IP, GUEST_MAC, HOST_IP, NetError, NetOptions};

/// Destinations that sandboxes must not reach: private and special-purpose ranges, which contain the metadata addresses and
/// the addresses of sandboxes. 168.63.129.16 is the host of an Azure VM, which serves secrets to every process on the VM.
const CLOSED: &str = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 168.63.129.16, 169.254.0.0/16, 172.16.0.0/12, \
                      192.0.0.0/24, 192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/4, 240.0.0.0/4";
/// Limits for the connections of one sandbox: open at a time, new per second, and new at once. A closed connection stays in
/// the host's table for up to two minutes, so the rate bounds the table as much as the number does.
const CONNECTIONS_MAX: u32 = 2000;
const NEW_PER_SECOND: u32 = 100;
const NEW_BURST: u32 = 500;
/// New connections of one sandbox that are admitted whatever the other sandboxes do.
const OWN_NEW_PER_SECOND: u32 = 10;
const OWN_NEW_BURST: u32 = 50;
/// What all sandboxes share beyond that may come at once: the connections of so many seconds.
const SHARED_BURST_SECONDS: u32 = 10;
/// Sandboxes whose own connections are counted at a time: more than an instance has.
const OWN_MAX: u32 = 65_535;
/// Limits for DNS queries: each may become a connection of the host to its resolver.
const DNS_QUERIES_PER_SECOND: u32 = 100;
const DNS_QUERIES_BURST: u32 = 200;
const DNS_CONNECTIONS_PER_SECOND: u32 = 20;
const DNS_CONNECTIONS_BURST: u32 = 40;

/// Applies packet rules in the namespace of the calling thread.
pub(crate) async fn nft(rules: String) -> Result<(), NetError> {
    let command = Command::new("nft").args(["-f", "-"]).stdin(rules);
    command.run().await?;
    Ok(())
}

/// The rules in the host's namespace, for all sandboxes of one instance. A new connection is asked for the sandbox's own share
/// before the share of all: sandboxes that open many connections leave each other sandbox its own. The source address is the
/// sandbox's: its namespace has translated it.
pub(crate) fn host_rules(names: &Names, block: &str, options: &NetOptions) -> String {
    let (table, veths) = (names.table(), names.veth_pattern());
    let shared = options.shared_connections_per_second.max(1);
    let shared_burst = shared.saturating_mul(SHARED_BURST_SECONDS);
    format!(
        "table ip {table} {{}}
delete table ip {table}
table ip {table} {{
  set closed {{ type ipv4_addr; flags interval; elements = {{ {CLOSED} }} }}
  set own_new {{ type ipv4_addr; size {OWN_MAX}; flags dynamic,timeout; timeout 1m; }}
  chain forwarded {{
    type filter hook forward priority -10; policy accept;
    iifname \"{veths}\" ip saddr != {block} drop
    iifname \"{veths}\" ip daddr @closed drop
    iifname \"{veths}\" ct state invalid drop
    iifname \"{veths}\" ct state new update @own_new {{ ip saddr limit rate {OWN_NEW_PER_SECOND}/second burst {OWN_NEW_BURST} packets }} accept
    iifname \"{veths}\" ct state new limit rate over {shared}/second burst {shared_burst} packets drop
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

/// The rules in the namespace of one sandbox: packets leave it only with the guest's own address and MAC, only to allowed
/// destinations, and in both directions no faster than `bandwidth_mbit`.
pub(crate) fn sandbox_rules(bandwidth_mbit: u32) -> String {
    let kilobytes = u64::from(bandwidth_mbit.max(1)) * 125;
    // The bytes that one second leaves unused may follow at once, plus a burst of a few large frames.
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
    iifname \"tap0\" ip daddr {HOST_IP} udp dport 53 limit rate over {DNS_QUERIES_PER_SECOND}/second burst {DNS_QUERIES_BURST} packets drop
    ct state established,related accept
    iifname \"tap0\" ip daddr {HOST_IP} udp dport 53 accept
    iifname \"tap0\" ip daddr {HOST_IP} tcp dport 53 ct state new limit rate {DNS_CONNECTIONS_PER_SECOND}/second burst {DNS_CONNECTIONS_BURST} packets accept
  }}
  chain leaving {{
    type nat hook postrouting priority 100; policy accept;
    oifname \"eth0\" masquerade
  }}
}}
"
    )
}
