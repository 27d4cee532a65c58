//! What the first calls to a sandbox do, run before the sandbox exists, so that a VM of the warm pool answers its first command
//! from translated code and cached files.

use buffa::Message as _;
use http::{Request, header};
use locule_guest_api::ACCESS_TOKEN_HEADER;
use locule_guest_api::control::{InitRequest, InitResponse};
use locule_guest_api::proto::process::{ProcessConfig, StartRequest};

use super::transport::{GuestError, call, json, send};
use super::{CALL_TIMEOUT, GuestClient, random_bytes};

/// The first round finds everything cold, the second most of it warm; more rounds gain nothing.
const ROUNDS: usize = 3;

impl GuestClient<'_> {
    pub(crate) async fn warm_up(&self) -> Result<(), GuestError> {
        for _ in 0..ROUNDS {
            self.warm_up_once().await?;
        }
        Ok(())
    }

    /// Calls that belong to no sandbox: the user's processes stay frozen, and the commands run beside them.
    async fn warm_up_once(&self) -> Result<(), GuestError> {
        let token = hex::encode(random_bytes());
        let init = InitRequest {
            // The sandbox's own token replaces this one.
            access_token: Some(token.clone()),
            standby: true,
            ..self.anonymous_init()
        };
        call::<InitResponse>(
            self.net,
            self.control_key,
            "/init",
            json(&init),
            CALL_TIMEOUT,
        )
        .await?;
        // The smallest command, as the API starts one, and the shell, as the SDKs start one.
        let smallest = command("/bin/true", &[]).encode_to_vec();
        let shell = json(&command("/bin/bash", &["-l", "-c", "true"]));
        for (codec, message) in [("proto", smallest), ("json", shell)] {
            self.run(&token, codec, &message).await?;
        }
        Ok(())
    }

    /// Runs a command to its end. Its outcome does not matter: a template without a shell is warm without a shell.
    async fn run(&self, token: &str, codec: &str, message: &[u8]) -> Result<(), GuestError> {
        let path = "/process.Process/Start";
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, format!("application/connect+{codec}"))
            .header("connect-protocol-version", "1")
            .header(ACCESS_TOKEN_HEADER, token);
        let length = u32::try_from(message.len()).map_err(|_| GuestError::Unparsable)?;
        let envelope = [&[0], length.to_be_bytes().as_slice(), message].concat();
        tokio::time::timeout(CALL_TIMEOUT, send(self.net, path, request, envelope))
            .await
            .map_err(|_| GuestError::Silent)??;
        Ok(())
    }
}

fn command(program: &str, args: &[&str]) -> StartRequest {
    StartRequest {
        process: ProcessConfig {
            cmd: program.to_owned(),
            args: args.iter().copied().map(str::to_owned).collect(),
            ..Default::default()
        }
        .into(),
        stdin: Some(false),
        ..Default::default()
    }
}
