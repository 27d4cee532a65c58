//! What a sandbox does with an order, by its state and the order's generation.
//!
//! | order | running | paused | carried out already | older |
//! |---|---|---|---|---|
//! | pause | pause | written down | the same answer | refused |
//! | resume | written down | resume | the same answer | refused |
//! | update | update | update | the same answer | refused |
//! | destroy | destroy | destroy | destroy | refused |
//!
//! The manifest holds the generation of the last order that was carried out, whatever it changed: what was answered is what
//! the next agent knows too. A failed order leaves no trace there, and can be given again; an older one cannot.

use locule_agent_api::{AgentError, ResumeSandbox, SandboxReport, UpdateSandbox};

use super::{Command, Driver, Next};
use crate::golden::blocking;
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
                let done = self.order_update(&update).await;
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

    /// An order older than one already carried out changes nothing.
    fn check_order(&self, generation: i64) -> Result<(), AgentError> {
        let newest = self.manifest.generation.max(self.tried);
        if generation < newest {
            return Err(AgentError::FailedPrecondition(format!(
                "the order is stale: generation {generation}, the sandbox is at {newest}"
            )));
        }
        Ok(())
    }

    /// Whether the order was carried out before. Given again it does not undo what happened since: an idle sandbox that was
    /// paused is not resumed by the order that once resumed it.
    fn is_repeated(&mut self, generation: i64) -> Result<bool, AgentError> {
        self.check_order(generation)?;
        self.tried = generation;
        Ok(generation == self.manifest.generation)
    }

    /// Acknowledged only when its end is written down; else it goes on as it was.
    async fn order_destroy(&mut self, generation: i64) -> Result<(), AgentError> {
        self.check_order(generation)?;
        let before = std::mem::replace(&mut self.manifest.generation, generation);
        let finished = self.finish("destroyed").await;
        if finished.is_err() {
            self.manifest.generation = before;
        }
        Ok(finished?)
    }

    async fn order_pause(&mut self, generation: i64) -> Result<SandboxReport, AgentError> {
        if self.is_repeated(generation)? {
            return Ok(self.report());
        }
        let before = std::mem::replace(&mut self.manifest.generation, generation);
        let done = if self.vm.is_some() {
            self.pause(None).await
        } else {
            self.write_down().await
        };
        if let Err(error) = done {
            self.manifest.generation = before;
            return Err(error.into());
        }
        Ok(self.report())
    }

    async fn order_resume(&mut self, resume: ResumeSandbox) -> Result<SandboxReport, AgentError> {
        if self.is_repeated(resume.order.generation)? {
            return Ok(self.report());
        }
        let image = self.image();
        let before = self.manifest.clone();
        self.manifest.generation = resume.order.generation;
        self.manifest.timeouts = resume.timeouts;
        let done = match image {
            Some(image) if self.vm.is_none() => {
                self.manifest.access_token = resume.access_token;
                self.resume(image).await
            }
            _ => self.write_down().await,
        };
        if let Err(error) = done {
            // The image is untouched: the sandbox is as paused as it was.
            self.manifest = before;
            tracing::error!(sandbox.id = %self.manifest.sandbox, error = locule_base::errors::chain(&error), "resume failed");
            return Err(error.into());
        }
        Ok(self.report())
    }

    async fn order_update(&mut self, update: &UpdateSandbox) -> Result<SandboxReport, AgentError> {
        if self.is_repeated(update.order.generation)? {
            return Ok(self.report());
        }
        let before = self.manifest.clone();
        self.manifest.generation = update.order.generation;
        self.manifest.timeouts = update.timeouts;
        if let Err(error) = self.write_down().await {
            self.manifest = before;
            return Err(error.into());
        }
        self.activity.touch();
        Ok(self.report())
    }

    /// The manifest as it is now, for whoever starts next.
    async fn write_down(&mut self) -> Result<(), LifecycleError> {
        let (ledger, copy) = (self.host.ledger.clone(), self.manifest.clone());
        blocking(move || {
            ledger
                .commit(&copy)
                .map_err(LifecycleError::io("commit the manifest"))
        })
        .await?;
        self.tell();
        Ok(())
    }
}
