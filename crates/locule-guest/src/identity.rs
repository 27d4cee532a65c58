//! The identity of the sandbox that this guest is: secrets and defaults. Each `/init` replaces it as a whole.

mod stored;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::cgroup::{STANDBY_CGROUP, USER_CGROUP};
use crate::console;

pub(crate) use stored::StoredIdentity;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SandboxIdentity {
    /// Empty while the guest is no sandbox.
    pub(crate) sandbox_id: String,
    control_key: Option<String>,
    access_token: Option<String>,
    /// Variables in every process's environment.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) default_user: Option<String>,
    pub(crate) default_workdir: Option<PathBuf>,
    /// The guest waits in the warm pool and is not a sandbox yet.
    pub(crate) standby: bool,
}

impl SandboxIdentity {
    /// An identity without secrets: `SharedIdentity::replace` adds them.
    pub(crate) fn new(
        sandbox_id: String,
        env: BTreeMap<String, String>,
        default_user: Option<String>,
        default_workdir: Option<PathBuf>,
        standby: bool,
    ) -> Self {
        Self {
            sandbox_id,
            env,
            default_user,
            default_workdir,
            standby,
            ..Self::default()
        }
    }

    /// The control group that new processes are started in.
    pub(crate) fn cgroup(&self) -> &'static str {
        if self.standby {
            STANDBY_CGROUP
        } else {
            USER_CGROUP
        }
    }
}

/// The result of comparing a presented secret with the expected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    Valid,
    Invalid,
    /// No secret is set yet.
    Unset,
}

#[derive(Debug)]
pub(crate) struct SharedIdentity {
    current: RwLock<SandboxIdentity>,
    stored: StoredIdentity,
}

fn prove(expected: Option<&String>, presented: Option<&str>) -> Proof {
    match (expected, presented) {
        (None, _) => Proof::Unset,
        (Some(expected), Some(presented))
            if expected.as_bytes().ct_eq(presented.as_bytes()).into() =>
        {
            Proof::Valid
        }
        (Some(_), _) => Proof::Invalid,
    }
}

impl SharedIdentity {
    /// The identity that an agent before this one had, or none.
    pub(crate) fn open(stored: StoredIdentity) -> Self {
        Self {
            current: RwLock::new(stored.read().unwrap_or_default()),
            stored,
        }
    }

    fn read<T>(&self, read: impl FnOnce(&SandboxIdentity) -> T) -> T {
        read(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn snapshot(&self) -> SandboxIdentity {
        self.read(Clone::clone)
    }

    pub(crate) fn prove_control_key(&self, presented: Option<&str>) -> Proof {
        self.read(|identity| prove(identity.control_key.as_ref(), presented))
    }

    /// Before `/init` sets a token, no presented token is valid (W-034).
    pub(crate) fn prove_access_token(&self, presented: Option<&str>) -> Proof {
        self.read(|identity| prove(identity.access_token.as_ref(), presented))
    }

    pub(crate) fn access_token(&self) -> Option<String> {
        self.read(|identity| identity.access_token.clone())
    }

    /// Replaces the identity. A secret that is `None` stays unchanged.
    pub(crate) fn replace(
        &self,
        control_key: Option<String>,
        access_token: Option<String>,
        mut next: SandboxIdentity,
    ) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        next.control_key = control_key.or_else(|| current.control_key.take());
        next.access_token = access_token.or_else(|| current.access_token.take());
        *current = next;
        if let Err(error) = self.stored.write(&current) {
            console::log(&format!(
                "cannot store the identity for the next guest agent: {error}"
            ));
        }
    }
}
