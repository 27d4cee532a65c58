//! The machine-wide names of one instance: namespaces, network devices and packet filter tables.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use locule_base::command::Command;
use locule_base::errors::FileError;

use crate::{NetError, namespace};

/// How the name of the host's end of every uplink begins, of whatever instance.
pub(crate) const VETH_PREFIX: &str = "lc";
/// How the name of every instance's table begins.
pub(crate) const TABLE_PREFIX: &str = "locule_";

/// The folder of named namespaces, which other programs use too.
pub(crate) const NAMESPACES: &str = "/run/netns";

/// Every name contains the instance, so that a sweep finds only the objects of its own instance.
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

    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    pub fn namespace(&self, slot: u16) -> String {
        format!("locule-{}-{slot}", self.instance)
    }

    /// The host's end of a sandbox's uplink. At most 15 characters: `lc`, eight of the instance, four of the slot.
    pub fn veth(&self, slot: u16) -> String {
        format!("{VETH_PREFIX}{}{slot}", self.instance)
    }

    pub(crate) fn veth_pattern(&self) -> String {
        format!("{VETH_PREFIX}{}*", self.instance)
    }

    pub(crate) fn table(&self) -> String {
        format!("{TABLE_PREFIX}{}", self.instance)
    }

    pub(crate) fn namespace_path(&self, slot: u16) -> PathBuf {
        Path::new(NAMESPACES).join(self.namespace(slot))
    }

    /// Removes the network of a slot. A missing network is no error.
    pub(crate) async fn destroy(&self, slot: u16) -> Result<(), NetError> {
        let veth = self.veth(slot);
        if Path::new("/sys/class/net").join(&veth).exists() {
            // This also removes the peer, even while the namespace is in use.
            let command = Command::new("ip").args(["link", "delete", &veth]);
            command.run().await?;
        }
        let path = self.namespace_path(slot);
        namespace::remove(&path).map_err(FileError::on("remove", &path))?;
        Ok(())
    }

    /// Removes every network of the instance except those of the slots in `keep`. Returns the slots whose networks cannot be
    /// removed.
    pub(crate) async fn sweep(&self, keep: &HashSet<u16>) -> Vec<(u16, NetError)> {
        let prefix = format!("locule-{}-", self.instance);
        let found = fs::read_dir(NAMESPACES).into_iter().flatten().flatten();
        let names = found.filter_map(|entry| entry.file_name().into_string().ok());
        let slots: Vec<u16> = names
            .filter_map(|name| name.strip_prefix(&prefix)?.parse().ok())
            .collect();
        let mut failed = Vec::new();
        for slot in slots.into_iter().filter(|slot| !keep.contains(slot)) {
            if let Err(error) = self.destroy(slot).await {
                failed.push((slot, error));
            }
        }
        failed
    }
}
