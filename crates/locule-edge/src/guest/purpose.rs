//! What the host agent is told of a call to the guest agent, so that the host can say what holds a sandbox awake.

use locule_agent_api::{HolderKind, Purpose};

use super::processes::{Selector, StartProcess};

impl StartProcess {
    pub(super) fn purpose(&self) -> Purpose {
        let kind = match self.terminal {
            Some(_) => HolderKind::Terminal,
            None => HolderKind::Command,
        };
        Purpose {
            tag: self.tag.clone(),
            ..Purpose::new(kind)
        }
    }
}

impl Selector {
    /// The purpose of a stream of the process.
    pub(super) fn purpose(&self, kind: HolderKind) -> Purpose {
        let (pid, tag) = match self {
            Self::Pid(pid) => (Some(*pid), None),
            Self::Tag(tag) => (None, Some(tag.clone())),
        };
        Purpose {
            pid,
            tag,
            ..Purpose::new(kind)
        }
    }
}
