//! `filesystem.Filesystem` on the wire: looking at and rearranging the guest's files.

mod entry;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::stream;
use locule_guest_api::proto::filesystem as wire;
use locule_guest_api::rpc::{
    ConnectError, Encodable, RequestContext, Response, Router, ServiceRequest, ServiceResult,
    ServiceStream,
};

use crate::agent::Guest;
use crate::processes::resolve;
use crate::processes::service::caller_user;
use crate::users::User;

/// Entries of one listing; a deeper question must be asked in parts.
const ENTRIES_MAX: usize = 100_000;

struct Service(Arc<Guest>);

pub(crate) fn register(guest: Arc<Guest>, router: Router) -> Router {
    router.add_service(Arc::new(Service(guest)))
}

impl Service {
    fn path(&self, ctx: &RequestContext, path: &str) -> Result<(PathBuf, User), ConnectError> {
        let identity = self.0.identity.snapshot();
        let user = caller_user(ctx, identity.default_user.as_deref())?;
        let home = user.home.clone();
        Ok((resolve(path, &user, &home), user))
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
        _ => ConnectError::internal(format!("path '{shown}': {error}")),
    }
}

/// File operations block: they run beside the async workers.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ConnectError> + Send + 'static,
) -> Result<T, ConnectError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::internal("the file operation failed")),
    }
}

/// Creates what is missing of a path, owned by the user, and says whether anything was.
pub(crate) fn make_dirs(path: &Path, user: &User) -> io::Result<bool> {
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

fn list(folder: &Path, depth: u32, into: &mut Vec<wire::EntryInfo>) -> io::Result<()> {
    let mut names: Vec<_> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    names.sort();
    for path in names {
        if into.len() >= ENTRIES_MAX {
            return Err(io::Error::other(
                "too many entries: list a smaller folder or depth",
            ));
        }
        // An entry may vanish while it is looked at.
        let Ok(entry) = entry::describe(&path) else {
            continue;
        };
        let descend = depth > 1 && path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
        into.push(entry);
        if descend {
            list(&path, depth - 1, into)?;
        }
    }
    Ok(())
}

fn unimplemented() -> ConnectError {
    ConnectError::unimplemented(
        "watching directories is not available in this version of the guest agent",
    )
}

impl wire::Filesystem for Service {
    async fn stat<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::StatRequest>,
    ) -> ServiceResult<impl Encodable<wire::StatResponse> + Send + use<'a>> {
        let (path, _) = self.path(&ctx, request.path)?;
        let entry =
            blocking(move || entry::describe(&path).map_err(|error| refused(&error, &path)))
                .await?;
        Response::ok(wire::StatResponse {
            entry: entry.into(),
            ..Default::default()
        })
    }

    async fn make_dir<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::MakeDirRequest>,
    ) -> ServiceResult<impl Encodable<wire::MakeDirResponse> + Send + use<'a>> {
        let (path, user) = self.path(&ctx, request.path)?;
        let entry = blocking(move || {
            if path.exists() && !path.is_dir() {
                return Err(ConnectError::invalid_argument(format!(
                    "path '{}' is a file",
                    path.display()
                )));
            }
            if !make_dirs(&path, &user).map_err(|error| refused(&error, &path))? {
                return Err(refused(&io::ErrorKind::AlreadyExists.into(), &path));
            }
            entry::describe(&path).map_err(|error| refused(&error, &path))
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
        let (source, user) = self.path(&ctx, request.source)?;
        let (destination, _) = self.path(&ctx, request.destination)?;
        let entry = blocking(move || {
            source
                .symlink_metadata()
                .map_err(|error| refused(&error, &source))?;
            if let Some(parent) = destination.parent() {
                make_dirs(parent, &user).map_err(|error| refused(&error, parent))?;
            }
            std::fs::rename(&source, &destination)
                .map_err(|error| refused(&error, &destination))?;
            entry::describe(&destination).map_err(|error| refused(&error, &destination))
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
        let (path, _) = self.path(&ctx, request.path)?;
        let depth = request.depth.max(1);
        let entries = blocking(move || {
            let meta = std::fs::metadata(&path).map_err(|error| refused(&error, &path))?;
            if !meta.is_dir() {
                return Err(refused(&io::ErrorKind::NotADirectory.into(), &path));
            }
            let mut entries = Vec::new();
            list(&path, depth, &mut entries).map_err(|error| refused(&error, &path))?;
            Ok(entries)
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
        let (path, _) = self.path(&ctx, request.path)?;
        blocking(move || {
            let removed = match path.symlink_metadata() {
                Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(&path),
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
        _ctx: RequestContext,
        _request: ServiceRequest<'_, wire::WatchDirRequest>,
    ) -> ServiceResult<ServiceStream<impl Encodable<wire::WatchDirResponse> + Send + use<>>> {
        Ok(Response::stream(stream::once(async {
            Err::<wire::WatchDirResponse, _>(unimplemented())
        })))
    }

    async fn create_watcher<'a>(
        &'a self,
        _ctx: RequestContext,
        _request: ServiceRequest<'_, wire::CreateWatcherRequest>,
    ) -> ServiceResult<impl Encodable<wire::CreateWatcherResponse> + Send + use<'a>> {
        Err::<Response<wire::CreateWatcherResponse>, _>(unimplemented())
    }

    async fn get_watcher_events<'a>(
        &'a self,
        _ctx: RequestContext,
        _request: ServiceRequest<'_, wire::GetWatcherEventsRequest>,
    ) -> ServiceResult<impl Encodable<wire::GetWatcherEventsResponse> + Send + use<'a>> {
        Err::<Response<wire::GetWatcherEventsResponse>, _>(unimplemented())
    }

    async fn remove_watcher<'a>(
        &'a self,
        _ctx: RequestContext,
        _request: ServiceRequest<'_, wire::RemoveWatcherRequest>,
    ) -> ServiceResult<impl Encodable<wire::RemoveWatcherResponse> + Send + use<'a>> {
        Err::<Response<wire::RemoveWatcherResponse>, _>(unimplemented())
    }
}
