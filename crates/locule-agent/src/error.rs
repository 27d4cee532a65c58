//! Why an operation of this host failed.

use std::io;

use locule_agent_api::AgentError;
use locule_disk::DiskError;
use locule_net::NetError;
use locule_vmm::VmmError;
use locule_vmm::capture::CaptureError;

use crate::guest::GuestError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error("there is no template {0:?} on this host")]
    UnknownTemplate(String),
    #[error("this host has no capacity for another sandbox: {0}")]
    NoCapacity(&'static str),
    #[error("all slots of this host are in use")]
    NoSlot,
    #[error("{action}")]
    Io {
        action: &'static str,
        source: io::Error,
    },
    #[error(
        "the sandbox stays paused: {needed} saved its snapshot, and this host has {installed}; install that version again, or destroy the sandbox"
    )]
    OtherVmm { needed: String, installed: String },
    #[error("an internal step panicked")]
    Panicked,
    #[error("network")]
    Net(#[from] NetError),
    #[error("disk")]
    Disk(#[from] DiskError),
    #[error("virtual machine")]
    Vmm(#[from] VmmError),
    #[error("guest agent")]
    Guest(#[from] GuestError),
}

impl HostError {
    /// Whether the operation failed because the disk is full.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } | Self::Vmm(VmmError::Capture(CaptureError::Write(source))) => {
                locule_disk::is_full(source)
            }
            Self::Disk(error) => error.is_full(),
            Self::UnknownTemplate(_)
            | Self::NoCapacity(_)
            | Self::NoSlot
            | Self::OtherVmm { .. }
            | Self::Panicked
            | Self::Net(_)
            | Self::Vmm(_)
            | Self::Guest(_) => false,
        }
    }

    pub(crate) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}

impl From<HostError> for AgentError {
    fn from(error: HostError) -> Self {
        let text = locule_base::errors::chain(&error);
        match error {
            HostError::UnknownTemplate(_) => Self::InvalidArgument(text),
            HostError::OtherVmm { .. } => Self::FailedPrecondition(text),
            HostError::NoCapacity(_) | HostError::NoSlot => Self::ResourceExhausted(text),
            HostError::Io { .. }
            | HostError::Panicked
            | HostError::Net(_)
            | HostError::Disk(_)
            | HostError::Vmm(_)
            | HostError::Guest(_) => Self::Internal(text),
        }
    }
}
