//! What a host keeps of a sandbox beyond its report, and its form on the wire.

use std::collections::BTreeMap;

use super::SandboxReport;
use crate::AgentError;
use crate::proto::hostagent::v1 as wire;

/// The record of one sandbox on its host: the row of the sandbox can be made again from it.
#[derive(Clone, PartialEq, Eq)]
pub struct SandboxRecord {
    pub report: SandboxReport,
    /// This and the following values are those of the order to create the sandbox: no order changes them.
    pub default_user: String,
    pub auto_resume: bool,
    pub env: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
}

impl std::fmt::Debug for SandboxRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SandboxRecord")
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl From<SandboxRecord> for wire::SandboxRecord {
    fn from(record: SandboxRecord) -> Self {
        Self {
            sandbox: wire::SandboxInfo::from(record.report).into(),
            default_user: record.default_user,
            auto_resume: record.auto_resume,
            env: record.env.into_iter().collect(),
            labels: record.labels.into_iter().collect(),
            ..Default::default()
        }
    }
}

impl TryFrom<wire::SandboxRecord> for SandboxRecord {
    type Error = AgentError;

    fn try_from(record: wire::SandboxRecord) -> Result<Self, AgentError> {
        let missing = || AgentError::InvalidArgument("a record has no sandbox".to_owned());
        let info = record.sandbox.into_option().ok_or_else(missing)?;
        Ok(Self {
            report: info.try_into()?,
            default_user: record.default_user,
            auto_resume: record.auto_resume,
            env: record.env.into_iter().collect(),
            labels: record.labels.into_iter().collect(),
        })
    }
}
