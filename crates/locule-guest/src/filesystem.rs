//! `filesystem.Filesystem` on the wire: looking at and rearranging the guest's files.

mod entry;
mod folders;
mod remove;
mod watch;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use locule_guest_api::proto::filesystem as wire;
use locule_guest_api::rpc::{
    ConnectError, Encodable, RequestContext, Response, Router, ServiceRequest, ServiceResult,
    ServiceStream,
};

use crate::agent::Guest;
use crate::paths::{self, resolve};
use crate::rpc::{blocking, caller_name, find_user, keepalive_interval};
use crate::users::{Names, User};
pub(crate) use watch::Watchers;

/// Entries of one listing; a deeper question must be asked in parts.
const ENTRIES_MAX: usize = 100_000;

struct Service(Arc<Guest>);

pub(crate) fn register(guest: Arc<Guest>, router: Router) -> Router {
    router.add_service(Arc::new(Service(guest)))
}

/// Whose paths a request names. Reads files, so it is asked on a thread that may block.
struct Caller {
    named: Option<String>,
    default_user: Option<String>,
    default_workdir: Option<PathBuf>,
}

impl Service {
    fn caller(&self, ctx: &RequestContext) -> Caller {
        let identity = self.0.identity.snapshot();
        Caller {
            named: caller_name(ctx),
            default_user: identity.default_user,
            default_workdir: identity.default_workdir,
        }
    }
}

impl Caller {
    fn user(&self) -> Result<User, ConnectError> {
        find_user(self.named.as_deref(), self.default_user.as_deref())
    }

    fn path(&self, path: &str) -> Result<PathBuf, ConnectError> {
        let user = self.user()?;
        let default = self.default_workdir.as_deref().unwrap_or(&user.home);
        let resolved = resolve(path, &user, default);
        paths::check(&resolved).map_err(|error| refused(&error, &resolved))?;
        Ok(resolved)
    }

    fn watch(&self, asked: &wire::WatchDirRequest) -> Result<watch::Wanted, ConnectError> {
        Ok(watch::Wanted {
            root: self.path(&asked.path)?,
            recursive: asked.recursive,
            include_entry: asked.include_entry,
            network_mounts: asked.allow_network_mounts,
        })
    }
}

/// The error of one file operation, in words that name the path the caller used.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum may grow"
)]
fn refused(error: &io::Error, path: &Path) -> ConnectError {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            ConnectError::not_found(format!("path '{shown}' does not exist"))
        }
        io::ErrorKind::NotADirectory => {
            ConnectError::invalid_argument(format!("path '{shown}' is not a directory"))
        }
        io::ErrorKind::AlreadyExists => {
            ConnectError::already_exists(format!("path '{shown}' exists already"))
        }
        io::ErrorKind::PermissionDenied => {
            ConnectError::permission_denied(format!("path '{shown}' may not be used so"))
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ConnectError::resource_exhausted("the disk is full")
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => {
            ConnectError::invalid_argument(format!("path '{shown}' cannot be a path"))
        }
        io::ErrorKind::DirectoryNotEmpty
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::CrossesDevices => {
            ConnectError::invalid_argument(format!("path '{shown}': {error}"))
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::ResourceBusy => {
            ConnectError::failed_precondition(format!("path '{shown}': {error}"))
        }
        _ => ConnectError::internal(format!("path '{shown}': {error}")),
    }
}

/// Creates what is missing of a path, owned by the user, and says whether anything was.
pub(crate) fn make_dirs(path: &Path, user: &User) -> io::Result<bool> {
    paths::check(path)?;
    if path.is_dir() {
        return Ok(false);
    }
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|ancestor| !ancestor.exists())
        .collect();
    for folder in missing.into_iter().rev() {
        std::fs::create_dir(folder)?;
        std::os::unix::fs::chown(folder, Some(user.uid), Some(user.gid))?;
    }
    if path.is_dir() {
        Ok(true)
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}

/// All entries down to `depth`, each folder before what is in it, in the order of their names.
fn list(folder: &Path, depth: u32) -> io::Result<Vec<wire::EntryInfo>> {
    let names = Names::read();
    let mut entries = Vec::new();
    // The last one is looked at next.
    let mut waiting: Vec<(PathBuf, u32)> = contents(folder)?.map(|path| (path, depth)).collect();
    while let Some((path, depth)) = waiting.pop() {
        if entries.len() >= ENTRIES_MAX {
            return Err(io::Error::other(
                "too many entries: list a smaller folder or depth",
            ));
        }
        // An entry may vanish while it is looked at.
        let Ok(entry) = entry::describe(&path, &names) else {
            continue;
        };
        // Neither do sockets and devices have a type on the wire.
        if entry.r#type == wire::FileType::FILE_TYPE_UNSPECIFIED {
            continue;
        }
        entries.push(entry);
        if depth > 1 && path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            // Below the folder that was asked for, one that cannot be read is shown without its contents.
            let inside = contents(&path).into_iter().flatten();
            waiting.extend(inside.map(|path| (path, depth - 1)));
        }
    }
    Ok(entries)
}

/// What is in a folder, the last name first.
fn contents(folder: &Path) -> io::Result<impl Iterator<Item = PathBuf>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder)?.take(ENTRIES_MAX + 1) {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths.into_iter().rev())
}

fn described(path: &Path) -> Result<wire::EntryInfo, ConnectError> {
    entry::describe(path, &Names::read()).map_err(|error| refused(&error, path))
}

impl wire::Filesystem for Service {
    async fn stat<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::StatRequest>,
    ) -> ServiceResult<impl Encodable<wire::StatResponse> + Send + use<'a>> {
        let (caller, path) = (self.caller(&ctx), request.path.to_owned());
        let entry = blocking(move || described(&caller.path(&path)?));
        Response::ok(wire::StatResponse {
            entry: entry.await?.into(),
            ..Default::default()
        })
    }

    async fn make_dir<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::MakeDirRequest>,
    ) -> ServiceResult<impl Encodable<wire::MakeDirResponse> + Send + use<'a>> {
        let (caller, path) = (self.caller(&ctx), request.path.to_owned());
        let entry = blocking(move || {
            let (path, user) = (caller.path(&path)?, caller.user()?);
            if path.exists() && !path.is_dir() {
                return Err(ConnectError::invalid_argument(format!(
                    "path '{}' is a file",
                    path.display()
                )));
            }
            if !make_dirs(&path, &user).map_err(|error| refused(&error, &path))? {
                return Err(refused(&io::ErrorKind::AlreadyExists.into(), &path));
            }
            described(&path)
        });
        Response::ok(wire::MakeDirResponse {
            entry: entry.await?.into(),
            ..Default::default()
        })
    }

    async fn r#move<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::MoveRequest>,
    ) -> ServiceResult<impl Encodable<wire::MoveResponse> + Send + use<'a>> {
        let caller = self.caller(&ctx);
        let (source, destination) = (request.source.to_owned(), request.destination.to_owned());
        let entry = blocking(move || {
            let (source, destination) = (caller.path(&source)?, caller.path(&destination)?);
            let user = caller.user()?;
            source
                .symlink_metadata()
                .map_err(|error| refused(&error, &source))?;
            if let Some(parent) = destination.parent() {
                make_dirs(parent, &user).map_err(|error| refused(&error, parent))?;
            }
            std::fs::rename(&source, &destination)
                .map_err(|error| refused(&error, &destination))?;
            described(&destination)
        });
        Response::ok(wire::MoveResponse {
            entry: entry.await?.into(),
            ..Default::default()
        })
    }

    async fn list_dir<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::ListDirRequest>,
    ) -> ServiceResult<impl Encodable<wire::ListDirResponse> + Send + use<'a>> {
        let (caller, path) = (self.caller(&ctx), request.path.to_owned());
        let depth = request.depth.max(1);
        let entries = blocking(move || {
            let path = caller.path(&path)?;
            let meta = std::fs::metadata(&path).map_err(|error| refused(&error, &path))?;
            if !meta.is_dir() {
                return Err(refused(&io::ErrorKind::NotADirectory.into(), &path));
            }
            list(&path, depth).map_err(|error| refused(&error, &path))
        });
        Response::ok(wire::ListDirResponse {
            entries: entries.await?,
            ..Default::default()
        })
    }

    async fn remove<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::RemoveRequest>,
    ) -> ServiceResult<impl Encodable<wire::RemoveResponse> + Send + use<'a>> {
        let (caller, path) = (self.caller(&ctx), request.path.to_owned());
        blocking(move || {
            let path = caller.path(&path)?;
            let removed = match path.symlink_metadata() {
                Ok(meta) if meta.is_dir() => remove::remove_tree(&path),
                Ok(_) => std::fs::remove_file(&path),
                Err(error) => Err(error),
            };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(refused(&error, &path))
                }
                _ => Ok(()),
            }
        })
        .await?;
        Response::ok(wire::RemoveResponse::default())
    }

    async fn watch_dir(
        &self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::WatchDirRequest>,
    ) -> ServiceResult<ServiceStream<impl Encodable<wire::WatchDirResponse> + Send + use<>>> {
        let (caller, guest) = (self.caller(&ctx), self.0.clone());
        let asked = request.to_owned_message();
        let watch = blocking(move || guest.watchers.open(caller.watch(&asked)?)).await?;
        let deadline = ctx.deadline().map(tokio::time::Instant::from_std);
        let messages = watch::messages(watch, keepalive_interval(&ctx), deadline);
        Ok(Response::stream(messages))
    }

    async fn create_watcher<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::CreateWatcherRequest>,
    ) -> ServiceResult<impl Encodable<wire::CreateWatcherResponse> + Send + use<'a>> {
        let (caller, guest) = (self.caller(&ctx), self.0.clone());
        let asked = wire::WatchDirRequest {
            path: request.path.to_owned(),
            recursive: request.recursive,
            include_entry: request.include_entry,
            allow_network_mounts: request.allow_network_mounts,
            ..Default::default()
        };
        let watcher_id = blocking(move || {
            let watch = guest.watchers.open(caller.watch(&asked)?)?;
            guest.watchers.keep(watch)
        });
        Response::ok(wire::CreateWatcherResponse {
            watcher_id: watcher_id.await?,
            ..Default::default()
        })
    }

    async fn get_watcher_events<'a>(
        &'a self,
        _ctx: RequestContext,
        request: ServiceRequest<'_, wire::GetWatcherEventsRequest>,
    ) -> ServiceResult<impl Encodable<wire::GetWatcherEventsResponse> + Send + use<'a>> {
        let (guest, id) = (self.0.clone(), request.watcher_id.to_owned());
        let events = blocking(move || guest.watchers.events(&id));
        Response::ok(wire::GetWatcherEventsResponse {
            events: events.await?,
            ..Default::default()
        })
    }

    async fn remove_watcher<'a>(
        &'a self,
        _ctx: RequestContext,
        request: ServiceRequest<'_, wire::RemoveWatcherRequest>,
    ) -> ServiceResult<impl Encodable<wire::RemoveWatcherResponse> + Send + use<'a>> {
        self.0.watchers.remove(request.watcher_id)?;
        Response::ok(wire::RemoveWatcherResponse::default())
    }
}
