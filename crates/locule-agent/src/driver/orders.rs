//! What a sandbox does with an order, by its state and the order's generation.
//!
//! | order | running | paused | older than the highest seen |
//! |---|---|---|---|
//! | pause | pause | the same answer | refused |
//! | resume | the same answer | resume | refused |
//! | update | update | update | refused |
//! | destroy | destroy | destroy | refused |

use locule_agent_api::{AgentError, ResumeSandbox, SandboxReport, UpdateSandbox};

use super::{Command, Driver, Next};
use crate::lifecycle::LifecycleError;

impl Driver {
    pub(super) async fn obey(&mut self, command: Command) -> Next {
        match command {
            Command::Report { reply } => {
                let _ = reply.send(self.report());
                Next::Go
            }
            Command::Pause { generation, reply } => {
                let done = self.order_pause(generation).await;
                let _ = reply.send(done);
                Next::Go
            }
            Command::Resume { resume, reply } => {
                let done = self.order_resume(resume).await;
                let _ = reply.send(done);
                Next::Go
            }
            Command::Update { update, reply } => {
                let done = self.order_update(&update);
                let _ = reply.send(done);
                Next::Go
            }
            Command::Destroy { generation, reply } => {
                let done = self.order_destroy(generation).await;
                let next = if done.is_ok() { Next::Gone } else { Next::Go };
                let _ = reply.send(done);
                next
            }
            Command::Relieve { reply } => {
                let done = self.pause(Some("memory_pressure".to_owned())).await;
                let _ = reply.send(done.map(|()| self.report()).map_err(AgentError::from));
                Next::Go
            }
            Command::Park { reply } => {
                let parked = self.pause(Some("host_stopping".to_owned())).await;
                let parked = parked.map(|()| self.report()).map_err(AgentError::from);
                let next = if parked.is_ok() { Next::Gone } else { Next::Go };
                let _ = reply.send(parked);
                next
            }
        }
    }

    /// An order older than one already carried out is a late or repeated one: it changes nothing.
    fn accept(&mut self, generation: i64) -> Result<(), AgentError> {
        if generation < self.manifest.generation {
            return Err(AgentError::FailedPrecondition(format!(
                "the order is stale: generation {generation}, the sandbox is at {}",
                self.manifest.generation
            )));
        }
        self.manifest.generation = generation;
        Ok(())
    }

    /// Acknowledged only when its end is written down; else it goes on as it was.
    async fn order_destroy(&mut self, generation: i64) -> Result<(), AgentError> {
        self.accept(generation)?;
        Ok(self.finish("destroyed").await?)
    }

    async fn order_pause(&mut self, generation: i64) -> Result<SandboxReport, AgentError> {
        self.accept(generation)?;
        if self.vm.is_some() {
            self.pause(None).await?;
        }
        Ok(self.report())
    }

    async fn order_resume(&mut self, resume: ResumeSandbox) -> Result<SandboxReport, AgentError> {
        self.accept(resume.generation)?;
        if self.vm.is_none() {
            let image = self.image().ok_or_else(|| {
                AgentError::FailedPrecondition("the sandbox is not paused".to_owned())
            })?;
            let before = self.manifest.clone();
            self.manifest.timeout_sec = resume.timeout_sec;
            self.manifest.expires_at = resume.expires_at;
            self.manifest.on_timeout = resume.on_timeout;
            self.manifest.access_token = resume.access_token;
            if let Err(error) = self.resume(image).await {
                // The image is untouched: the sandbox is as paused as it was.
                self.manifest = before;
                tracing::error!(sandbox.id = %self.manifest.sandbox, error = locule_base::errors::chain(&error), "resume failed");
                return Err(error.into());
            }
        }
        Ok(self.report())
    }

    fn order_update(&mut self, update: &UpdateSandbox) -> Result<SandboxReport, AgentError> {
        self.accept(update.generation)?;
        let before = self.manifest.clone();
        self.manifest.timeout_sec = update.timeout_sec;
        self.manifest.expires_at = update.expires_at;
        self.manifest.on_timeout = update.on_timeout;
        if let Err(error) = self.host.ledger.commit(&self.manifest) {
            self.manifest = before;
            return Err(LifecycleError::io("commit the manifest")(error).into());
        }
        self.activity.touch();
        self.tell();
        Ok(self.report())
    }
}
