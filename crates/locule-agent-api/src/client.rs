//! The client of a host agent, for the control plane.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::http1::ExchangeBody;
use async_trait::async_trait;
use connectrpc::ConnectError;
use connectrpc::client::{BoxFuture, CallOptions, ClientBody, ClientConfig, ClientTransport};
use futures::stream;
use http::{Request, Response, Uri};
use locule_ids::SandboxId;

use crate::messages::{
    HostAgent, HostInfo, Order, ResumeSandbox, SandboxActivity, SandboxRecord, SandboxReport,
    SandboxSpec, UpdateSandbox, WatchEvent, WatchStream, WriteMark,
};
use crate::proto::hostagent::v1 as wire;
use crate::{AgentError, Connector, WRITE_MARK_HEADER};

/// Each method has its own time limit: a common one would either cut long pauses or hide hosts that hang.
const QUICK: Duration = Duration::from_secs(10);
/// The host may have to take the template's snapshot first.
const CREATE: Duration = Duration::from_mins(3);
const RESUME: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_mins(5);
const DESTROY: Duration = Duration::from_mins(1);

/// One request per connection: a request that hangs never delays another.
#[derive(Debug, Clone)]
struct Transport(Connector);

impl ClientTransport for Transport {
    type ResponseBody = ExchangeBody;
    type Error = ConnectError;

    fn send(
        &self,
        request: Request<ClientBody>,
    ) -> BoxFuture<'static, Result<Response<ExchangeBody>, ConnectError>> {
        let connector = self.0.clone();
        Box::pin(async move {
            let stream = connector.connect().await;
            let stream = stream.map_err(|error| unavailable(&error))?;
            crate::http1::exchange(stream, request)
                .await
                .map_err(|error| unavailable(&error))
        })
    }
}

/// An error with its causes: only the text reaches the caller.
fn unavailable(error: &dyn Error) -> ConnectError {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    ConnectError::unavailable(text)
}

/// A host, reached through a connector. Sends nothing but questions for [`HostInfo`] until the host has answered one with a
/// protocol that is [supported](HostInfo::check_protocol). Asks again at every watch and after a host was out of reach: the
/// agent may have been replaced.
#[derive(Clone)]
pub struct Client {
    rpc: wire::HostAgentServiceClient<Transport>,
    is_checked: Arc<AtomicBool>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    pub fn new(connector: Connector) -> Self {
        // The name is never resolved: the connector opens the connection.
        let config = ClientConfig::new(Uri::from_static("http://host-agent"));
        Self {
            rpc: wire::HostAgentServiceClient::new(Transport(connector), config),
            is_checked: Arc::default(),
        }
    }

    /// Fails unless the host's protocol is known to be supported.
    async fn check_protocol(&self) -> Result<(), AgentError> {
        if !self.is_checked.load(Ordering::Acquire) {
            self.host().await?.check_protocol()?;
            self.is_checked.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Sends a request, if the host's protocol is supported.
    async fn send<T>(
        &self,
        call: impl Future<Output = Result<T, ConnectError>> + Send,
    ) -> Result<T, AgentError> {
        self.check_protocol().await?;
        call.await.map_err(|error| self.failed(error))
    }

    /// The error of a call that failed. A host that was out of reach may come back with another protocol.
    fn failed(&self, error: ConnectError) -> AgentError {
        let error = AgentError::from(error);
        if matches!(error, AgentError::Unavailable(_)) {
            self.is_checked.store(false, Ordering::Release);
        }
        error
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

#[async_trait]
impl HostAgent for Client {
    async fn host(&self) -> Result<HostInfo, AgentError> {
        let request = wire::GetHostRequest::default();
        let answer = self.rpc.get_host_with_options(request, within(QUICK)).await;
        Ok(answer
            .map_err(|error| self.failed(error))?
            .into_owned()
            .into())
    }

    async fn create_sandbox(&self, spec: SandboxSpec) -> Result<SandboxReport, AgentError> {
        let options = ordered(&spec.order, CREATE);
        let call = self.rpc.create_sandbox_with_options(spec.into(), options);
        self.send(call).await?.into_owned().try_into()
    }

    async fn destroy_sandbox(&self, order: Order) -> Result<(), AgentError> {
        let options = ordered(&order, DESTROY);
        let call = self.rpc.destroy_sandbox_with_options(order.into(), options);
        self.send(call).await.map(drop)
    }

    async fn pause_sandbox(&self, order: Order) -> Result<SandboxReport, AgentError> {
        let options = ordered(&order, PAUSE);
        let call = self.rpc.pause_sandbox_with_options(order.into(), options);
        self.send(call).await?.into_owned().try_into()
    }

    async fn resume_sandbox(&self, resume: ResumeSandbox) -> Result<SandboxReport, AgentError> {
        let options = ordered(&resume.order, RESUME);
        let call = self.rpc.resume_sandbox_with_options(resume.into(), options);
        self.send(call).await?.into_owned().try_into()
    }

    async fn update_sandbox(&self, update: UpdateSandbox) -> Result<SandboxReport, AgentError> {
        let options = ordered(&update.order, QUICK);
        let call = self.rpc.update_sandbox_with_options(update.into(), options);
        self.send(call).await?.into_owned().try_into()
    }

    async fn ping_sandbox(&self, sandbox: SandboxId) -> Result<(), AgentError> {
        let request = wire::PingSandboxRequest {
            sandbox_id: sandbox.to_string(),
            ..Default::default()
        };
        let call = self.rpc.ping_sandbox_with_options(request, within(QUICK));
        self.send(call).await.map(drop)
    }

    async fn get_sandbox(&self, sandbox: SandboxId) -> Result<SandboxReport, AgentError> {
        let request = wire::GetSandboxRequest {
            sandbox_id: sandbox.to_string(),
            ..Default::default()
        };
        let call = self.rpc.get_sandbox_with_options(request, within(QUICK));
        self.send(call).await?.into_owned().try_into()
    }

    async fn sandbox_record(&self, sandbox: SandboxId) -> Result<SandboxRecord, AgentError> {
        let request = wire::GetSandboxRequest {
            sandbox_id: sandbox.to_string(),
            ..Default::default()
        };
        let call = self
            .rpc
            .get_sandbox_record_with_options(request, within(QUICK));
        self.send(call).await?.into_owned().try_into()
    }

    async fn activity(&self, sandbox: SandboxId) -> Result<SandboxActivity, AgentError> {
        let request = wire::GetActivityRequest {
            sandbox_id: sandbox.to_string(),
            ..Default::default()
        };
        let call = self.rpc.get_activity_with_options(request, within(QUICK));
        self.send(call).await?.into_owned().try_into()
    }

    async fn list_sandboxes(&self) -> Result<Vec<SandboxReport>, AgentError> {
        let request = wire::ListSandboxesRequest::default();
        let call = self.rpc.list_sandboxes_with_options(request, within(QUICK));
        let answer = self.send(call).await?.into_owned();
        let reports = answer.sandboxes.into_iter().map(TryInto::try_into);
        reports.collect()
    }

    async fn watch_sandboxes(&self) -> Result<WatchStream, AgentError> {
        self.is_checked.store(false, Ordering::Release);
        let request = wire::WatchSandboxesRequest::default();
        let messages = self.send(self.rpc.watch_sandboxes(request)).await?;
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

    async fn terminate(&self, orders: Vec<Order>) -> Result<(), AgentError> {
        let options = match orders.last() {
            Some(last) => ordered(last, PAUSE),
            None => within(PAUSE),
        };
        let request = wire::TerminateRequest {
            orders: orders.into_iter().map(Into::into).collect(),
            ..Default::default()
        };
        let call = self.rpc.terminate_with_options(request, options);
        self.send(call).await.map(drop)
    }

    async fn accept_database(&self, at: WriteMark) -> Result<(), AgentError> {
        let request = wire::AcceptDatabaseRequest {
            cluster_id: at.cluster,
            write_counter: at.counter,
            ..Default::default()
        };
        let call = self
            .rpc
            .accept_database_with_options(request, within(QUICK));
        self.send(call).await.map(drop)
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
        report: info.try_into()?,
    })
}
