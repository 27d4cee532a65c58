//! Client and router over a Unix socket: what one end sends, the other receives; and connections with TLS.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod certificates;
mod tls;
mod tls_to_control;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};
use locule_agent_api::{
    AgentError, Client, Connector, Holder, HolderKind, HostAgent, HostInfo, Order,
    PROTOCOL_VERSION, PoolLevel, Purpose, ReportedState, ResumeSandbox, SandboxActivity,
    SandboxRecord, SandboxReport, SandboxSpec, UpdateSandbox, WatchEvent, WatchStream, WriteMark,
    router,
};
use locule_domain::{OnTimeout, Timeouts};
use locule_ids::{SandboxId, TeamId, TemplateId};
use tokio::net::UnixListener;

/// A message as the host received it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Received {
    Create(Box<SandboxSpec>),
    Destroy(Order),
    Pause(Order),
    Resume(ResumeSandbox),
    Update(UpdateSandbox),
    Ping(SandboxId),
    Activity(SandboxId),
    Get(SandboxId),
    Record(SandboxId),
    List,
    Watch,
    Terminate(Vec<Order>),
    AcceptDatabase(WriteMark),
}

/// A host that records every message and answers with the same report.
struct Recorder {
    info: Mutex<HostInfo>,
    report: SandboxReport,
    received: Mutex<Vec<Received>>,
}

impl Recorder {
    fn new(info: HostInfo) -> Arc<Self> {
        Arc::new(Self {
            info: Mutex::new(info),
            report: report(),
            received: Mutex::default(),
        })
    }

    fn record(&self, message: Received) -> SandboxReport {
        self.received.lock().unwrap().push(message);
        self.report.clone()
    }

    fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.received.lock().unwrap())
    }
}

fn activity() -> SandboxActivity {
    let at = |seconds| DateTime::from_timestamp(seconds, 5_000_000).unwrap();
    let holder = |purpose, count| Holder {
        purpose,
        count,
        since: at(1_700_000_000),
    };
    let terminal = Purpose {
        pid: Some(7),
        tag: Some("pty-1".to_owned()),
        ..Purpose::new(HolderKind::Terminal)
    };
    let port = Purpose {
        port: Some(8080),
        ..Purpose::new(HolderKind::Port)
    };
    SandboxActivity {
        last_active_at: at(1_700_000_001),
        held_by: vec![holder(terminal, 1), holder(port, 12)],
    }
}

#[async_trait]
impl HostAgent for Recorder {
    async fn host(&self) -> Result<HostInfo, AgentError> {
        Ok(self.info.lock().unwrap().clone())
    }

    async fn create_sandbox(&self, spec: SandboxSpec) -> Result<SandboxReport, AgentError> {
        Ok(self.record(Received::Create(Box::new(spec))))
    }

    async fn destroy_sandbox(&self, order: Order) -> Result<(), AgentError> {
        self.record(Received::Destroy(order));
        Ok(())
    }

    async fn pause_sandbox(&self, order: Order) -> Result<SandboxReport, AgentError> {
        Ok(self.record(Received::Pause(order)))
    }

    async fn resume_sandbox(&self, resume: ResumeSandbox) -> Result<SandboxReport, AgentError> {
        Ok(self.record(Received::Resume(resume)))
    }

    async fn update_sandbox(&self, update: UpdateSandbox) -> Result<SandboxReport, AgentError> {
        Ok(self.record(Received::Update(update)))
    }

    async fn ping_sandbox(&self, sandbox: SandboxId) -> Result<(), AgentError> {
        self.record(Received::Ping(sandbox));
        Ok(())
    }

    async fn get_sandbox(&self, sandbox: SandboxId) -> Result<SandboxReport, AgentError> {
        let report = self.record(Received::Get(sandbox));
        if report.sandbox == sandbox {
            Ok(report)
        } else {
            Err(AgentError::NotFound)
        }
    }

    async fn sandbox_record(&self, sandbox: SandboxId) -> Result<SandboxRecord, AgentError> {
        let report = self.record(Received::Record(sandbox));
        Ok(recorded(report))
    }

    async fn activity(&self, sandbox: SandboxId) -> Result<SandboxActivity, AgentError> {
        self.record(Received::Activity(sandbox));
        Ok(activity())
    }

    async fn list_sandboxes(&self) -> Result<Vec<SandboxReport>, AgentError> {
        Ok(vec![self.record(Received::List)])
    }

    async fn watch_sandboxes(&self) -> Result<WatchStream, AgentError> {
        let report = self.record(Received::Watch);
        let events = [
            Ok(WatchEvent::Report { seq: 7, report }),
            Ok(WatchEvent::Complete),
        ];
        Ok(stream::iter(events).boxed())
    }

    async fn terminate(&self, orders: Vec<Order>) -> Result<(), AgentError> {
        self.record(Received::Terminate(orders));
        Ok(())
    }

    async fn accept_database(&self, at: WriteMark) -> Result<(), AgentError> {
        self.record(Received::AcceptDatabase(at));
        Ok(())
    }
}

/// A recorder that is served on a socket, and a client of it.
struct Pair {
    host: Arc<Recorder>,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Pair {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let host = Recorder::new(info());
        let app = router(host.clone());
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            host,
            client: Client::new(Connector::Unix(socket)),
            _folder: folder,
        }
    }

    fn speak(&self, protocol: u32) {
        self.host.info.lock().unwrap().protocol = protocol;
    }
}

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn info() -> HostInfo {
    HostInfo {
        protocol: PROTOCOL_VERSION,
        agent_version: "0.1.0".to_owned(),
        accelerator: "tcg".to_owned(),
        accelerator_reason: "there is no /dev/kvm".to_owned(),
        vmm: "qemu-10.0 q35".to_owned(),
        cpu_cores: 8,
        memory_mib: 8192,
        pool_free_bytes: 1 << 40,
        templates: vec!["minimal".to_owned()],
        warm: vec![PoolLevel {
            template: "minimal".to_owned(),
            vcpus: 1,
            memory_mib: 512,
            warm: 2,
            restored: 1,
            unique_bytes: 1 << 20,
        }],
        memory_used_bytes: 1 << 30,
        memory_limit_bytes: 1 << 33,
        ready: true,
        write_mark: Some(mark()),
    }
}

fn mark() -> WriteMark {
    WriteMark {
        cluster: "cluster".to_owned(),
        counter: 42,
    }
}

fn timeouts() -> Timeouts {
    Timeouts {
        timeout_sec: 60,
        expires_at: Some(noon()),
        on_timeout: OnTimeout::Pause,
    }
}

fn order() -> Order {
    Order {
        sandbox: SandboxId::random(),
        generation: 3,
        write_mark: Some(mark()),
    }
}

fn texts(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), "value".to_owned())])
}

fn spec() -> SandboxSpec {
    SandboxSpec {
        order: order(),
        team: TeamId::random(),
        template: "minimal".to_owned(),
        template_id: TemplateId::MINIMAL,
        vcpus: 2,
        memory_mib: 1024,
        disk_size_mb: 5120,
        timeouts: timeouts(),
        auto_resume: true,
        default_user: "user".to_owned(),
        env: texts("env"),
        labels: texts("label"),
        access_token: "secret".to_owned(),
    }
}

fn report() -> SandboxReport {
    SandboxReport {
        sandbox: SandboxId::random(),
        generation: 3,
        state: ReportedState::Paused,
        reason: Some("idle".to_owned()),
        last_error: Some("the last resume failed".to_owned()),
        team: TeamId::random(),
        template: "minimal".to_owned(),
        template_id: TemplateId::MINIMAL,
        vcpus: 2,
        memory_mib: 1024,
        disk_size_mb: 5120,
        timeouts: timeouts(),
        guest_ip: "169.254.0.21".to_owned(),
        host_ip: "10.0.0.1".to_owned(),
        metadata: texts("kernel_version"),
        created_at: noon(),
        started_at: Some(noon()),
        last_active_at: Some(noon()),
        unresponsive: true,
        ready_ms: 12,
        stored_bytes: Some(123 << 20),
    }
}

fn recorded(report: SandboxReport) -> SandboxRecord {
    SandboxRecord {
        report,
        default_user: "user".to_owned(),
        auto_resume: true,
        env: texts("env"),
        labels: texts("label"),
    }
}

#[tokio::test]
async fn every_message_arrives_as_it_was_sent() {
    let Pair {
        host,
        client,
        _folder,
    } = Pair::start();
    let answer = host.report.clone();
    let resume = ResumeSandbox {
        order: order(),
        timeouts: timeouts(),
        access_token: "secret".to_owned(),
    };
    let update = UpdateSandbox {
        order: order(),
        timeouts: Timeouts::default(),
    };
    let (spec, pause, destroy) = (spec(), order(), order());
    let reports = [
        client.create_sandbox(spec.clone()).await.unwrap(),
        client.pause_sandbox(pause.clone()).await.unwrap(),
        client.resume_sandbox(resume.clone()).await.unwrap(),
        client.update_sandbox(update.clone()).await.unwrap(),
        client.get_sandbox(answer.sandbox).await.unwrap(),
    ];
    assert!(
        reports.iter().all(|report| *report == answer),
        "{reports:?}"
    );
    let record = client.sandbox_record(answer.sandbox).await.unwrap();
    assert_eq!(record, recorded(answer.clone()));
    client.destroy_sandbox(destroy.clone()).await.unwrap();
    client.ping_sandbox(answer.sandbox).await.unwrap();
    let asked = client.activity(answer.sandbox).await.unwrap();
    assert_eq!(asked, activity());
    assert_eq!(
        client.list_sandboxes().await.unwrap(),
        std::slice::from_ref(&answer)
    );
    let ended = vec![order(), order()];
    client.terminate(ended.clone()).await.unwrap();
    client.accept_database(mark()).await.unwrap();
    let events = client.watch_sandboxes().await.unwrap();
    let events: Vec<_> = events.map(Result::unwrap).collect().await;
    let told = WatchEvent::Report {
        seq: 7,
        report: answer.clone(),
    };
    assert_eq!(events, [told, WatchEvent::Complete]);
    let sent = [
        Received::Create(Box::new(spec)),
        Received::Pause(pause),
        Received::Resume(resume),
        Received::Update(update),
        Received::Get(answer.sandbox),
        Received::Record(answer.sandbox),
        Received::Destroy(destroy),
        Received::Ping(answer.sandbox),
        Received::Activity(answer.sandbox),
        Received::List,
        Received::Terminate(ended),
        Received::AcceptDatabase(mark()),
        Received::Watch,
    ];
    assert_eq!(host.take(), sent);
    assert_eq!(client.host().await.unwrap(), info());
}

#[tokio::test]
async fn an_order_without_a_write_mark_arrives_without_one() {
    let Pair {
        host,
        client,
        _folder,
    } = Pair::start();
    let unmarked = Order {
        write_mark: None,
        ..order()
    };
    client.pause_sandbox(unmarked.clone()).await.unwrap();
    assert_eq!(host.take(), [Received::Pause(unmarked)]);
}

#[tokio::test]
async fn a_sandbox_that_the_host_does_not_know_is_not_found() {
    let Pair {
        client, _folder, ..
    } = Pair::start();
    let answer = client.get_sandbox(SandboxId::random()).await;
    assert_eq!(answer, Err(AgentError::NotFound));
}

#[tokio::test]
async fn a_host_of_an_unknown_protocol_gets_no_orders() {
    let pair = Pair::start();
    for protocol in [0, PROTOCOL_VERSION + 1] {
        pair.speak(protocol);
        let refused = AgentError::UnsupportedProtocol {
            host: protocol,
            own: PROTOCOL_VERSION,
        };
        let text = refused.to_string();
        for version in [protocol, PROTOCOL_VERSION] {
            assert!(text.contains(&format!("version {version}")), "{text}");
        }
        let paused = pair.client.pause_sandbox(order()).await;
        assert_eq!(paused, Err(refused.clone()));
        assert_eq!(pair.client.list_sandboxes().await, Err(refused.clone()));
        assert_eq!(pair.client.watch_sandboxes().await.err(), Some(refused));
    }
    assert_eq!(pair.host.take(), []);
    pair.speak(PROTOCOL_VERSION);
    pair.client.pause_sandbox(order()).await.unwrap();
}

#[tokio::test]
async fn every_watch_asks_for_the_protocol_again() {
    let pair = Pair::start();
    pair.client.list_sandboxes().await.unwrap();
    pair.speak(PROTOCOL_VERSION + 1);
    assert!(pair.client.watch_sandboxes().await.is_err());
    pair.client.pause_sandbox(order()).await.unwrap_err();
    assert_eq!(pair.host.take(), [Received::List]);
}
