//! Watches: streamed while their request lasts, or kept for one who polls.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, stream};
use locule_guest_api::proto::filesystem as wire;
use locule_guest_api::rpc::ConnectError;
use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

pub(super) use super::folders::Wanted;
use super::folders::{Change, Folders, is_network_mount};
use super::{entry, refused};
use crate::processes::non_blocking;
use crate::users::Names;

/// Streamed and polled ones together: the kernel gives one user 128 inotify instances by default.
const WATCHES_MAX: usize = 64;
/// A polled watch that nobody asked for this long makes room for a new one.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);
/// Of one watch, not yet fetched.
const EVENTS_MAX: usize = 8192;
/// The same in bytes of names and entries, roughly.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// All watches of this guest.
#[derive(Debug)]
pub(crate) struct Watchers {
    room: Arc<Semaphore>,
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
            room: Arc::new(Semaphore::new(WATCHES_MAX)),
            polled: Mutex::default(),
        }
    }
}

fn unknown(id: &str) -> ConnectError {
    ConnectError::not_found(format!("watcher with id '{id}' not found"))
}

fn too_many() -> ConnectError {
    ConnectError::resource_exhausted(format!(
        "{WATCHES_MAX} watches are open already: remove one"
    ))
}

impl Watchers {
    fn polled(&self) -> MutexGuard<'_, HashMap<String, Polled>> {
        self.polled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a watch, which ends with the value. Blocks.
    pub(super) fn open(&self, wanted: Wanted) -> Result<Arc<Watch>, ConnectError> {
        let room = || self.room.clone().try_acquire_owned();
        let room = room().or_else(|_| {
            self.forget_one();
            room()
        });
        Watch::open(wanted, room.map_err(|_| too_many())?)
    }

    fn forget_one(&self) {
        let mut polled = self.polled();
        let oldest = polled.iter().min_by_key(|(_, polled)| polled.used);
        let forgotten = oldest
            .filter(|(_, polled)| polled.used.elapsed() > FORGOTTEN_AFTER)
            .map(|(id, _)| id.clone());
        if let Some(id) = forgotten {
            polled.remove(&id);
        }
    }

    /// Keeps a watch for one who polls.
    pub(super) fn keep(&self, watch: Arc<Watch>) -> Result<String, ConnectError> {
        let mut bytes = [0_u8; 16];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
            .map_err(|error| ConnectError::internal(error.to_string()))?;
        let id = hex::encode(bytes);
        let used = Instant::now();
        self.polled().insert(id.clone(), Polled { watch, used });
        Ok(id)
    }

    /// What has happened since the last call, up to this moment. Blocks.
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

/// One watch. What happens is read at once, so that new folders join in time, and waits in a bounded queue.
#[derive(Debug)]
pub(super) struct Watch {
    state: Arc<State>,
    /// Ends the reading task.
    _alive: oneshot::Sender<()>,
    _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct State {
    include_entry: bool,
    root: std::path::PathBuf,
    fd: AsyncFd<OwnedFd>,
    /// Held while files are looked at.
    folders: Mutex<Folders>,
    /// Never held for long.
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<wire::FilesystemEvent>,
    bytes: usize,
    /// Something was lost after the last event. Nothing more is queued until that has been said.
    lost: bool,
}

fn lost() -> ConnectError {
    ConnectError::data_loss("events were lost: more happened than the watch could hold")
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

    /// What is queued; once that is fetched, that something was lost, if it was.
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

    /// Moves what the kernel has to tell into the queue. `true`: there may be more at once.
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
        let told = matches!(
            change.kind,
            E::EVENT_TYPE_CREATE | E::EVENT_TYPE_WRITE | E::EVENT_TYPE_CHMOD
        );
        let path = self.root.join(&change.path);
        // It may be gone by now.
        let entry = names
            .filter(|_| told)
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
    fn open(wanted: Wanted, room: OwnedSemaphorePermit) -> Result<Arc<Self>, ConnectError> {
        let (path, include_entry) = (wanted.root.clone(), wanted.include_entry);
        check(&path).map_err(|error| refused(&error, &path))?;
        if !wanted.network_mounts && is_network_mount(&path).map_err(|e| refused(&e, &path))? {
            return Err(ConnectError::invalid_argument(format!(
                "path '{}' is on a network mount",
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
                    ConnectError::resource_exhausted("there are more folders than can be watched")
                }
                _ if error.raw_os_error() == Some(nix::libc::EMFILE) => {
                    ConnectError::resource_exhausted("the sandbox has no more inotify instances")
                }
                _ => refused(&error, &path),
            }
        };
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let fd = inotify::init(flags).map_err(|error| limited(error.into()))?;
        let fd = non_blocking(fd).map_err(limited)?;
        let folders =
            Folders::new(wanted, std::os::fd::AsFd::as_fd(fd.get_ref())).map_err(limited)?;
        let state = Arc::new(State {
            include_entry,
            root: path.clone(),
            fd,
            folders: Mutex::new(folders),
            queue: Mutex::default(),
            arrived: Notify::new(),
        });
        let (alive, gone) = oneshot::channel();
        crate::server::spawn(keep_reading(state.clone(), gone));
        Ok(Arc::new(Self {
            state,
            _alive: alive,
            _room: room,
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

async fn keep_reading(state: Arc<State>, mut gone: oneshot::Receiver<()>) {
    let mut more = false;
    loop {
        if !more {
            tokio::select! {
                _ = &mut gone => return,
                ready = state.fd.readable() => match ready {
                    // Before reading: what comes after rings anew.
                    Ok(mut ready) => ready.clear_ready(),
                    Err(_) => return,
                },
            }
        }
        let reader = state.clone();
        let Ok(again) = tokio::task::spawn_blocking(move || reader.read()).await else {
            return;
        };
        more = again && gone.is_empty();
        state.arrived.notify_one();
    }
}

fn message(
    event: impl Into<wire::__buffa::oneof::watch_dir_response::Event>,
) -> wire::WatchDirResponse {
    wire::WatchDirResponse {
        event: Some(event.into()),
        ..Default::default()
    }
}

/// `start`, then everything that happens, keepalives in between.
pub(super) fn messages(
    watch: Arc<Watch>,
    interval: Duration,
    deadline: Option<Instant>,
) -> impl Stream<Item = Result<wire::WatchDirResponse, ConnectError>> + Send + 'static {
    let begin = (Some(watch), VecDeque::new());
    let rest = stream::unfold(begin, move |(watch, mut waiting)| async move {
        let watch = watch?;
        let expired = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let next = async {
            loop {
                if let Some(event) = waiting.pop_front() {
                    return Ok(message(event));
                }
                waiting = watch.state.queue().take()?;
                if waiting.is_empty() {
                    watch.state.arrived.notified().await;
                }
            }
        };
        tokio::select! {
            next = tokio::time::timeout(interval, next) => match next {
                Ok(Ok(event)) => Some((Ok(event), (Some(watch), waiting))),
                Ok(Err(lost)) => Some((Err(lost), (None, waiting))),
                Err(_) => {
                    let keepalive = message(wire::watch_dir_response::KeepAlive::default());
                    Some((Ok(keepalive), (Some(watch), waiting)))
                }
            },
            () = expired => {
                let over = ConnectError::deadline_exceeded("the time given to the watch is over");
                Some((Err(over), (None, waiting)))
            }
        }
    });
    let start = message(wire::watch_dir_response::StartEvent::default());
    futures::StreamExt::chain(stream::once(async move { Ok(start) }), rest)
}
