//! Where things are: the repository, the target folder, the cache that outlives both. The only reader of the environment.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, MetadataCommand};

/// The folders that chores work in.
#[derive(Debug)]
pub(crate) struct Places {
    /// The root of the repository.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
    /// What is kept between clones: tools, images, Python environments.
    pub(crate) cache: PathBuf,
    /// The folders of `PATH`.
    pub(crate) search_path: Vec<PathBuf>,
}

impl Places {
    pub(crate) fn find() -> Result<Self> {
        let metadata = metadata()?;
        let cache = match variable("LOCULE_CACHE") {
            Some(folder) => PathBuf::from(folder),
            None => {
                PathBuf::from(variable("HOME").context("HOME is not set")?).join(".cache/locule")
            }
        };
        Ok(Self {
            root: metadata.workspace_root.into(),
            target: metadata.target_directory.into(),
            cache,
            search_path: std::env::split_paths(&variable("PATH").unwrap_or_default()).collect(),
        })
    }
}

/// What cargo knows of our own packages.
pub(crate) fn metadata() -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.no_deps().exec().context("cargo metadata")
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the configuration module of the chores"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
