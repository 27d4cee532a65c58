//! The links to hosts: how the control plane reaches each host agent (B-114).
//!
//! A link is made when a host is used first, and is kept until the host is deleted or has another address. Each process of the
//! control plane reads the addresses of all hosts every few seconds, so a change that another process made takes effect here, too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use locule_agent_api::{Connector, HostAgent};
use locule_domain::HostAddress;
use locule_ids::HostId;
use locule_store::{PgConnection, StoreError, hosts};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A host and how to reach it: orders by RPC, bytes through the connector.
#[derive(Clone)]
pub struct HostLink {
    pub id: HostId,
    pub agent: Arc<dyn HostAgent>,
    pub connector: Connector,
}

impl std::fmt::Debug for HostLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostLink")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Makes the link to a host at an address. `None`: this control plane cannot use addresses of this kind.
pub type Dial = Arc<dyn Fn(HostId, &HostAddress) -> Option<HostLink> + Send + Sync>;

struct Known {
    address: String,
    link: HostLink,
    /// Cancelled when the link is dropped: the watch of the host ends.
    dropped: CancellationToken,
    is_watched: bool,
}

/// The links of a process. Cheap to clone; clones share the links.
#[derive(Clone)]
pub struct HostLinks {
    dial: Dial,
    known: Arc<Mutex<BTreeMap<HostId, Known>>>,
    /// Notified when there is a link whose watch has not begun.
    made: Arc<Notify>,
}

impl std::fmt::Debug for HostLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.known().keys()).finish()
    }
}

/// A link whose watch has not begun.
pub(crate) struct Unwatched {
    pub(crate) link: HostLink,
    pub(crate) dropped: CancellationToken,
}

impl HostLinks {
    pub fn new(dial: Dial) -> Self {
        Self {
            dial,
            known: Arc::default(),
            made: Arc::default(),
        }
    }

    /// Links that exist already, whatever the addresses of their hosts are.
    pub fn of(links: Vec<HostLink>) -> Self {
        Self::new(Arc::new(move |id, _| {
            links.iter().find(|link| link.id == id).cloned()
        }))
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<HostId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A link that is not kept, to a host that may not have this address.
    pub(crate) fn dial(&self, id: HostId, address: &HostAddress) -> Option<HostLink> {
        (self.dial)(id, address)
    }

    /// The link to a host, whose address is read. `None`: the host does not exist, or was never reached.
    pub(crate) async fn read(
        &self,
        conn: &mut PgConnection,
        id: HostId,
    ) -> Result<Option<HostLink>, StoreError> {
        let host = hosts::get(conn, id).await?;
        Ok(host.and_then(|host| self.keep(id, &host.address)))
    }

    /// Reads the addresses of all hosts.
    pub(crate) async fn read_all(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        self.replace(&hosts::registered(conn).await?);
        Ok(())
    }

    /// The link to a host, if this process has used the host before.
    pub(crate) fn kept(&self, id: HostId) -> Option<HostLink> {
        self.known().get(&id).map(|known| known.link.clone())
    }

    /// Every link.
    pub(crate) fn all(&self) -> Vec<HostLink> {
        self.known()
            .values()
            .map(|known| known.link.clone())
            .collect()
    }

    /// Keeps the link to a host, in place of a link to another address.
    pub(crate) fn keep(&self, id: HostId, address: &str) -> Option<HostLink> {
        let mut all = self.known();
        if let Some(known) = all.get(&id)
            && known.address == address
        {
            return Some(known.link.clone());
        }
        let link = address
            .parse()
            .ok()
            .and_then(|parsed| (self.dial)(id, &parsed))?;
        let known = Known {
            address: address.to_owned(),
            link: link.clone(),
            dropped: CancellationToken::new(),
            is_watched: false,
        };
        if let Some(earlier) = all.insert(id, known) {
            earlier.dropped.cancel();
        }
        self.made.notify_one();
        Some(link)
    }

    /// Drops the link to a host that was deleted.
    pub(crate) fn drop_link(&self, id: HostId) {
        if let Some(known) = self.known().remove(&id) {
            known.dropped.cancel();
        }
    }

    /// Keeps exactly the links of these hosts.
    fn replace(&self, hosts: &[(HostId, String)]) {
        let listed: BTreeSet<HostId> = hosts.iter().map(|(id, _)| *id).collect();
        let known: BTreeSet<HostId> = self.known().keys().copied().collect();
        let gone = known.difference(&listed).copied();
        for id in gone {
            self.drop_link(id);
        }
        for (id, address) in hosts {
            if self.keep(*id, address).is_none() {
                tracing::warn!(host.id = %id, "the control plane cannot use the address of a host");
            }
        }
    }

    /// Returns when a link was made since the last call.
    pub(crate) async fn made(&self) {
        self.made.notified().await;
    }

    /// The links whose watch has not begun. The caller begins it.
    pub(crate) fn take_unwatched(&self) -> Vec<Unwatched> {
        let mut all = self.known();
        let unwatched = all.values_mut().filter(|known| !known.is_watched);
        unwatched
            .map(|known| {
                known.is_watched = true;
                Unwatched {
                    link: known.link.clone(),
                    dropped: known.dropped.clone(),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> HostLinks {
        HostLinks::new(Arc::new(|id, address| {
            let HostAddress::Unix(path) = address else {
                return None;
            };
            let connector = Connector::Unix(path.clone());
            let agent = Arc::new(locule_agent_api::Client::new(connector.clone()));
            Some(HostLink {
                id,
                agent,
                connector,
            })
        }))
    }

    fn connector(links: &HostLinks, id: HostId) -> Option<Connector> {
        links.kept(id).map(|link| link.connector)
    }

    #[test]
    fn a_link_is_kept_until_its_host_has_another_address_or_is_gone() {
        let (links, one, other) = (links(), HostId::random(), HostId::random());
        let row = |id, address: &str| (id, address.to_owned());
        links.replace(&[row(one, "unix:/a"), row(other, "unix:/b")]);
        let mut watched = links.take_unwatched();
        watched.sort_by_key(|watch| watch.link.id != one);
        assert_eq!(watched.len(), 2);
        assert!(links.take_unwatched().is_empty());

        links.replace(&[row(one, "unix:/a"), row(other, "unix:/c")]);
        assert!(!watched[0].dropped.is_cancelled());
        assert!(watched[1].dropped.is_cancelled());
        assert_eq!(connector(&links, other), Some(Connector::Unix("/c".into())));
        let again = links.take_unwatched();
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].link.id, other);

        links.replace(&[row(one, "unix:/a")]);
        assert!(again[0].dropped.is_cancelled());
        assert_eq!(connector(&links, other), None);
        assert_eq!(connector(&links, one), Some(Connector::Unix("/a".into())));
        links.drop_link(one);
        assert!(watched[0].dropped.is_cancelled());
    }

    #[test]
    fn a_host_with_an_address_that_cannot_be_used_has_no_link() {
        let (links, id) = (links(), HostId::random());
        for address in ["", "10.0.0.7:50051", "no address"] {
            links.replace(&[(id, address.to_owned())]);
            assert!(links.all().is_empty(), "{address}");
        }
    }
}
