//! The control plane's end of the wire.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use connectrpc::ConnectError;
use connectrpc::client::{BoxFuture, CallOptions, ClientBody, ClientConfig, ClientTransport};
use futures::stream;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use locule_ids::SandboxId;

use crate::messages::{
    HostAgent, HostInfo, Order, ResumeSandbox, SandboxReport, SandboxSpec, UpdateSandbox,
    WatchEvent, WatchStream, WriteMark,
};
use crate::proto::hostagent::v1 as wire;
use crate::{AgentError, Connector, WRITE_MARK_HEADER};

/// Each method has its own limit: one for all either cuts long pauses or hides dead hosts (W-006).
const QUICK: Duration = Duration::from_secs(10);
/// May boot a template's golden image first.
const CREATE: Duration = Duration::from_mins(3);
const RESUME: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_mins(5);
const DESTROY: Duration = Duration::from_mins(1);

/// One request per connection: a stuck one never holds up another.
#[derive(Debug, Clone)]
struct Transport(Connector);

impl ClientTransport for Transport {
    type ResponseBody = Incoming;
    type Error = io::Error;

    fn send(
        &self,
        request: Request<ClientBody>,
    ) -> BoxFuture<'static, Result<Response<Incoming>, io::Error>> {
        let connector = self.0.clone();
        Box::pin(async move {
            let stream = connector.connect().await?;
            crate::http1::exchange(stream, request)
                .await
                .map_err(io::Error::other)
        })
    }
}

/// A host, reached through a connector.
#[derive(Clone)]
pub struct Client {
    rpc: wire::HostAgentServiceClient<Transport>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    pub fn new(connector: Connector) -> Self {
        // The name is never looked up: the connector decides where it goes.
        let config = ClientConfig::new(Uri::from_static("http://host-agent"));
        Self {
            rpc: wire::HostAgentServiceClient::new(Transport(connector), config),
        }
    }
}

/// As [`within`], with the write mark of an order.
fn ordered(order: &Order, limit: Duration) -> CallOptions {
    match &order.write_mark {
        Some(mark) => within(limit).with_header(WRITE_MARK_HEADER, mark.to_string()),
        None => within(limit),
    }
}

fn within(limit: Duration) -> CallOptions {
    CallOptions::default().with_timeout(limit)
}

/// A message from a host that is not what the contract says.
fn report(info: wire::SandboxInfo) -> Result<SandboxReport, AgentError> {
    SandboxReport::try_from(info)
}

#[async_trait]
impl HostAgent for Client {
    async fn host(&self) -> Result<HostInfo, AgentError> {
        let answer = self
            .rpc
            .get_host_with_options(wire::GetHostRequest::default(), within(QUICK))
            .await?;
        Ok(answer.into_owned().into())
    }

    async fn create_sandbox(&self, spec: SandboxSpec) -> Result<SandboxReport, AgentError> {
        let options = ordered(&spec.order, CREATE);
        report(
            self.rpc
                .create_sandbox_with_options(spec.into(), options)
                .await?
                .into_owned(),
        )
    }

    async fn destroy_sandbox(&self, order: Order) -> Result<(), AgentError> {
        let options = ordered(&order, DESTROY);
        self.rpc
            .destroy_sandbox_with_options(order.into(), options)
            .await?;
        Ok(())
    }

    async fn pause_sandbox(&self, order: Order) -> Result<SandboxReport, AgentError> {
        let options = ordered(&order, PAUSE);
        report(
            self.rpc
                .pause_sandbox_with_options(order.into(), options)
                .await?
                .into_owned(),
        )
    }

    async fn resume_sandbox(&self, resume: ResumeSandbox) -> Result<SandboxReport, AgentError> {
        let options = ordered(&resume.order, RESUME);
        report(
            self.rpc
                .resume_sandbox_with_options(resume.into(), options)
                .await?
                .into_owned(),
        )
    }

    async fn update_sandbox(&self, update: UpdateSandbox) -> Result<SandboxReport, AgentError> {
        let options = ordered(&update.order, QUICK);
        report(
            self.rpc
                .update_sandbox_with_options(update.into(), options)
                .await?
                .into_owned(),
        )
    }

    async fn ping_sandbox(&self, sandbox: SandboxId) -> Result<(), AgentError> {
        let request = wire::PingSandboxRequest {
            sandbox_id: sandbox.to_string(),
            ..Default::default()
        };
        self.rpc
            .ping_sandbox_with_options(request, within(QUICK))
            .await?;
        Ok(())
    }

    async fn get_sandbox(&self, sandbox: SandboxId) -> Result<SandboxReport, AgentError> {
        let request = wire::GetSandboxRequest {
            sandbox_id: sandbox.to_string(),
            ..Default::default()
        };
        report(
            self.rpc
                .get_sandbox_with_options(request, within(QUICK))
                .await?
                .into_owned(),
        )
    }

    async fn list_sandboxes(&self) -> Result<Vec<SandboxReport>, AgentError> {
        let answer = self
            .rpc
            .list_sandboxes_with_options(wire::ListSandboxesRequest::default(), within(QUICK))
            .await?;
        answer
            .into_owned()
            .sandboxes
            .into_iter()
            .map(report)
            .collect()
    }

    async fn watch_sandboxes(&self) -> Result<WatchStream, AgentError> {
        let messages = self
            .rpc
            .watch_sandboxes(wire::WatchSandboxesRequest::default())
            .await?;
        let events = stream::unfold(Some(messages), |messages| async move {
            let mut messages = messages?;
            match messages.message::<wire::WatchSandboxesResponse>().await {
                Ok(Some(message)) => Some((event(message.to_owned_message()), Some(messages))),
                Ok(None) => None,
                Err(error) => Some((Err(error.into()), None)),
            }
        });
        Ok(Box::pin(events))
    }

    async fn terminate(&self, sandboxes: Vec<SandboxId>) -> Result<(), AgentError> {
        let sandbox_ids = sandboxes.iter().map(ToString::to_string).collect();
        let request = wire::TerminateRequest {
            sandbox_ids,
            ..Default::default()
        };
        self.rpc
            .terminate_with_options(request, within(PAUSE))
            .await?;
        Ok(())
    }

    async fn accept_database(&self, at: WriteMark) -> Result<(), AgentError> {
        let request = wire::AcceptDatabaseRequest {
            cluster_id: at.cluster,
            write_counter: at.counter,
            ..Default::default()
        };
        self.rpc
            .accept_database_with_options(request, within(QUICK))
            .await?;
        Ok(())
    }
}

fn event(message: wire::WatchSandboxesResponse) -> Result<WatchEvent, AgentError> {
    if message.complete {
        return Ok(WatchEvent::Complete);
    }
    let info = message
        .sandbox
        .into_option()
        .ok_or_else(|| ConnectError::internal("a watch message without a sandbox"))?;
    Ok(WatchEvent::Report {
        seq: message.seq,
        report: report(info)?,
    })
}
