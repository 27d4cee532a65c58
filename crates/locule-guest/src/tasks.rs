//! Background tasks of the guest agent.

/// Spawns a task that runs until it returns. Nothing stops it earlier: the guest agent never shuts down in an orderly way,
/// and PID 1 replaces its whole process if it fails.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    #[expect(
        clippy::disallowed_methods,
        reason = "this function is where the guest's tasks are spawned"
    )]
    tokio::spawn(task);
}
