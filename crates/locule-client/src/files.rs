//! Reads and writes files of a sandbox as streams.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::Method;
use locule_api::PathRequest;
use locule_ids::SandboxId;

use crate::{Client, ClientError};

impl Client {
    /// Streams the contents of a file.
    pub async fn read_file(
        &self,
        id: SandboxId,
        path: &str,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + use<>, ClientError> {
        let path = PathRequest {
            path: path.to_owned(),
        };
        let route = format!("/v1/sandboxes/{id}/files/stream/read");
        let request = self.request(Method::POST, &route).json(&path);
        let response = self.send(request).await?;
        Ok(response
            .bytes_stream()
            .map(|chunk| chunk.map_err(|_| ClientError::Disconnected)))
    }

    /// Writes a file from a stream. Missing parent directories are created.
    pub async fn write_file(
        &self,
        id: SandboxId,
        path: &str,
        content: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), ClientError> {
        let file =
            reqwest::multipart::Part::stream(reqwest::Body::wrap_stream(content)).file_name("file");
        // The path comes first: the server writes the file while it reads the request.
        let form = reqwest::multipart::Form::new()
            .text("path", path.to_owned())
            .part("file", file);
        let route = format!("/v1/sandboxes/{id}/files/stream/write");
        let request = self.request(Method::POST, &route).multipart(form);
        self.send(request).await.map(drop)
    }
}
