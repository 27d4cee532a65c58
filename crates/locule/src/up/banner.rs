//! What the person who typed `locule up` sees.

use std::cell::Cell;
use std::time::Duration;

use locule_agent_api::HostInfo;
use locule_base::clock::{Clock as _, SystemClock};

use super::layout::Credentials;
use super::proof::Proof;
use crate::screen;

/// Steps with their times, one line each.
#[derive(Debug)]
pub(super) struct Progress {
    clock: SystemClock,
    begun: Cell<(Duration, &'static str)>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            clock: SystemClock::new(),
            begun: Cell::new((Duration::ZERO, "")),
        }
    }

    pub(super) fn begin(&self, step: &'static str) {
        self.begun.set((self.clock.monotonic(), step));
        screen::complain(&format!("  … {step}"));
    }

    pub(super) fn done(&self) {
        let (begun, step) = self.begun.get();
        let took = self.clock.monotonic().saturating_sub(begun);
        screen::complain(&format!("  ✓ {step}: {:.1} s", took.as_secs_f64()));
    }

    pub(super) fn note(line: &str) {
        screen::complain(&format!("  · {line}"));
    }
}

pub(super) fn show(proof: &Proof, host: &HostInfo, credentials: &Credentials) {
    let Credentials {
        url,
        email,
        password,
        api_key,
    } = credentials;
    screen::say(&format!(
        "\nA first sandbox ran a command in a microVM of its own:
  kernel       {}
  answered in  {} ms from its creation ({} ms of it on the host)
  accelerator  {} ({})",
        proof.kernel, proof.total_ms, proof.ready_ms, host.accelerator, host.vmm
    ));
    if host.accelerator != "kvm" {
        screen::say(&format!(
            "  WARNING      no KVM ({}): for development and trusted code only; production needs KVM",
            host.accelerator_reason
        ));
    }
    screen::say(&format!(
        "\nLocule is up.
  URL          {url}
  e-mail       {email}
  password     {password}
  API key      {api_key}

From Python, with `pip install e2b`:
  export E2B_API_KEY={api_key} E2B_API_URL={url} E2B_SANDBOX_URL={url}
  python3 -c \"from e2b import Sandbox; s = Sandbox.create(); print(s.commands.run('uname -a').stdout); s.kill()\"
From a terminal:
  locule run -- python3 -c 'print(6*7)'

Ctrl-C stops everything; running sandboxes are paused and resume on request."
    ));
}
