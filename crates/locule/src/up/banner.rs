//! What `locule up` prints: its progress, and how to reach the platform that it started.

use std::path::{Path, PathBuf};
use std::time::Duration;

use locule_agent_api::HostInfo;
use locule_base::clock::{Clock as _, SystemClock};

use super::layout::Credentials;
use super::proof::Proof;
use crate::{environment, screen};

/// How often a step that is under way says so.
const PERIOD: Duration = Duration::from_secs(5);

/// Prints the steps of starting and stopping, each with the time that it took.
#[derive(Debug)]
pub(super) struct Progress {
    clock: SystemClock,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            clock: SystemClock::new(),
        }
    }

    /// Runs one step. A step that takes long prints a line every few seconds; a step that fails prints nothing more, because
    /// its error is the last line of the program.
    pub(super) async fn step<T>(
        &self,
        name: &str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let begun = self.clock.monotonic();
        let elapsed = || self.clock.monotonic().saturating_sub(begun);
        screen::complain(&format!("  … {name}"));
        tokio::pin!(work);
        let result = loop {
            match tokio::time::timeout(PERIOD, &mut work).await {
                Ok(result) => break result,
                Err(_) => screen::complain(&format!("  … {name} ({} s)", elapsed().as_secs())),
            }
        };
        if result.is_ok() {
            screen::complain(&format!("  ✓ {name}: {:.1} s", elapsed().as_secs_f64()));
        }
        result
    }

    pub(super) fn note(line: &str) {
        screen::complain(&format!("  · {line}"));
    }
}

/// Prints how to reach the platform. The password and the key only with `secrets`: an output that is kept must not hold them.
pub(super) fn show(
    proof: &Proof,
    host: &HostInfo,
    credentials: &Credentials,
    kept_in: &Path,
    secrets: bool,
    sandbox_domain: Option<&str>,
) {
    screen::say(&format!(
        "\nA first sandbox ran a command in its own microVM:
  kernel       {}
  first answer {} ms after the request to create it ({} ms of that on the host)
  accelerator  {} ({})",
        proof.kernel, proof.total_ms, proof.ready_ms, host.accelerator, host.vmm
    ));
    if host.accelerator != "kvm" {
        screen::say(
            "  WARNING      This host has no KVM that works: run trusted code only (`locule doctor` prints the cause).",
        );
    }
    let reached = sdk_variables(&credentials.url, sandbox_domain);
    screen::say(&access(credentials, kept_in, secrets, &reached));
    if let Some(domain) = sandbox_domain {
        screen::say(&format!(
            "  The SDK then reaches sandboxes at https://<port>-<id>.{domain}: DNS and a proxy with TLS must lead there, and
  E2B_SANDBOX_URL must not be set (docs/guide/host-names.md)."
        ));
    }
    screen::say(&format!(
        "From a terminal:
  {program} run -- python3 -c 'print(6*7)'

Ctrl-C pauses the running sandboxes and stops the platform; after the next start they stay paused until you resume them.",
        program = program().display()
    ));
}

/// The variables with which the E2B SDKs find the platform at `url`. Where the operator has a domain for sandboxes, the platform
/// routes by the host names under it; elsewhere by headers, at the address of the API.
fn sdk_variables(url: &str, sandbox_domain: Option<&str>) -> String {
    match sandbox_domain {
        None => format!("E2B_API_URL={url} E2B_SANDBOX_URL={url}"),
        Some(domain) => format!("E2B_API_URL={url} E2B_DOMAIN={domain}"),
    }
}

/// The address of the platform, and its credentials or where they are kept.
fn access(credentials: &Credentials, kept_in: &Path, secrets: bool, reached: &str) -> String {
    let Credentials { url, email, .. } = credentials;
    let kept_in = kept_in.display();
    let (shown, key) = if secrets {
        let Credentials {
            password, api_key, ..
        } = credentials;
        let shown = format!(
            "  password     {password}
  API key      {api_key}
  kept in      {kept_in} (printed at the first start only)"
        );
        (shown, api_key.clone())
    } else {
        let shown = format!("  password and API key: in {kept_in}");
        let key = format!(
            "\"$(python3 -c 'import json; print(json.load(open(\"{kept_in}\"))[\"api_key\"])')\""
        );
        (shown, key)
    };
    format!(
        "\nLocule is up.
  dashboard    {url}/
  URL          {url}
  e-mail       {email}
{shown}

From Python, with `pip install e2b`:
  export E2B_API_KEY={key} {reached}
  python3 -c \"from e2b import Sandbox; s = Sandbox.create(); print(s.commands.run('uname -a').stdout); s.kill()\""
    )
}

/// How a shell calls this program: by its name where the `PATH` leads to it, else by its path.
fn program() -> PathBuf {
    let name = PathBuf::from("locule");
    let this = std::env::current_exe().ok();
    let named = environment::find_program("locule").and_then(|path| path.canonicalize().ok());
    match this {
        Some(this) if named.as_ref() != Some(&this) => this,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a domain of the operator the platform answers no routing header at the address of the API.
    #[test]
    fn with_a_sandbox_domain_the_sdk_is_told_the_domain_and_no_address_for_routing_by_header() {
        let url = "http://127.0.0.1:8000";
        assert_eq!(
            sdk_variables(url, Some("sandboxes.test:8443")),
            "E2B_API_URL=http://127.0.0.1:8000 E2B_DOMAIN=sandboxes.test:8443"
        );
        assert_eq!(
            sdk_variables(url, None),
            "E2B_API_URL=http://127.0.0.1:8000 E2B_SANDBOX_URL=http://127.0.0.1:8000"
        );
    }

    #[test]
    fn the_banner_holds_secrets_only_when_it_is_told_to_and_always_says_where_they_are() {
        let credentials = Credentials {
            url: "http://127.0.0.1:8000".to_owned(),
            email: "admin@locule.local".to_owned(),
            password: "the password".to_owned(),
            api_key: "e2b_0123".to_owned(),
        };
        let kept_in = Path::new("/srv/locule/credentials.json");
        for secrets in [true, false] {
            let shown = access(&credentials, kept_in, secrets, "");
            assert!(shown.contains("/srv/locule/credentials.json"), "{shown}");
            for secret in [&credentials.password, &credentials.api_key] {
                assert_eq!(shown.contains(secret.as_str()), secrets, "{shown}");
            }
        }
    }
}
