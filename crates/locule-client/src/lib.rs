//! Typed client of the public API.
//!
//! One method per operation, one connection pool, errors that say what the server said. Nothing is sent twice by itself but
//! what changes nothing.

mod error;
mod exec;

pub use error::ClientError;
pub use exec::{ExecEvent, ExecReader, ExecStream, ExecWriter};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::Method;
use locule_api::{CreateSandboxRequest, ErrorBody, PathRequest, Sandbox};
use locule_ids::SandboxId;
use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;

/// A server and a key for it. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Client {
    pub fn new(url: &str, key: &str) -> Result<Self, ClientError> {
        // Whoever installed one first is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("locule/", env!("CARGO_PKG_VERSION")))
            .build();
        let http = http.map_err(|source| ClientError::Unreachable {
            url: url.to_owned(),
            source: source.into(),
        })?;
        Ok(Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
            key: key.to_owned(),
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .header("x-api-key", &self.key)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let unreachable = |source: reqwest::Error| ClientError::Unreachable {
            url: self.url.clone(),
            source: source.into(),
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        // An answer that is not ours comes from something in between.
        let body: Option<ErrorBody> = response.json().await.ok();
        Err(match body {
            Some(body) => ClientError::Refused {
                status: status.as_u16(),
                code: body.error.code,
                message: body.error.message,
            },
            None => ClientError::Strange {
                status: status.as_u16(),
            },
        })
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let response = self.send(request).await?;
        let status = response.status().as_u16();
        response
            .json()
            .await
            .map_err(|_| ClientError::Strange { status })
    }

    pub async fn create_sandbox(
        &self,
        wanted: &CreateSandboxRequest,
    ) -> Result<Sandbox, ClientError> {
        self.json(self.request(Method::POST, "/v1/sandboxes").json(wanted))
            .await
    }

    pub async fn list_sandboxes(&self) -> Result<Vec<Sandbox>, ClientError> {
        self.json(self.request(Method::GET, "/v1/sandboxes")).await
    }

    pub async fn get_sandbox(&self, id: SandboxId) -> Result<Sandbox, ClientError> {
        self.json(self.request(Method::GET, &format!("/v1/sandboxes/{id}")))
            .await
    }

    pub async fn destroy_sandbox(&self, id: SandboxId) -> Result<(), ClientError> {
        self.send(self.request(Method::DELETE, &format!("/v1/sandboxes/{id}")))
            .await
            .map(drop)
    }

    pub async fn pause_sandbox(&self, id: SandboxId) -> Result<Sandbox, ClientError> {
        self.json(self.request(Method::POST, &format!("/v1/sandboxes/{id}/pause")))
            .await
    }

    pub async fn resume_sandbox(&self, id: SandboxId) -> Result<Sandbox, ClientError> {
        self.json(self.request(Method::POST, &format!("/v1/sandboxes/{id}/resume")))
            .await
    }

    /// A file's bytes, as they come.
    pub async fn read_file(
        &self,
        id: SandboxId,
        path: &str,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + use<>, ClientError> {
        let request = self.request(
            Method::POST,
            &format!("/v1/sandboxes/{id}/files/stream/read"),
        );
        let response = self
            .send(request.json(&PathRequest {
                path: path.to_owned(),
            }))
            .await?;
        Ok(response
            .bytes_stream()
            .map(|chunk| chunk.map_err(|_| ClientError::BrokenOff)))
    }

    /// Writes a file from a stream; its folders are made.
    pub async fn write_file(
        &self,
        id: SandboxId,
        path: &str,
        content: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), ClientError> {
        let file =
            reqwest::multipart::Part::stream(reqwest::Body::wrap_stream(content)).file_name("file");
        // The path goes first: the server writes while it reads.
        let form = reqwest::multipart::Form::new()
            .text("path", path.to_owned())
            .part("file", file);
        let request = self.request(
            Method::POST,
            &format!("/v1/sandboxes/{id}/files/stream/write"),
        );
        self.send(request.multipart(form)).await.map(drop)
    }

    /// Starts a command whose input and output are streamed.
    pub async fn exec(
        &self,
        id: SandboxId,
        start: locule_api::StartMessage,
    ) -> Result<ExecStream, ClientError> {
        exec::open(&self.url, &self.key, id, start).await
    }
}
