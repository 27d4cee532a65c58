//! Watches: streamed while their request is open, or kept for a client that polls.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, stream};
use locule_guest_api::oneof;
use locule_guest_api::proto::filesystem as wire;
use locule_guest_api::rpc::ConnectError;
use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::entry;
use super::error::path_error;
use super::folders::{Change, Folders, WatchSpec, is_network_mount};
use crate::fd::non_blocking;
use crate::tasks;
use crate::users::Names;

/// Limit of streamed and polled watches together: by default the kernel gives a user 128 inotify instances.
const WATCHES_MAX: usize = 64;
/// A polled watch that no client polled for this long is removed when a new watch needs its slot.
const ABANDONED_AFTER: Duration = Duration::from_mins(10);
/// Limit of queued events of one watch.
const EVENTS_MAX: usize = 8192;
/// Limit of queued bytes of one watch: names and entries, roughly.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// All watches of this guest.
#[derive(Debug)]
pub(crate) struct Watchers {
    slots: Arc<Semaphore>,
    polled: Mutex<HashMap<String, Polled>>,
}

#[derive(Debug)]
struct Polled {
    watch: Arc<Watch>,
    used: Instant,
}

impl Default for Watchers {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(WATCHES_MAX)),
            polled: Mutex::default(),
        }
    }
}

fn unknown(id: &str) -> ConnectError {
    ConnectError::not_found(format!("watcher with id '{id}' not found"))
}

fn too_many() -> ConnectError {
    ConnectError::resource_exhausted(format!(
        "{WATCHES_MAX} watches are open, which is the limit: remove one"
    ))
}

impl Watchers {
    fn polled(&self) -> MutexGuard<'_, HashMap<String, Polled>> {
        self.polled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a watch, which is closed when the value is dropped. Blocks.
    pub(super) fn open(&self, spec: WatchSpec) -> Result<Arc<Watch>, ConnectError> {
        let take_slot = || self.slots.clone().try_acquire_owned();
        let slot = take_slot().or_else(|_| {
            self.remove_abandoned();
            take_slot()
        });
        Watch::open(spec, slot.map_err(|_| too_many())?)
    }

    /// Removes the watch that was polled longest ago, if it is abandoned.
    fn remove_abandoned(&self) {
        let mut polled = self.polled();
        let oldest = polled.iter().min_by_key(|(_, polled)| polled.used);
        let abandoned = oldest
            .filter(|(_, polled)| polled.used.elapsed() > ABANDONED_AFTER)
            .map(|(id, _)| id.clone());
        if let Some(id) = abandoned {
            polled.remove(&id);
        }
    }

    /// Keeps a watch for a client that polls, and returns its id.
    pub(super) fn keep(&self, watch: Arc<Watch>) -> Result<String, ConnectError> {
        let mut bytes = [0_u8; 16];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
            .map_err(|error| ConnectError::internal(error.to_string()))?;
        let id = hex::encode(bytes);
        let used = Instant::now();
        self.polled().insert(id.clone(), Polled { watch, used });
        Ok(id)
    }

    /// The events since the last call, up to this moment. Blocks.
    pub(super) fn events(&self, id: &str) -> Result<Vec<wire::FilesystemEvent>, ConnectError> {
        let watch = {
            let mut polled = self.polled();
            let polled = polled.get_mut(id).ok_or_else(|| unknown(id))?;
            polled.used = Instant::now();
            polled.watch.clone()
        };
        watch.state.read();
        watch.state.queue().take().map(Vec::from)
    }

    pub(super) fn remove(&self, id: &str) -> Result<(), ConnectError> {
        let removed = self.polled().remove(id);
        removed.map(drop).ok_or_else(|| unknown(id))
    }
}

/// A watch. Its events are read at once, so that new directories join in time, and wait in a bounded queue.
#[derive(Debug)]
pub(super) struct Watch {
    state: Arc<State>,
    /// Dropping it ends the reading task.
    _open: oneshot::Sender<()>,
    _slot: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct State {
    include_entry: bool,
    root: std::path::PathBuf,
    fd: AsyncFd<OwnedFd>,
    /// Locked while files are examined.
    folders: Mutex<Folders>,
    /// Locked for short times only.
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<wire::FilesystemEvent>,
    bytes: usize,
    /// Events were lost after the last queued one. Nothing more is queued until the client has read this.
    lost: bool,
}

fn lost() -> ConnectError {
    ConnectError::data_loss(
        "events were lost because the queue of the watch was full: list the directory again",
    )
}

impl Queue {
    fn push(&mut self, event: wire::FilesystemEvent) {
        let entry = event.entry.as_option().map_or(0, |entry| {
            let metadata = entry.metadata.iter().map(|(k, v)| k.len() + v.len());
            256 + entry.path.len() + metadata.sum::<usize>()
        });
        let bytes = 128 + event.name.len() + entry;
        let full = self.events.len() >= EVENTS_MAX || self.bytes + bytes > EVENT_BYTES_MAX;
        self.lost |= full;
        if !self.lost {
            self.bytes += bytes;
            self.events.push_back(event);
        }
    }

    /// Takes the queued events. If events were lost after them, the next call returns that as an error.
    fn take(&mut self) -> Result<VecDeque<wire::FilesystemEvent>, ConnectError> {
        if self.events.is_empty() && std::mem::take(&mut self.lost) {
            return Err(lost());
        }
        self.bytes = 0;
        Ok(std::mem::take(&mut self.events))
    }
}

impl State {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the kernel's events into the queue. `true`: more may be ready.
    fn read(&self) -> bool {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let read = folders.read(self.fd.get_ref());
        if read.changes.is_empty() && !read.lost {
            return read.more;
        }
        let names = self.include_entry.then(Names::read);
        for change in read.changes {
            let event = self.describe(&change, names.as_ref());
            self.queue().push(event);
        }
        self.queue().lost |= read.lost;
        read.more
    }

    fn describe(&self, change: &Change, names: Option<&Names>) -> wire::FilesystemEvent {
        use wire::EventType as E;
        let has_entry = matches!(
            change.kind,
            E::EVENT_TYPE_CREATE | E::EVENT_TYPE_WRITE | E::EVENT_TYPE_CHMOD
        );
        let path = self.root.join(&change.path);
        // The file may be removed by now.
        let entry = names
            .filter(|_| has_entry)
            .and_then(|names| entry::describe(&path, names).ok());
        let name = match change.path.to_string_lossy() {
            name if name.is_empty() => ".".to_owned(),
            name => name.into_owned(),
        };
        wire::FilesystemEvent {
            name,
            r#type: change.kind.into(),
            entry: entry.into(),
            ..Default::default()
        }
    }
}

impl Watch {
    fn open(spec: WatchSpec, slot: OwnedSemaphorePermit) -> Result<Arc<Self>, ConnectError> {
        let (path, include_entry) = (spec.root.clone(), spec.include_entry);
        check(&path).map_err(|error| path_error(&error, &path))?;
        if !spec.network_mounts && is_network_mount(&path).map_err(|e| path_error(&e, &path))? {
            return Err(ConnectError::invalid_argument(format!(
                "path '{}' is on a network mount: allow network mounts to watch it",
                path.display()
            )));
        }
        let limited = |error: io::Error| {
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "the library's enum may grow"
            )]
            match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    ConnectError::resource_exhausted(
                        "the directory tree is too large to watch: watch a smaller one",
                    )
                }
                _ if error.raw_os_error() == Some(nix::libc::EMFILE) => {
                    ConnectError::resource_exhausted(
                        "the sandbox has no free inotify instance: remove a watch",
                    )
                }
                _ => path_error(&error, &path),
            }
        };
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let fd = inotify::init(flags).map_err(|error| limited(error.into()))?;
        let fd = non_blocking(fd).map_err(limited)?;
        let folders =
            Folders::new(spec, std::os::fd::AsFd::as_fd(fd.get_ref())).map_err(limited)?;
        let state = Arc::new(State {
            include_entry,
            root: path.clone(),
            fd,
            folders: Mutex::new(folders),
            queue: Mutex::default(),
            arrived: Notify::new(),
        });
        let (open, closed) = oneshot::channel();
        tasks::spawn(keep_reading(state.clone(), closed));
        Ok(Arc::new(Self {
            state,
            _open: open,
            _slot: slot,
        }))
    }
}

fn check(root: &Path) -> io::Result<()> {
    if root.metadata()?.is_dir() {
        Ok(())
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}

async fn keep_reading(state: Arc<State>, mut closed: oneshot::Receiver<()>) {
    let mut more = false;
    loop {
        if !more {
            tokio::select! {
                _ = &mut closed => return,
                ready = state.fd.readable() => match ready {
                    // Cleared before the read: an event that arrives after it makes the descriptor ready again.
                    Ok(mut ready) => ready.clear_ready(),
                    Err(_) => return,
                },
            }
        }
        let reader = state.clone();
        let Ok(again) = tokio::task::spawn_blocking(move || reader.read()).await else {
            return;
        };
        more = again && closed.is_empty();
        state.arrived.notify_one();
    }
}

fn message(event: impl Into<oneof::WatchEventKind>) -> wire::WatchDirResponse {
    wire::WatchDirResponse {
        event: Some(event.into()),
        ..Default::default()
    }
}

/// `start` first, then the events; keepalives in between.
pub(super) fn messages(
    watch: Arc<Watch>,
    interval: Duration,
    deadline: Option<Instant>,
) -> impl Stream<Item = Result<wire::WatchDirResponse, ConnectError>> + Send + 'static {
    let initial = (Some(watch), VecDeque::new());
    let rest = stream::unfold(initial, move |(watch, mut pending)| async move {
        let watch = watch?;
        let expired = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let next = async {
            loop {
                if let Some(event) = pending.pop_front() {
                    return Ok(message(event));
                }
                pending = watch.state.queue().take()?;
                if pending.is_empty() {
                    watch.state.arrived.notified().await;
                }
            }
        };
        tokio::select! {
            next = tokio::time::timeout(interval, next) => match next {
                Ok(Ok(event)) => Some((Ok(event), (Some(watch), pending))),
                Ok(Err(lost)) => Some((Err(lost), (None, pending))),
                Err(_) => {
                    let keepalive = message(wire::watch_dir_response::KeepAlive::default());
                    Some((Ok(keepalive), (Some(watch), pending)))
                }
            },
            () = expired => {
                let timed_out = ConnectError::deadline_exceeded("the watch reached its time limit");
                Some((Err(timed_out), (None, pending)))
            }
        }
    });
    let start = message(wire::watch_dir_response::StartEvent::default());
    futures::StreamExt::chain(stream::once(async move { Ok(start) }), rest)
}
