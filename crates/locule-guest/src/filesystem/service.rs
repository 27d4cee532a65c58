//! The RPC service `filesystem.Filesystem`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use locule_guest_api::proto::filesystem as wire;
use locule_guest_api::rpc::{
    ConnectError, Encodable, RequestContext, Response, Router, ServiceRequest, ServiceResult,
    ServiceStream,
};
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::error::path_error;
use super::folders::WatchSpec;
use super::listing::{describe, list};
use super::make_dirs::make_dirs;
use super::move_across::move_across;
use super::remove;
use super::watch::{self, Watchers};
use crate::identity::SharedIdentity;
use crate::paths::{self, resolve};
use crate::rpc::{blocking, caller_name, find_user, keepalive_interval};
use crate::users::User;

struct Service {
    identity: Arc<SharedIdentity>,
    watchers: Arc<Watchers>,
}

pub(crate) fn register(
    identity: Arc<SharedIdentity>,
    watchers: Arc<Watchers>,
    router: Router,
) -> Router {
    router.add_service(Arc::new(Service { identity, watchers }))
}

/// The user that a request's paths belong to. Its methods block: they read files.
struct Caller {
    named: Option<String>,
    default_user: Option<String>,
    default_workdir: Option<PathBuf>,
}

impl Service {
    fn caller(&self, ctx: &RequestContext) -> Caller {
        let identity = self.identity.snapshot();
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
        let resolved = resolve(path, &user.home, default);
        paths::check(&resolved).map_err(|error| path_error(&error, &resolved))?;
        Ok(resolved)
    }

    fn watch_spec(&self, request: &wire::WatchDirRequest) -> Result<WatchSpec, ConnectError> {
        Ok(WatchSpec {
            root: self.path(&request.path)?,
            recursive: request.recursive,
            include_entry: request.include_entry,
            network_mounts: request.allow_network_mounts,
        })
    }
}

impl wire::Filesystem for Service {
    async fn stat<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::StatRequest>,
    ) -> ServiceResult<impl Encodable<wire::StatResponse> + Send + use<'a>> {
        let (caller, path) = (self.caller(&ctx), request.path.to_owned());
        let entry = blocking(move || describe(&caller.path(&path)?));
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
            if !make_dirs(&path, &user).map_err(|error| path_error(&error, &path))? {
                return Err(path_error(&io::ErrorKind::AlreadyExists.into(), &path));
            }
            describe(&path)
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
        let flags = if request.no_overwrite {
            RenameFlags::NOREPLACE
        } else {
            RenameFlags::empty()
        };
        let entry = blocking(move || {
            let (source, destination) = (caller.path(&source)?, caller.path(&destination)?);
            let user = caller.user()?;
            source
                .symlink_metadata()
                .map_err(|error| path_error(&error, &source))?;
            if let Some(parent) = destination.parent() {
                make_dirs(parent, &user).map_err(|error| path_error(&error, parent))?;
            }
            let moved = match rustix::fs::renameat_with(CWD, &source, CWD, &destination, flags) {
                Err(Errno::XDEV) => move_across(&source, &destination, flags),
                moved => moved.map_err(io::Error::from),
            };
            moved.map_err(|error| path_error(&error, &destination))?;
            describe(&destination)
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
            let meta = std::fs::metadata(&path).map_err(|error| path_error(&error, &path))?;
            if !meta.is_dir() {
                return Err(path_error(&io::ErrorKind::NotADirectory.into(), &path));
            }
            list(&path, depth).map_err(|error| path_error(&error, &path))
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
                    Err(path_error(&error, &path))
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
        let (caller, watchers) = (self.caller(&ctx), self.watchers.clone());
        let request = request.to_owned_message();
        let watch = blocking(move || watchers.open(caller.watch_spec(&request)?)).await?;
        let deadline = ctx.deadline().map(tokio::time::Instant::from_std);
        let messages = watch::messages(watch, keepalive_interval(&ctx), deadline);
        Ok(Response::stream(messages))
    }

    async fn create_watcher<'a>(
        &'a self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::CreateWatcherRequest>,
    ) -> ServiceResult<impl Encodable<wire::CreateWatcherResponse> + Send + use<'a>> {
        let (caller, watchers) = (self.caller(&ctx), self.watchers.clone());
        let request = wire::WatchDirRequest {
            path: request.path.to_owned(),
            recursive: request.recursive,
            include_entry: request.include_entry,
            allow_network_mounts: request.allow_network_mounts,
            ..Default::default()
        };
        let watcher_id = blocking(move || {
            let watch = watchers.open(caller.watch_spec(&request)?)?;
            watchers.keep(watch)
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
        let (watchers, id) = (self.watchers.clone(), request.watcher_id.to_owned());
        let events = blocking(move || watchers.events(&id));
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
        self.watchers.remove(request.watcher_id)?;
        Response::ok(wire::RemoveWatcherResponse::default())
    }
}
