//! What a program sends around its response: informational responses before it, and trailers after it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use locule_agent_api::Connector;
use locule_base::tasks::Tasks;
use locule_edge::{Pass, Target};
use locule_ids::SandboxId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener};

use crate::host::{PATIENCE, proxy};

const RESPONSE: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n\
    HTTP/1.1 200 OK\r\nTrailer: Set-Cookie\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
    6\r\ntheirs\r\n0\r\nSet-Cookie: a=b\r\n\r\n";

/// A host agent that answers every request with [`RESPONSE`], and the edge in front of it.
async fn start(folder: &std::path::Path, tasks: &Tasks) -> std::net::SocketAddr {
    async fn forward(
        State((target, tasks)): State<(Target, Tasks)>,
        request: Request,
    ) -> axum::response::Response {
        proxy(
            target,
            8080,
            Pass::Visitor(None),
            request,
            |_| false,
            &tasks,
        )
        .await
    }
    let socket = folder.join("agent.sock");
    let agent = UnixListener::bind(&socket).unwrap();
    tasks.spawn("agent", |stop| async move {
        loop {
            let (mut stream, _) = tokio::select! {
                accepted = agent.accept() => accepted?,
                () = stop.cancelled() => return Ok(()),
            };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await?;
            stream.write_all(RESPONSE).await?;
        }
    });
    let target = Target {
        sandbox: SandboxId::random(),
        connector: Connector::Unix(socket),
        access_token: String::new(),
        cut: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new()
        .fallback(forward)
        .with_state((target, tasks.clone()));
    tasks.spawn("front", |stop| async move {
        tokio::select! {
            served = async { axum::serve(listener, app).await } => served?,
            () = stop.cancelled() => {}
        }
        Ok(())
    });
    address
}

#[tokio::test]
async fn neither_early_hints_nor_trailers_of_a_program_reach_the_client() {
    let (folder, tasks) = (tempfile::tempdir().unwrap(), Tasks::new());
    let mut stream = TcpStream::connect(start(folder.path(), &tasks).await)
        .await
        .unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut said = Vec::new();
    let read = stream.read_to_end(&mut said);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    tasks.token().cancel();
    let said = String::from_utf8(said).unwrap().to_ascii_lowercase();
    assert!(
        said.starts_with("http/1.1 200") && said.contains("theirs"),
        "{said}"
    );
    for theirs in ["103", "link", "trailer", "set-cookie"] {
        assert!(!said.contains(theirs), "{theirs}: {said}");
    }
}
