//! Whether the machine passes packets on between its interfaces.
//!
//! Sandboxes reach the internet through the machine's forwarding, which is one switch for all interfaces. Where that switch was
//! off, Locule turns it on together with a table that refuses every packet that is neither from nor to a sandbox: the machine
//! must not become a router between its networks. Where the switch was on before (a router, a host of containers), its owner's
//! rules decide about foreign packets, and Locule adds none.
//!
//! The table is the mark that Locule turned the switch on. It belongs to all instances of a machine, and the last one that closes
//! removes it and turns the switch off again.
//!
//! The switch of a single interface (`net.ipv4.conf.<if>.forwarding`) is no alternative: answers to sandboxes arrive on the
//! uplink, whose switch would let packets pass from there into every other network.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use locule_base::command::Command;
use locule_base::errors::FileError;

use crate::NetError;
use crate::firewall::nft;
use crate::names::{TABLE_PREFIX, VETH_PREFIX};

const SWITCH: &str = "/proc/sys/net/ipv4/ip_forward";
const SWITCHES: &str = "/proc/sys/net/ipv4/conf";
const TABLE: &str = "locule_forwarding";
const LOCK: &str = "/run/locule/forwarding.lock";

/// Who decides which packets the machine passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// It passes none on: no sandbox has a network.
    Off,
    /// Locule: it turned forwarding on, for packets from and to sandboxes only.
    SandboxesOnly,
    /// The owner of the machine, where it forwarded before Locule was started.
    OfMachine,
}

impl Forwarding {
    /// What the machine does now. Needs root.
    pub async fn current() -> Result<Self, NetError> {
        if has_table().await? {
            return Ok(Self::SandboxesOnly);
        }
        Ok(if is_on(Path::new(SWITCH)) {
            Self::OfMachine
        } else {
            Self::Off
        })
    }
}

/// One instance at a time looks at the machine's forwarding and changes it. Released when dropped.
pub(crate) async fn lock() -> Result<File, NetError> {
    let take = || {
        let file = File::create(LOCK)?;
        file.lock()?;
        Ok(file)
    };
    let taken = tokio::task::spawn_blocking(take).await;
    let taken = taken.unwrap_or_else(|error| Err(io::Error::other(error)));
    Ok(taken.map_err(FileError::on("lock", LOCK))?)
}

/// Makes the machine forward the packets of sandboxes.
pub(crate) async fn turn_on(_lock: &File) -> Result<Forwarding, NetError> {
    let before = Forwarding::current().await?;
    if before == Forwarding::OfMachine {
        return Ok(before);
    }
    if before == Forwarding::Off {
        // Before the switch: at no time is a foreign packet passed on.
        nft(rules(&forwarding_interfaces())).await?;
    }
    fs::write(SWITCH, "1").map_err(FileError::on("enable forwarding in", SWITCH))?;
    Ok(Forwarding::SandboxesOnly)
}

/// Restores what the first instance found, unless another instance needs it.
pub(crate) async fn turn_off_if_unused(_lock: &File) -> Result<(), NetError> {
    let tables = tables().await?;
    let is_unused = !tables
        .iter()
        .any(|table| table != TABLE && table.starts_with(TABLE_PREFIX));
    if is_unused && tables.iter().any(|table| table == TABLE) {
        fs::write(SWITCH, "0").map_err(FileError::on("disable forwarding in", SWITCH))?;
        nft(format!("delete table ip {TABLE}\n")).await?;
    }
    Ok(())
}

async fn has_table() -> Result<bool, NetError> {
    Ok(tables().await?.iter().any(|table| table == TABLE))
}

async fn tables() -> Result<Vec<String>, NetError> {
    let listed = Command::new("nft").args(["list", "tables", "ip"]).run();
    let listed = String::from_utf8_lossy(&listed.await?.stdout).into_owned();
    let names = listed
        .lines()
        .filter_map(|line| line.strip_prefix("table ip "));
    Ok(names.map(|name| name.trim().to_owned()).collect())
}

fn is_on(switch: &Path) -> bool {
    fs::read_to_string(switch).is_ok_and(|text| text.trim() == "1")
}

/// The interfaces whose own switch is on although that of the machine is off: what arrives there is passed on as before.
fn forwarding_interfaces() -> Vec<String> {
    let entries = fs::read_dir(SWITCHES).into_iter().flatten().flatten();
    let on = entries.filter(|entry| is_on(&entry.path().join("forwarding")));
    let names = on.filter_map(|entry| entry.file_name().into_string().ok());
    // `default` is the value for interfaces to come, and `all` is the switch of the machine.
    let mut names: Vec<_> = names
        .filter(|name| name != "all" && name != "default")
        .collect();
    names.sort_unstable();
    names
}

/// A verdict of an instance's own table accepts for that table only: the packets of every instance pass here too.
fn rules(forwarding_before: &[String]) -> String {
    let before = forwarding_before
        .iter()
        .map(|name| format!("    iifname \"{name}\" accept\n"));
    let before = before.collect::<Vec<_>>().concat();
    format!(
        "table ip {TABLE} {{
  chain forwarded {{
    type filter hook forward priority -5; policy drop;
    iifname \"{VETH_PREFIX}*\" accept
    oifname \"{VETH_PREFIX}*\" accept
{before}  }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_forwarded_before_goes_on() {
        let rules = rules(&["eth1".to_owned(), "wg0".to_owned()]);
        assert!(rules.contains("policy drop"), "{rules}");
        let accepted: Vec<_> = rules
            .lines()
            .filter_map(|line| line.trim().strip_suffix(" accept"))
            .collect();
        assert_eq!(
            accepted,
            [
                "iifname \"lc*\"",
                "oifname \"lc*\"",
                "iifname \"eth1\"",
                "iifname \"wg0\""
            ]
        );
    }
}
