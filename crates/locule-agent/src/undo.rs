//! What an unfinished sequence has taken from the host, and how each of those resources is given back.
//!
//! A sequence records an undo step for each resource. When the sequence fails, the steps run, the last one first. When the
//! sequence succeeds, the resources stay. A sequence that is dropped in the middle counts as failed.

use std::ops::{Deref, DerefMut};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use locule_base::errors::chain;
use locule_base::tasks::Tasks;
use tokio::sync::oneshot;

use crate::error::HostError;

type Step = (&'static str, BoxFuture<'static, Result<(), HostError>>);

pub(crate) struct Undo {
    tasks: Tasks,
    steps: Vec<Step>,
}

impl Undo {
    pub(crate) fn new(tasks: &Tasks) -> Self {
        Self {
            tasks: tasks.clone(),
            steps: Vec::new(),
        }
    }

    /// Records how `resource` is given back.
    pub(crate) fn record(
        &mut self,
        resource: &'static str,
        step: impl Future<Output = Result<(), HostError>> + Send + 'static,
    ) {
        self.steps.push((resource, step.boxed()));
    }

    /// Records how a resource is given back that the sequence itself works with until then.
    pub(crate) fn guard<T: Send + 'static, F>(
        &mut self,
        resource: &'static str,
        value: T,
        give_back: impl FnOnce(T) -> F + Send + 'static,
    ) -> Guarded<T>
    where
        F: Future<Output = Result<(), HostError>> + Send,
    {
        let (sender, receiver) = oneshot::channel();
        self.record(resource, async move {
            match receiver.await {
                Ok(value) => give_back(value).await,
                // The sequence has passed the resource on.
                Err(_) => Ok(()),
            }
        });
        Guarded {
            value: Some(value),
            give_back: Some(sender),
        }
    }

    /// The end of a sequence. A failed one has given everything back when this returns.
    pub(crate) async fn finish<T>(mut self, result: Result<T, HostError>) -> Result<T, HostError> {
        if result.is_ok() {
            self.steps.clear();
        } else {
            self.run().await;
        }
        result
    }

    /// Gives everything back. `false`: a step failed, and the log says which one.
    pub(crate) async fn run(mut self) -> bool {
        match self.start() {
            Some(done) => done.await.unwrap_or(false),
            None => true,
        }
    }

    /// The steps run in a task of their own, so that none is lost when the caller is dropped.
    fn start(&mut self) -> Option<oneshot::Receiver<bool>> {
        if self.steps.is_empty() {
            return None;
        }
        let steps = std::mem::take(&mut self.steps);
        let (sender, done) = oneshot::channel();
        self.tasks.spawn_detached("undo", async move {
            let mut complete = true;
            for (resource, step) in steps.into_iter().rev() {
                if let Err(error) = step.await {
                    complete = false;
                    tracing::error!(
                        resource,
                        error = chain(&error),
                        "a resource of a failed operation could not be given back"
                    );
                }
            }
            // The caller may have been dropped.
            let _ = sender.send(complete);
        });
        Some(done)
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        self.start();
    }
}

/// A resource in the hands of a sequence. Dropped, it goes to its undo step.
#[derive(Debug)]
pub(crate) struct Guarded<T> {
    value: Option<T>,
    give_back: Option<oneshot::Sender<T>>,
}

impl<T> Guarded<T> {
    /// Takes the resource out of the reach of its undo step.
    pub(crate) fn keep(mut self) -> T {
        self.value.take().expect(PRESENT)
    }
}

const PRESENT: &str = "a guarded resource is present until `keep` consumes the handle";

impl<T> Deref for Guarded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect(PRESENT)
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect(PRESENT)
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        if let (Some(value), Some(give_back)) = (self.value.take(), self.give_back.take()) {
            // Without a receiver there is no step to run any more: the sequence succeeded.
            let _ = give_back.send(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A sequence of three resources, the second of which the sequence works with.
    fn sequence(
        undo: &mut Undo,
        given_back: &Arc<Mutex<Vec<&'static str>>>,
        fails: bool,
    ) -> Result<&'static str, HostError> {
        for name in ["network", "folder"] {
            let given_back = given_back.clone();
            undo.record(name, async move {
                given_back.lock().unwrap().push(name);
                Ok(())
            });
        }
        let to = given_back.clone();
        let guarded = undo.guard("VMM", "vmm", async move |vmm| {
            to.lock().unwrap().push(vmm);
            Ok(())
        });
        if fails {
            return Err(HostError::NoSlot);
        }
        Ok(guarded.keep())
    }

    #[tokio::test]
    async fn a_failed_sequence_gives_everything_back_last_first() {
        let (tasks, given_back) = (Tasks::new(), Arc::default());
        let mut undo = Undo::new(&tasks);
        let done = sequence(&mut undo, &given_back, true);
        undo.finish(done).await.unwrap_err();
        assert_eq!(*given_back.lock().unwrap(), ["vmm", "folder", "network"]);
    }

    #[tokio::test]
    async fn a_sequence_that_succeeds_keeps_everything() {
        let (tasks, given_back) = (Tasks::new(), Arc::default());
        let mut undo = Undo::new(&tasks);
        let done = sequence(&mut undo, &given_back, false);
        assert_eq!(undo.finish(done).await.unwrap(), "vmm");
        tasks
            .shutdown(std::time::Duration::from_secs(5))
            .await
            .unwrap();
        assert!(given_back.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_sequence_that_is_dropped_gives_everything_back() {
        let (tasks, given_back) = (Tasks::new(), Arc::default());
        let mut undo = Undo::new(&tasks);
        let _ = sequence(&mut undo, &given_back, true);
        drop(undo);
        tasks
            .shutdown(std::time::Duration::from_secs(5))
            .await
            .unwrap();
        assert_eq!(*given_back.lock().unwrap(), ["vmm", "folder", "network"]);
    }

    #[tokio::test]
    async fn a_step_that_fails_does_not_stop_the_steps_before_it() {
        let (tasks, given_back) = (Tasks::new(), Arc::default());
        let mut undo = Undo::new(&tasks);
        let _ = sequence(&mut undo, &given_back, true);
        undo.record("device", async { Err(HostError::Panicked) });
        assert!(!undo.run().await);
        assert_eq!(given_back.lock().unwrap().len(), 3);
    }
}
