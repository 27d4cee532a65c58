//! `locule serve` as a process of its own: the memory of its clients and of the simulated host is not its memory.
//!
//! ```text
//! test ── raw TCP ──► locule serve (a process) ── Unix socket ──► HostProxy ──► SimHost, FakeGuest (in the test)
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use locule_base::clock::SystemClock;
use locule_base::memory::kibibytes;
use locule_base::tasks::Tasks;
use locule_testkit::{
    FakeGuest, GuestAgent, HostProxy, SimHost, eventually, free_address, online_host, program,
};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, PgPool};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::app::PASSWORD;
use crate::raw::exchange;

/// The process ends with the value.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) guest: Arc<FakeGuest>,
    pub(crate) proxy: Arc<HostProxy>,
    pub(crate) key: String,
    /// A running sandbox of the key's team.
    pub(crate) sandbox: String,
    process: Child,
    tasks: Tasks,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

impl Served {
    pub(crate) async fn start(pool: &PgPool) -> Self {
        Self::start_with(pool, &[]).await
    }

    /// Starts the control plane with these variables in its environment.
    pub(crate) async fn start_with(pool: &PgPool, variables: &[(&str, &str)]) -> Self {
        let (tasks, clock) = (Tasks::new(), SystemClock::shared());
        let (host, guest) = (SimHost::new(clock.clone()), FakeGuest::new());
        let agent = GuestAgent::Fake(guest.clone());
        let proxy = HostProxy::start(&tasks, host, agent);
        online_host(pool, proxy.socket(), clock.now()).await;
        let address = free_address();
        #[expect(
            clippy::disallowed_methods,
            reason = "the test runs the control plane as users do"
        )]
        let mut command = Command::new(program("locule"));
        let process = command
            .args(["serve", "--no-migrate", "--listen", &address.to_string()])
            .env(
                "DATABASE_URL",
                pool.connect_options().to_url_lossy().as_str(),
            )
            .env("LOCULE__SECRETS__PLATFORM_KEY", "1".repeat(64))
            .env("LOCULE__SECRETS__JWT_SECRET", "2".repeat(64))
            .env("LOCULE__AUTH__SIGNUP", "open")
            .env("LOCULE_LOG", "warn")
            .envs(variables.iter().copied())
            .kill_on_drop(true)
            .spawn()
            .expect("start `locule serve`; `cargo build -p locule` builds it");
        let mut served = Self {
            address,
            guest,
            proxy,
            key: String::new(),
            sandbox: String::new(),
            process,
            tasks,
        };
        eventually("the control plane listens", async || {
            TcpStream::connect(address).await.is_ok()
        })
        .await;
        served.sign_up().await;
        served
    }

    async fn sign_up(&mut self) {
        let body = json!({ "email": "team@locule.test", "password": PASSWORD, "name": "team" });
        let session = self.post("/v1/auth/signup", "", &body).await;
        let bearer = format!("Authorization: Bearer {}\r\n", text(&session, "token"));
        let made = self.post("/v1/api-keys", &bearer, &json!({})).await;
        self.key = text(&made, "key");
        let sandbox = self
            .post("/v1/sandboxes", &self.key_header(), &json!({}))
            .await;
        self.sandbox = text(&sandbox, "id");
    }

    fn key_header(&self) -> String {
        format!("X-API-Key: {}\r\n", self.key)
    }

    /// The head of a request of the team.
    pub(crate) fn head(&self, operation: &str, content_type: &str, length: usize) -> String {
        format!(
            "POST /v1/sandboxes/{}/{operation} HTTP/1.1\r\nHost: localhost\r\n{}Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n",
            self.sandbox,
            self.key_header()
        )
    }

    async fn post(&self, path: &str, headers: &str, body: &Value) -> Value {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(self.address, &request).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 20"), "{path}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Runs a command to its end.
    pub(crate) async fn exec(&self, body: &Value) -> Value {
        let path = format!("/v1/sandboxes/{}/exec", self.sandbox);
        self.post(&path, &self.key_header(), body).await
    }

    fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.process.id().unwrap())
    }

    fn status(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        kibibytes(&status, field).unwrap() / 1024
    }

    /// Private memory of the process, in MiB.
    pub(crate) fn private_mib(&self) -> u64 {
        let rollup = std::fs::read_to_string(self.proc("smaps_rollup")).unwrap();
        kibibytes(&rollup, "Anonymous:").unwrap() / 1024
    }

    /// Makes [`Self::peak_mib`] begin anew.
    pub(crate) fn reset_peak(&self) {
        std::fs::write(self.proc("clear_refs"), "5").unwrap();
    }

    /// The most private memory that the process had since [`Self::reset_peak`], in MiB. The kernel records the peak together
    /// with pages of files, which stay.
    pub(crate) fn peak_mib(&self) -> u64 {
        self.status("VmHWM:") - self.status("RssFile:")
    }

    /// Ends the process.
    pub(crate) async fn stop(mut self) {
        self.process.kill().await.unwrap();
    }
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap().to_owned()
}
