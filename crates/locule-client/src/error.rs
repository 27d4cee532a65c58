//! What can go wrong between a client and a server.

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot reach the server at {url}: is `locule up` running there?")]
    Unreachable {
        url: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server said no, and why.
    #[error("{message}")]
    Refused {
        status: u16,
        code: String,
        message: String,
    },
    #[error("the server answered {status} without a reason; is it a Locule server?")]
    Strange { status: u16 },
    #[error("the connection broke off")]
    BrokenOff,
    /// The command could not be started, or the stream failed.
    #[error("{0}")]
    Exec(String),
}
