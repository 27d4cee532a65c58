//! The RPC server of a host agent.

use std::sync::Arc;

use connectrpc::{
    ConnectError, Encodable, RequestContext, Response, ServiceRequest, ServiceResult, ServiceStream,
};
use futures::StreamExt as _;

use crate::messages::{
    HostAgent, Order, ResumeSandbox, SandboxSpec, UpdateSandbox, WatchEvent, WriteMark, parse_id,
};
use crate::proto::hostagent::v1 as wire;
use crate::{AgentError, WRITE_MARK_HEADER};

struct Service(Arc<dyn HostAgent>);

/// The write mark that came with an order. A header that cannot be read counts as absent.
fn write_mark(context: &RequestContext) -> Option<WriteMark> {
    let text = context.headers().get(WRITE_MARK_HEADER)?;
    WriteMark::parse(text.to_str().ok()?)
}

/// The RPC routes of a host.
pub fn router(agent: Arc<dyn HostAgent>) -> axum::Router {
    let rpc = connectrpc::Router::new().add_service(Arc::new(Service(agent)));
    axum::Router::new().fallback_service(rpc.into_axum_service())
}

impl wire::HostAgentService for Service {
    async fn get_host<'a>(
        &'a self,
        _ctx: RequestContext,
        _request: ServiceRequest<'_, wire::GetHostRequest>,
    ) -> ServiceResult<impl Encodable<wire::GetHostResponse> + Send + use<'a>> {
        Response::ok(wire::GetHostResponse::from(self.0.host().await?))
    }

    async fn create_sandbox<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::CreateSandboxRequest>,
    ) -> ServiceResult<impl Encodable<wire::SandboxInfo> + Send + use<'a>> {
        let mut spec = SandboxSpec::try_from(request.to_owned_message())?;
        spec.order.write_mark = write_mark(&ctx);
        Response::ok(wire::SandboxInfo::from(self.0.create_sandbox(spec).await?))
    }

    async fn destroy_sandbox<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::DestroySandboxRequest>,
    ) -> ServiceResult<impl Encodable<wire::DestroySandboxResponse> + Send + use<'a>> {
        let mut order = Order::try_from(request.to_owned_message())?;
        order.write_mark = write_mark(&ctx);
        self.0.destroy_sandbox(order).await?;
        Response::ok(wire::DestroySandboxResponse::default())
    }

    async fn pause_sandbox<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::PauseSandboxRequest>,
    ) -> ServiceResult<impl Encodable<wire::SandboxInfo> + Send + use<'a>> {
        let mut order = Order::try_from(request.to_owned_message())?;
        order.write_mark = write_mark(&ctx);
        Response::ok(wire::SandboxInfo::from(self.0.pause_sandbox(order).await?))
    }

    async fn resume_sandbox<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::ResumeSandboxRequest>,
    ) -> ServiceResult<impl Encodable<wire::SandboxInfo> + Send + use<'a>> {
        let mut resume = ResumeSandbox::try_from(request.to_owned_message())?;
        resume.order.write_mark = write_mark(&ctx);
        Response::ok(wire::SandboxInfo::from(
            self.0.resume_sandbox(resume).await?,
        ))
    }

    async fn update_sandbox<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::UpdateSandboxRequest>,
    ) -> ServiceResult<impl Encodable<wire::SandboxInfo> + Send + use<'a>> {
        let mut update = UpdateSandbox::try_from(request.to_owned_message())?;
        update.order.write_mark = write_mark(&ctx);
        Response::ok(wire::SandboxInfo::from(
            self.0.update_sandbox(update).await?,
        ))
    }

    async fn ping_sandbox<'a>(
        &'a self,
        _ctx: RequestContext,
        request: ServiceRequest<'_, wire::PingSandboxRequest>,
    ) -> ServiceResult<impl Encodable<wire::PingSandboxResponse> + Send + use<'a>> {
        self.0.ping_sandbox(parse_id(request.sandbox_id)?).await?;
        Response::ok(wire::PingSandboxResponse::default())
    }

    async fn get_sandbox<'a>(
        &'a self,
        _ctx: RequestContext,
        request: ServiceRequest<'_, wire::GetSandboxRequest>,
    ) -> ServiceResult<impl Encodable<wire::SandboxInfo> + Send + use<'a>> {
        let report = self.0.get_sandbox(parse_id(request.sandbox_id)?).await?;
        Response::ok(wire::SandboxInfo::from(report))
    }

    async fn get_sandbox_record<'a>(
        &'a self,
        _ctx: RequestContext,
        request: ServiceRequest<'_, wire::GetSandboxRequest>,
    ) -> ServiceResult<impl Encodable<wire::SandboxRecord> + Send + use<'a>> {
        let record = self.0.sandbox_record(parse_id(request.sandbox_id)?).await?;
        Response::ok(wire::SandboxRecord::from(record))
    }

    async fn get_activity<'a>(
        &'a self,
        _ctx: RequestContext,
        request: ServiceRequest<'_, wire::GetActivityRequest>,
    ) -> ServiceResult<impl Encodable<wire::GetActivityResponse> + Send + use<'a>> {
        let activity = self.0.activity(parse_id(request.sandbox_id)?).await?;
        Response::ok(wire::GetActivityResponse::from(activity))
    }

    async fn list_sandboxes<'a>(
        &'a self,
        _ctx: RequestContext,
        _request: ServiceRequest<'_, wire::ListSandboxesRequest>,
    ) -> ServiceResult<impl Encodable<wire::ListSandboxesResponse> + Send + use<'a>> {
        let sandboxes = self
            .0
            .list_sandboxes()
            .await?
            .into_iter()
            .map(Into::into)
            .collect();
        Response::ok(wire::ListSandboxesResponse {
            sandboxes,
            ..Default::default()
        })
    }

    async fn watch_sandboxes(
        &self,
        _ctx: RequestContext,
        _request: ServiceRequest<'_, wire::WatchSandboxesRequest>,
    ) -> ServiceResult<ServiceStream<impl Encodable<wire::WatchSandboxesResponse> + Send + use<>>>
    {
        let events = self.0.watch_sandboxes().await?;
        Ok(Response::stream(events.map(|event| {
            Ok::<_, ConnectError>(match event? {
                WatchEvent::Complete => wire::WatchSandboxesResponse {
                    complete: true,
                    ..Default::default()
                },
                WatchEvent::Report { seq, report } => wire::WatchSandboxesResponse {
                    seq,
                    sandbox: wire::SandboxInfo::from(report).into(),
                    ..Default::default()
                },
            })
        })))
    }

    async fn terminate<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::TerminateRequest>,
    ) -> ServiceResult<impl Encodable<wire::TerminateResponse> + Send + use<'a>> {
        let mark = write_mark(&ctx);
        let orders = request.to_owned_message().orders.into_iter();
        let orders = orders.map(|order| {
            let mut order = Order::try_from(order)?;
            order.write_mark.clone_from(&mark);
            Ok(order)
        });
        let orders = orders.collect::<Result<_, AgentError>>()?;
        self.0.terminate(orders).await?;
        Response::ok(wire::TerminateResponse::default())
    }

    async fn accept_database<'a>(
        &'a self,
        _ctx: RequestContext,
        request: ServiceRequest<'_, wire::AcceptDatabaseRequest>,
    ) -> ServiceResult<impl Encodable<wire::AcceptDatabaseResponse> + Send + use<'a>> {
        let request = request.to_owned_message();
        let at = WriteMark {
            cluster: request.cluster_id,
            counter: request.write_counter,
        };
        self.0.accept_database(at).await?;
        Response::ok(wire::AcceptDatabaseResponse::default())
    }
}
