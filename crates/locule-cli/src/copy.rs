//! `locule sandbox cp`, with the rules of `docker cp`: a tar stream between this machine and a `tar` in the sandbox.
//!
//! Both ends are checked before anything is written. Files are streamed: a copy of any size needs the memory of a few chunks.

mod local;
mod plan;
mod remote;

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use locule_client::Client;
use locule_ids::SandboxId;

use crate::find::Finder;
use crate::printer;
use plan::{Landing, Target};
use remote::Remote;

const RULES: &str = "\
One of SOURCE and TARGET is ID:PATH; a relative PATH starts at the home of the user. The other is a path of this machine
(write ./a:b for a path with a colon), or - for a tar archive on standard input or standard output.

A file is copied into TARGET if TARGET is a directory, otherwise it becomes TARGET. A directory is copied into TARGET if
TARGET exists, otherwise it becomes TARGET; SOURCE/. stands for the contents of the directory. The parent of TARGET must
exist. Symbolic links are copied as links. Modes are kept, owners are not.";

#[derive(Debug, Args)]
#[command(after_help = RULES)]
pub struct CopyArgs {
    /// PATH, ID:PATH or -
    source: String,
    /// PATH, ID:PATH or -
    target: String,
    /// Follow SOURCE if it is a symbolic link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// User of the sandbox that reads or writes the files (default: the default user of the sandbox)
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One end of a copy.
#[derive(Debug, PartialEq, Eq)]
enum End<'a> {
    Local(&'a str),
    Sandbox {
        id: &'a str,
        path: &'a str,
    },
    /// A tar archive.
    Pipe,
}

fn end(text: &str) -> End<'_> {
    match text.split_once(':') {
        _ if text == "-" => End::Pipe,
        // A path of this machine may contain a colon after a slash or a dot.
        Some((id, path)) if !id.is_empty() && !id.contains(['/', '.']) => End::Sandbox { id, path },
        _ => End::Local(text),
    }
}

pub(crate) async fn run(client: &Client, args: &CopyArgs) -> anyhow::Result<ExitCode> {
    let (source, target) = (end(&args.source), end(&args.target));
    let (id, there) = match (&source, &target) {
        (End::Sandbox { .. }, End::Sandbox { .. }) => {
            bail!(
                "a copy between two sandboxes is not supported: copy to this machine first, then to the other sandbox"
            )
        }
        (End::Sandbox { .. }, End::Pipe) if args.json => {
            bail!("standard output is the archive: leave out --json")
        }
        (End::Sandbox { id, path }, _) | (_, End::Sandbox { id, path }) => (*id, *path),
        _ => bail!("neither SOURCE nor TARGET is in a sandbox: write one of them as ID:PATH"),
    };
    let remote = Remote {
        client,
        id: Finder::new(client).find(id).await?,
        user: args.user.as_deref(),
    };
    let there = if there.is_empty() { "." } else { there };
    let bytes = match (source, target) {
        (End::Local(from), _) => upload(&remote, from, there, args.follow_link).await?,
        (End::Pipe, _) => {
            if remote.target(there).await? != Target::Directory {
                bail!(
                    "{there} is not a directory of the sandbox: an archive needs a directory to be unpacked into"
                );
            }
            remote.unpack(there, local::standard_input()).await?
        }
        (_, End::Local(to)) => download(&remote, there, to, args.follow_link).await?,
        (_, End::Pipe | End::Sandbox { .. }) => {
            let (from, what) = remote.source(there, args.follow_link).await?;
            remote.pack_named(&from, what).print().await?
        }
    };
    if args.json {
        printer::json(&serde_json::json!({
            "sandbox_id": remote.id,
            "source": args.source,
            "target": args.target,
            "bytes": bytes,
        }))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn upload(
    remote: &Remote<'_>,
    from: &str,
    to: &str,
    follow_link: bool,
) -> anyhow::Result<u64> {
    let (path, what) = local::source(from, follow_link)?;
    let name = plan::name(from);
    let landing = plan::landing(what, name, to, remote.target(to).await?)?;
    let (directory, new) = match &landing {
        Landing::As { directory, .. } => (directory.clone(), false),
        Landing::Contents { directory, new } => (directory.clone(), *new),
    };
    if new {
        remote.make_directory(&directory).await?;
    }
    remote.unpack(&directory, local::pack(path, landing)).await
}

async fn download(
    remote: &Remote<'_>,
    from: &str,
    to: &str,
    follow_link: bool,
) -> anyhow::Result<u64> {
    let (path, what) = remote.source(from, follow_link).await?;
    let landing = plan::landing(what, plan::name(from), to, local::target(Path::new(to)))?;
    if let Landing::Contents {
        directory,
        new: true,
    } = &landing
    {
        local::make_directory(directory)?;
    }
    remote.pack(&path, what).write(landing).await
}

/// Names a file of a sandbox in messages.
fn in_sandbox(id: SandboxId, path: &str) -> String {
    format!("{path} in {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_sandbox_is_written_as_id_colon_path() {
        let there = |id, path| End::Sandbox { id, path };
        assert_eq!(end("sb-1:/tmp/a"), there("sb-1", "/tmp/a"));
        assert_eq!(end("sb-1:"), there("sb-1", ""));
        assert_eq!(end("sb-1:a:b"), there("sb-1", "a:b"));
        assert_eq!(end("./a:b"), End::Local("./a:b"));
        assert_eq!(end("a"), End::Local("a"));
        assert_eq!(end("-"), End::Pipe);
    }
}
