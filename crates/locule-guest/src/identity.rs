//! Who this guest is now. Replaced as a whole by each `/init`, read by everything else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use subtle::ConstantTimeEq as _;

use crate::boot::{HELD_CGROUP, USER_CGROUP};

#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    control_key: Option<String>,
    access_token: Option<String>,
    /// What every process finds in its environment.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) default_user: Option<String>,
    pub(crate) default_workdir: Option<PathBuf>,
    /// Nobody's sandbox yet.
    pub(crate) held: bool,
}

impl Identity {
    /// Without secrets: those are kept or replaced on their own.
    pub(crate) fn new(
        env: BTreeMap<String, String>,
        default_user: Option<String>,
        default_workdir: Option<PathBuf>,
        held: bool,
    ) -> Self {
        Self {
            env,
            default_user,
            default_workdir,
            held,
            ..Self::default()
        }
    }

    /// The group that its processes live, freeze and end in.
    pub(crate) fn cgroup(&self) -> &'static str {
        if self.held { HELD_CGROUP } else { USER_CGROUP }
    }
}

/// What a presented secret is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    Valid,
    Invalid,
    /// There is nothing to compare with yet.
    Unset,
}

#[derive(Debug, Default)]
pub(crate) struct SharedIdentity(RwLock<Identity>);

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
    fn read<T>(&self, read: impl FnOnce(&Identity) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn snapshot(&self) -> Identity {
        self.read(Clone::clone)
    }

    pub(crate) fn prove_control_key(&self, presented: Option<&str>) -> Proof {
        self.read(|identity| prove(identity.control_key.as_ref(), presented))
    }

    /// Without a token nothing is open: a guest that has not been told who it is serves nobody (W-034).
    pub(crate) fn prove_access_token(&self, presented: Option<&str>) -> Proof {
        self.read(|identity| prove(identity.access_token.as_ref(), presented))
    }

    pub(crate) fn access_token(&self) -> Option<String> {
        self.read(|identity| identity.access_token.clone())
    }

    /// Takes on a new identity. A secret that is not given stays as it was.
    pub(crate) fn replace(
        &self,
        control_key: Option<String>,
        access_token: Option<String>,
        mut next: Identity,
    ) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        next.control_key = control_key.or_else(|| current.control_key.take());
        next.access_token = access_token.or_else(|| current.access_token.take());
        *current = next;
    }
}
