//! The guest's files: the RPC service `filesystem.Filesystem` and what it is made of.

mod entry;
mod error;
mod folders;
mod listing;
pub(crate) mod make_dirs;
mod move_across;
mod remove;
pub(crate) mod service;
mod watch;

pub(crate) use watch::Watchers;
