//! The agent's TLS listener, for a control plane on another machine. Any machine may connect; a client without the certificate of the
//! control plane gets no further than the handshake.

use axum::Router;
use locule_agent_api::tls::{AgentTls, set_options};
use locule_base::handshakes::{self, HandshakeLimits};
use locule_base::tasks::Tasks;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::connection;

/// Serves until the stop token is cancelled. Each connection belongs to the role's tasks.
pub(crate) async fn serve_tls(
    listener: TcpListener,
    router: Router,
    tls: AgentTls,
    limits: HandshakeLimits,
    tasks: Tasks,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let shake = |stream| {
        let tls = tls.clone();
        async move {
            set_options(&stream)?;
            tls.accept(stream).await
        }
    };
    let stopping = stop.clone();
    let serve = move |stream, _| connection::serve(stream, router.clone(), stopping.clone());
    handshakes::serve(listener, limits, (tasks, stop), shake, serve).await;
    Ok(())
}

#[cfg(test)]
mod tests;
