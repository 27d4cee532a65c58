//! The part of the network that all sandboxes of one instance share on this machine.

use std::collections::HashSet;
use std::fs;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use locule_base::errors::FileError;

use crate::claim::Claim;
use crate::firewall::{self, nft};
use crate::forwarding::{self, Forwarding};
use crate::names::{NAMESPACES, Names};
use crate::sandbox::{HostNamespace, SandboxNet};
use crate::{NetError, NetOptions, namespace};

/// The lower bound for the size of the host's connection table: enough for the share of every slot.
const CONNECTION_TABLE: u64 = 1 << 20;

/// The network of one instance on the host's side.
#[derive(Debug)]
pub struct HostNet {
    names: Names,
    claim: Claim,
    options: Arc<NetOptions>,
    namespace: HostNamespace,
    forwarding: Forwarding,
}

impl HostNet {
    /// Claims a block of addresses and user ids, and installs the host's packet rules. Networks that an earlier agent process
    /// created stay until [`Self::sweep`].
    pub async fn open(
        instance: &str,
        data_dir: &Path,
        options: NetOptions,
    ) -> Result<Self, NetError> {
        let folder = Path::new(NAMESPACES);
        namespace::share(folder).map_err(FileError::on("make a shared mount of", folder))?;
        let mut host = Self {
            names: Names::new(instance),
            claim: Claim::take(instance, data_dir)?,
            options: Arc::new(options),
            namespace: HostNamespace::current()?,
            forwarding: Forwarding::Off,
        };
        if let Some(previous) = &host.claim.previous_instance {
            host.remove_leftovers_of(previous).await?;
        }
        // Until this instance's own table is there, another one could take forwarding for unused.
        let lock = forwarding::lock().await?;
        let rules = firewall::host_rules(&host.names, &host.block(), &host.options);
        nft(rules).await?;
        host.forwarding = forwarding::turn_on(&lock).await?;
        drop(lock);
        raise_connection_table_limit();
        Ok(host)
    }

    /// Who decides which packets this machine passes on.
    pub fn forwarding(&self) -> Forwarding {
        self.forwarding
    }

    /// The user id of the VMM in slot 0. The user id of a slot is this number plus the slot.
    pub fn first_uid(&self) -> u32 {
        self.claim.first_uid()
    }

    /// The user ids of the block: of the VMMs of this instance, and of no other process.
    pub fn uids(&self) -> Range<u32> {
        self.claim.uids()
    }

    /// Removes the networks and rules of an instance that held this block before. They use addresses of the block, and a
    /// second route to an address would break the first.
    async fn remove_leftovers_of(&self, instance: &str) -> Result<(), NetError> {
        if instance == self.names.instance() {
            return Ok(());
        }
        let previous = Names::new(instance);
        all_removed(previous.sweep(&HashSet::new()).await)?;
        nft(firewall::no_host_rules(&previous)).await
    }

    fn block(&self) -> String {
        format!("{}/21", Ipv4Addr::from(self.claim.first_address()))
    }

    /// Creates the network of a slot. A network that a crash left incomplete is replaced.
    pub async fn create(&self, slot: u16) -> Result<SandboxNet, NetError> {
        self.destroy(slot).await?;
        let pair = self.claim.first_address() + u32::from(slot) * 2;
        let (host, inner) = (Ipv4Addr::from(pair), Ipv4Addr::from(pair + 1));
        let ends = (host, inner);
        SandboxNet::create(
            &self.names,
            slot,
            ends,
            &self.namespace,
            self.options.clone(),
        )
        .await
    }

    /// Adopts the existing network of a slot.
    pub fn adopt(&self, slot: u16) -> Result<SandboxNet, NetError> {
        SandboxNet::open(&self.names, slot, self.options.clone())
    }

    /// Removes the network of a slot. A missing network is no error.
    pub async fn destroy(&self, slot: u16) -> Result<(), NetError> {
        self.names.destroy(slot).await
    }

    /// Removes every network of this instance except those of the slots in `keep`. Returns the slots whose networks cannot be
    /// removed: they cannot be used.
    pub async fn sweep(&self, keep: &HashSet<u16>) -> Vec<(u16, NetError)> {
        self.names.sweep(keep).await
    }

    /// Removes all networks and the host's rules, releases the block, and turns off forwarding where the first instance turned
    /// it on and this one is the last. For a host without sandboxes.
    pub async fn close(self) -> Result<(), NetError> {
        all_removed(self.sweep(&HashSet::new()).await)?;
        let lock = forwarding::lock().await?;
        nft(firewall::no_host_rules(&self.names)).await?;
        forwarding::turn_off_if_unused(&lock).await?;
        self.claim.release();
        Ok(())
    }
}

fn all_removed(failed: Vec<(u16, NetError)>) -> Result<(), NetError> {
    failed
        .into_iter()
        .next()
        .map_or(Ok(()), |(_, error)| Err(error))
}

/// Never lowers the limit: other programs may need a higher one. Where it cannot be raised, the limits of each sandbox still
/// apply.
fn raise_connection_table_limit() {
    let file = "/proc/sys/net/netfilter/nf_conntrack_max";
    let limit = fs::read_to_string(file).ok();
    let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
    if limit.is_some_and(|limit| limit < CONNECTION_TABLE) {
        let _ = fs::write(file, CONNECTION_TABLE.to_string());
    }
}
