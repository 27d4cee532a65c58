//! The heartbeat of a host agent, every 30 s. The first heartbeat, and the first from another address, make the control plane call the
//! agent at its address: a host is online only where the control plane reaches it (W-036).

use locule_domain::{HostAddress, HostEvent, HostState};
use locule_ids::HostId;
use locule_store::hosts::{self, Host};
use locule_store::{PgConnection, host_tokens};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::audit::{self, AuditEvent, HostAuditEvent};
use crate::caller::Actor;
use crate::error::CommonError;
use crate::hosts::Hosts;
use crate::hosts::error::HostError;
use crate::hosts::links::HostLink;
use crate::hosts::register::HostIdentity;

/// Text of a heartbeat that is stored: more is refused.
const TEXT_CHARS_MAX: usize = 256;
const TEMPLATES_MAX: usize = 1000;

/// What a host says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The address of the agent. `None`: as before.
    pub address: Option<HostAddress>,
    pub agent_version: String,
    pub protocol: u32,
    pub accelerator: String,
    /// Of the machine: changes with each of its starts.
    pub boot_id: String,
    pub free_memory_mib: u64,
    pub pool_free_bytes: u64,
    /// The templates from which the host can create sandboxes.
    pub templates: Vec<HostTemplate>,
    /// [`locule_agent_api::inventory_hash`] of what the host holds.
    pub inventory_hash: String,
}

/// A template that a host has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostTemplate {
    pub name: String,
    /// The hash of its root filesystem.
    pub sha256: String,
}

/// The names of the templates from which a host can create sandboxes, as its latest heartbeat said. The name decides, and not the hash: a
/// host of an earlier version of the platform keeps its template while the operator updates one host after the other.
pub(crate) fn templates(report: &Value) -> impl Iterator<Item = &str> {
    let templates = report["templates"].as_array();
    let templates = templates.into_iter().flatten();
    templates.filter_map(|template| template["name"].as_str())
}

impl Heartbeat {
    fn check(&self) -> Result<(), CommonError> {
        let texts = [
            &self.agent_version,
            &self.accelerator,
            &self.boot_id,
            &self.inventory_hash,
        ];
        let templates = self.templates.iter();
        let templates = templates.flat_map(|template| [&template.name, &template.sha256]);
        let mut all = texts.into_iter().chain(templates);
        // The API counts in signed numbers of 64 bits.
        if self.free_memory_mib.max(self.pool_free_bytes) > i64::MAX.unsigned_abs() {
            let why = format!("a number of a heartbeat may be {} at most", i64::MAX);
            return Err(CommonError::Invalid(why));
        }
        let is_text =
            |text: &String| text.chars().count() <= TEXT_CHARS_MAX && !text.contains('\0');
        if self.templates.len() > TEMPLATES_MAX || !all.all(is_text) {
            let why = format!(
                "a heartbeat may have {TEMPLATES_MAX} templates, and {TEXT_CHARS_MAX} characters in each text"
            );
            return Err(CommonError::Invalid(why));
        }
        Ok(())
    }

    fn report(&self) -> Value {
        json!({
            "agent_version": self.agent_version,
            "protocol": self.protocol,
            "accelerator": self.accelerator,
            "boot_id": self.boot_id,
            "free_memory_mib": self.free_memory_mib,
            "pool_free_bytes": self.pool_free_bytes,
            "templates": self.templates,
            "inventory_hash": self.inventory_hash,
        })
    }
}

impl Hosts {
    /// Writes a heartbeat. `id`: the host that the agent says it is.
    pub async fn heartbeat(
        &self,
        identity: HostIdentity,
        id: HostId,
        heartbeat: &Heartbeat,
    ) -> Result<(), HostError> {
        if id != identity.host {
            return Err(HostError::WrongHost);
        }
        heartbeat.check()?;
        let mut tx = self.core.transaction().await?;
        let mut host = self.lock_alive(&mut tx, identity).await?;
        let address = self.address(&host, heartbeat)?;
        let mut event = HostEvent::Heartbeat;
        if host.state == HostState::Pending || address.to_string() != host.address {
            // No row stays locked while a host answers.
            self.core.commit(tx).await?;
            self.reach(id, &address).await?;
            event = HostEvent::Reached;
            tx = self.core.transaction().await?;
            host = self.lock_alive(&mut tx, identity).await?;
        }
        let now = self.core.now();
        let (next, address) = (host.state.apply(event), address.to_string());
        let report = heartbeat.report();
        hosts::heartbeat(&mut tx, id, (next, &address), &report, now).await?;
        if let (HostState::Unreachable, HostState::Online, Some(team)) =
            (host.state, next, host.team)
        {
            let event = AuditEvent::Host(id, HostAuditEvent::MarkedUp);
            audit::write(&mut tx, &Actor::System, team, &event, now).await?;
        }
        self.core.commit(tx).await?;
        if host.state != next {
            tracing::info!(host.id = %id, address, before = %host.state, "a host is {next}");
        }
        if event == HostEvent::Reached {
            self.links.keep(id, &address);
        }
        Ok(())
    }

    /// The host of an access token, locked. The token must not have been replaced by another registration.
    async fn lock_alive(
        &self,
        conn: &mut PgConnection,
        identity: HostIdentity,
    ) -> Result<Host, HostError> {
        let HostIdentity { host: id, refresh } = identity;
        let host = hosts::lock(conn, id).await?;
        let host = host.ok_or(HostError::Deleted(id))?;
        if !host_tokens::confirm_refresh(conn, (refresh, id), self.core.now()).await? {
            return Err(HostError::BadToken);
        }
        Ok(host)
    }

    /// The address that a host has from now on.
    fn address(&self, seen: &Host, heartbeat: &Heartbeat) -> Result<HostAddress, HostError> {
        let known = seen.address.parse();
        match &heartbeat.address {
            Some(address) if Ok(address) != known.as_ref() => {
                self.check_address(seen.id, address, &seen.address)?;
                Ok(address.clone())
            }
            Some(_) | None => Ok(known?),
        }
    }

    /// Calls a host agent at its address.
    async fn reach(&self, id: HostId, address: &HostAddress) -> Result<(), HostError> {
        let unreachable = |source| HostError::Unreachable {
            address: address.to_string(),
            source,
        };
        let link: Option<HostLink> = self.links.dial(id, address);
        let link = link.ok_or_else(|| unreachable("the address cannot be used".into()))?;
        let info = link.agent.host().await;
        let info = info.map_err(|error| unreachable(error.into()))?;
        info.check_protocol()
            .map_err(|error| unreachable(error.into()))
    }
}
