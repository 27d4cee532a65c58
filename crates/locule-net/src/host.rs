//! What all sandboxes of one instance share on this machine.

use std::collections::HashSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use locule_base::command::Command;

use crate::claim::Claim;
use crate::sandbox::SandboxNet;
use crate::{NetError, NetOptions, firewall, namespace};

/// The host's connection table has room for this many at least: enough for every slot's share.
const CONNECTION_TABLE: u64 = 1 << 20;

/// Every machine-wide name holds the instance: a sweep looks only at its own.
#[derive(Debug, Clone)]
pub struct Names {
    instance: String,
}

impl Names {
    pub fn new(instance: &str) -> Self {
        Self {
            instance: instance.to_owned(),
        }
    }

    pub fn namespace(&self, slot: u16) -> String {
        format!("locule-{}-{slot}", self.instance)
    }

    /// Host end of the way out; 15 characters at most: `lc`, eight of the instance, four of the slot.
    pub fn veth(&self, slot: u16) -> String {
        format!("lc{}{slot}", self.instance)
    }

    pub(crate) fn veth_pattern(&self) -> String {
        format!("lc{}*", self.instance)
    }

    pub(crate) fn table(&self) -> String {
        format!("locule_{}", self.instance)
    }

    pub(crate) fn namespace_path(&self, slot: u16) -> PathBuf {
        Path::new("/run/netns").join(self.namespace(slot))
    }

    async fn destroy(&self, slot: u16) -> Result<(), NetError> {
        let veth = self.veth(slot);
        if Path::new("/sys/class/net").join(&veth).exists() {
            // Its other end goes with it, also when the namespace is still in use.
            let command = Command::new("ip").args(["link", "delete", &veth]);
            command.run().await?;
        }
        let path = self.namespace_path(slot);
        namespace::forget(&path).map_err(NetError::file("remove", &path))
    }

    async fn sweep(&self, keep: &HashSet<u16>) -> Result<(), NetError> {
        let prefix = format!("locule-{}-", self.instance);
        let found = fs::read_dir("/run/netns").into_iter().flatten().flatten();
        let names = found.filter_map(|entry| entry.file_name().into_string().ok());
        let slots: Vec<u16> = names
            .filter_map(|name| name.strip_prefix(&prefix)?.parse().ok())
            .collect();
        for slot in slots.into_iter().filter(|slot| !keep.contains(slot)) {
            self.destroy(slot).await?;
        }
        Ok(())
    }

    /// What an instance left that is no more. Its addresses are ours now: two ways to one address lead nowhere.
    async fn clear_away(&self, instance: &str) -> Result<(), NetError> {
        if instance == self.instance {
            return Ok(());
        }
        let gone = Self::new(instance);
        gone.sweep(&HashSet::new()).await?;
        nft(firewall::no_host_rules(&gone)).await
    }
}

/// The host's network side of one instance.
#[derive(Debug)]
pub struct HostNet {
    names: Names,
    claim: Claim,
    options: Arc<NetOptions>,
}

impl HostNet {
    /// Claims a block of numbers and installs the host's rules. Sandboxes' namespaces of an earlier life stay until `sweep`.
    pub async fn open(
        instance: &str,
        data_dir: &Path,
        options: NetOptions,
    ) -> Result<Self, NetError> {
        let host = Self {
            names: Names::new(instance),
            claim: Claim::take(instance, data_dir)?,
            options: Arc::new(options),
        };
        if let Some(gone) = &host.claim.heir_of {
            host.names.clear_away(gone).await?;
        }
        let forward = "/proc/sys/net/ipv4/ip_forward";
        fs::write(forward, "1").map_err(NetError::file("switch on", forward))?;
        let rules = firewall::host_rules(&host.names, &host.block());
        nft(rules).await?;
        widen_connection_table();
        Ok(host)
    }

    /// The first of this instance's VMM users; a slot's user is this plus the slot.
    pub fn first_uid(&self) -> u32 {
        self.claim.first_uid()
    }

    fn block(&self) -> String {
        format!("{}/21", Ipv4Addr::from(self.claim.first_address()))
    }

    /// Makes the network of a slot. One that is half there from a crash is made anew.
    pub async fn create(&self, slot: u16) -> Result<SandboxNet, NetError> {
        self.destroy(slot).await?;
        let pair = self.claim.first_address() + u32::from(slot) * 2;
        let (host, inner) = (Ipv4Addr::from(pair), Ipv4Addr::from(pair + 1));
        SandboxNet::create(&self.names, slot, host, inner, self.options.clone()).await
    }

    /// The network of a slot that is there already.
    pub fn adopt(&self, slot: u16) -> Result<SandboxNet, NetError> {
        SandboxNet::open(&self.names, slot, self.options.clone())
    }

    /// Takes the network of a slot away. Absent is success.
    pub async fn destroy(&self, slot: u16) -> Result<(), NetError> {
        self.names.destroy(slot).await
    }

    /// Takes away every network of this instance but those of the slots to keep.
    pub async fn sweep(&self, keep: &HashSet<u16>) -> Result<(), NetError> {
        self.names.sweep(keep).await
    }

    /// Removes the host's rules and lets go of the block. For a host without sandboxes.
    pub async fn close(self) -> Result<(), NetError> {
        self.sweep(&HashSet::new()).await?;
        nft(firewall::no_host_rules(&self.names)).await?;
        self.claim.release();
        Ok(())
    }
}

async fn nft(rules: String) -> Result<(), NetError> {
    let command = Command::new("nft").args(["-f", "-"]).stdin(rules);
    command.run().await?;
    Ok(())
}

/// Only ever more: somebody else may need more yet. Where it cannot be changed, the limits of each sandbox still hold.
fn widen_connection_table() {
    let file = "/proc/sys/net/netfilter/nf_conntrack_max";
    let has = fs::read_to_string(file).ok();
    let has = has.and_then(|text| text.trim().parse::<u64>().ok());
    if has.is_some_and(|has| has < CONNECTION_TABLE) {
        let _ = fs::write(file, CONNECTION_TABLE.to_string());
    }
}
