//! Reads requests of the process service: which process, which offset, and what to start.

use std::collections::BTreeMap;

use locule_guest_api::oneof::process_selector::Selector as WireSelector;
use locule_guest_api::proto::process as wire;
use locule_guest_api::rpc::{ConnectError, ErrorDetail, RequestContext};
use locule_guest_api::{COMMAND_NOT_EXECUTABLE, COMMAND_NOT_FOUND, OFFSET_HEADER};

use super::input::Terminal;
use super::spawn::{SpawnError, SpawnSpec};
use super::table::Selector;
use crate::identity::SandboxIdentity;
use crate::paths::resolve;
use crate::rpc::find_user;

impl From<SpawnError> for ConnectError {
    fn from(error: SpawnError) -> Self {
        let text = error.to_string();
        match error {
            SpawnError::TooMany | SpawnError::Exhausted(_) => Self::resource_exhausted(text),
            SpawnError::NotFound { .. } => program_error(text, COMMAND_NOT_FOUND),
            SpawnError::NotExecutable { .. } => program_error(text, COMMAND_NOT_EXECUTABLE),
            SpawnError::InvalidArguments(_) => Self::invalid_argument(text),
            SpawnError::System(_) => Self::internal(text),
        }
    }
}

fn program_error(text: String, reason: &str) -> ConnectError {
    ConnectError::invalid_argument(text).with_detail(ErrorDetail {
        type_url: reason.to_owned(),
        // Empty, not absent: clients reject a detail without a value.
        value: Some(String::new()),
        debug: None,
    })
}

pub(super) fn selector(selector: Option<&wire::ProcessSelector>) -> Result<Selector, ConnectError> {
    match selector.and_then(|selector| selector.selector.clone()) {
        Some(WireSelector::Pid(pid)) => Ok(Selector::Pid(pid)),
        Some(WireSelector::Tag(tag)) => Ok(Selector::Tag(tag)),
        None => Err(ConnectError::invalid_argument(
            "a process selector (pid or tag) is required",
        )),
    }
}

/// The offset to replay from, if the request has one.
pub(super) fn replay_offset(ctx: &RequestContext) -> Result<Option<u64>, ConnectError> {
    let Some(value) = ctx.header(OFFSET_HEADER) else {
        return Ok(None);
    };
    let offset = value.to_str().ok().and_then(|text| text.parse().ok());
    let invalid = || ConnectError::invalid_argument(format!("{OFFSET_HEADER} must be a number"));
    offset.map(Some).ok_or_else(invalid)
}

pub(super) fn terminal(pty: &wire::PTY) -> Terminal {
    let size = pty.size.as_option();
    let bounded = |value: Option<u32>, default| match value.map(u16::try_from) {
        None | Some(Ok(0)) => default,
        Some(Ok(value)) => value,
        Some(Err(_)) => u16::MAX,
    };
    Terminal {
        columns: bounded(size.map(|s| s.cols), 80),
        rows: bounded(size.map(|s| s.rows), 24),
    }
}

/// The process that a request starts. Blocks: it reads files.
pub(super) fn spawn_spec(
    identity: SandboxIdentity,
    named: Option<&str>,
    request: wire::StartRequest,
) -> Result<SpawnSpec, ConnectError> {
    let user = find_user(named, identity.default_user.as_deref())?;
    let config = request.process.into_option().unwrap_or_default();
    if config.cmd.is_empty() {
        return Err(ConnectError::invalid_argument("a command is required"));
    }
    if let Some(name) = config.envs.keys().find(|n| n.is_empty() || n.contains('=')) {
        return Err(ConnectError::invalid_argument(format!(
            "'{name}' cannot be the name of an environment variable"
        )));
    }
    let cgroup = identity.cgroup();
    let default = identity
        .default_workdir
        .unwrap_or_else(|| user.home.clone());
    let given = config.cwd.unwrap_or_default();
    let directory = resolve(&given, &user.home, &default);
    if !directory.is_dir() {
        let shown = if given.is_empty() {
            directory.to_string_lossy().into_owned()
        } else {
            given
        };
        return Err(ConnectError::invalid_argument(format!(
            "cwd '{shown}' does not exist"
        )));
    }
    Ok(SpawnSpec {
        command: config.cmd,
        args: config.args,
        envs: config.envs.into_iter().collect::<BTreeMap<_, _>>(),
        cgroup,
        sandbox_env: identity.env,
        directory,
        user,
        tag: request.tag,
        stdin: request.stdin.unwrap_or(true),
        terminal: request.pty.into_option().map(|pty| terminal(&pty)),
    })
}
