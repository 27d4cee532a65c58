//! The use of a template snapshot by a VM, or by an operation that makes one.

use std::os::fd::OwnedFd;
use std::sync::Arc;

/// As long as a value exists, the files of the template snapshot stay, and its memory is not given back: the host's list of
/// template snapshots counts the references.
#[derive(Debug, Clone)]
pub(crate) struct TemplateUse {
    _files: Arc<()>,
    _memory: Option<Arc<OwnedFd>>,
}

impl TemplateUse {
    /// Without memory: an earlier agent made the VM, and loaded the memory.
    pub(crate) fn new(files: Arc<()>, memory: Option<Arc<OwnedFd>>) -> Self {
        Self {
            _files: files,
            _memory: memory,
        }
    }
}
