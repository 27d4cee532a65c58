//! What all sandboxes of one instance share on this machine.

use std::collections::HashSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use locule_base::command::Command;

use crate::claim::Claim;
use crate::sandbox::SandboxNet;
use crate::{NetError, firewall};

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
}

/// The host's network side of one instance.
#[derive(Debug)]
pub struct HostNet {
    names: Names,
    claim: Claim,
}

impl HostNet {
    /// Claims a block of numbers and installs the host's rules. Sandboxes' namespaces of an earlier life stay until `sweep`.
    pub async fn open(instance: &str, data_dir: &Path) -> Result<Self, NetError> {
        let names = Names::new(instance);
        let claim = Claim::take(instance, data_dir)?;
        let host = Self { names, claim };
        let forward = "/proc/sys/net/ipv4/ip_forward";
        fs::write(forward, "1").map_err(NetError::file("switch on", forward))?;
        let rules = firewall::host_rules(&host.names, &host.block());
        Command::new("nft")
            .args(["-f", "-"])
            .stdin(rules)
            .run()
            .await?;
        Ok(host)
    }

    /// The first of this instance's VMM users; a slot's user is this plus the slot.
    pub fn first_uid(&self) -> u32 {
        self.claim.first_uid()
    }

    fn first_address(&self) -> u32 {
        // 64 blocks of 2048 addresses in 198.18.0.0/15, which nobody may use on a real network.
        u32::from(Ipv4Addr::new(198, 18, 0, 0)) + self.claim.block * 2048
    }

    fn block(&self) -> String {
        format!("{}/21", Ipv4Addr::from(self.first_address()))
    }

    /// Makes the network of a slot. One that is half there from a crash is made anew.
    pub async fn create(&self, slot: u16) -> Result<SandboxNet, NetError> {
        self.destroy(slot).await?;
        let pair = self.first_address() + u32::from(slot) * 2;
        SandboxNet::create(
            &self.names,
            slot,
            Ipv4Addr::from(pair),
            Ipv4Addr::from(pair + 1),
        )
        .await
    }

    /// The network of a slot that is there already.
    pub fn adopt(&self, slot: u16) -> Result<SandboxNet, NetError> {
        SandboxNet::open(&self.names, slot)
    }

    /// Takes the network of a slot away. Absent is success.
    pub async fn destroy(&self, slot: u16) -> Result<(), NetError> {
        let veth = self.names.veth(slot);
        if Path::new("/sys/class/net").join(&veth).exists() {
            // Its other end goes with it, also when the namespace is still in use.
            Command::new("ip")
                .args(["link", "delete", &veth])
                .run()
                .await?;
        }
        if self.names.namespace_path(slot).exists() {
            Command::new("ip")
                .args(["netns", "delete", &self.names.namespace(slot)])
                .run()
                .await?;
        }
        Ok(())
    }

    /// Takes away every network of this instance but those of the slots to keep.
    pub async fn sweep(&self, keep: &HashSet<u16>) -> Result<(), NetError> {
        let prefix = format!("locule-{}-", self.names.instance);
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

    /// Removes the host's rules and lets go of the block. For a host without sandboxes.
    pub async fn close(self) -> Result<(), NetError> {
        self.sweep(&HashSet::new()).await?;
        let rules = firewall::no_host_rules(&self.names);
        Command::new("nft")
            .args(["-f", "-"])
            .stdin(rules)
            .run()
            .await?;
        self.claim.release();
        Ok(())
    }
}
