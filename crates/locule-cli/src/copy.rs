//! `locule sandbox cp`, with the rules of `docker cp`: a tar stream between this machine and a `tar` in the sandbox.
//!
//! Both ends are looked at before anything is written. Nothing is held whole: memory is a few chunks, whatever the size.

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
One of SOURCE and TARGET is ID:PATH; a relative PATH is in the user's home. The other is a path of this machine (write
./a:b for one with a colon), or - for a tar archive from standard input or to standard output.

A file goes into TARGET if that is a folder, else it becomes TARGET. A folder goes into TARGET if that exists, else it
becomes TARGET; SOURCE/. means what is in it. TARGET's parent must exist. Links are copied as links; modes are kept, owners
are not.";

#[derive(Debug, Args)]
#[command(after_help = RULES)]
pub struct CopyArgs {
    /// PATH, ID:PATH or -
    source: String,
    /// PATH, ID:PATH or -
    target: String,
    /// Follow SOURCE if it is a link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// User of the sandbox who reads or writes there (default: the sandbox's own)
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One end of a copy.
#[derive(Debug, PartialEq, Eq)]
enum End<'a> {
    Here(&'a str),
    There {
        id: &'a str,
        path: &'a str,
    },
    /// A tar archive.
    Pipe,
}

fn end(text: &str) -> End<'_> {
    match text.split_once(':') {
        _ if text == "-" => End::Pipe,
        // A path of this machine may hold a colon behind a slash or a dot.
        Some((id, path)) if !id.is_empty() && !id.contains(['/', '.']) => End::There { id, path },
        _ => End::Here(text),
    }
}

pub(crate) async fn run(client: &Client, args: &CopyArgs) -> anyhow::Result<ExitCode> {
    let (source, target) = (end(&args.source), end(&args.target));
    let (id, there) = match (&source, &target) {
        (End::There { .. }, End::There { .. }) => {
            bail!("copying between sandboxes goes through this machine: copy twice")
        }
        (End::There { .. }, End::Pipe) if args.json => {
            bail!("the archive goes to standard output: leave out --json")
        }
        (End::There { id, path }, _) | (_, End::There { id, path }) => (*id, *path),
        _ => bail!("one of the two must be in a sandbox: write it as ID:PATH"),
    };
    let remote = Remote {
        client,
        id: Finder::new(client).find(id).await?,
        user: args.user.as_deref(),
    };
    let there = if there.is_empty() { "." } else { there };
    let bytes = match (source, target) {
        (End::Here(from), _) => upload(&remote, from, there, args.follow_link).await?,
        (End::Pipe, _) => {
            if remote.target(there).await? != Target::Folder {
                bail!("{there} must be a folder in the sandbox: an archive is unpacked into it");
            }
            remote.unpack(there, local::standard_input()).await?
        }
        (_, End::Here(to)) => download(&remote, there, to, args.follow_link).await?,
        (_, End::Pipe | End::There { .. }) => {
            let (from, what) = remote.source(there, args.follow_link).await?;
            remote.pack(&from, what).print().await?
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
    let (folder, new) = match &landing {
        Landing::As { folder, .. } => (folder.clone(), false),
        Landing::Contents { folder, new } => (folder.clone(), *new),
    };
    if new {
        remote.make_folder(&folder).await?;
    }
    remote.unpack(&folder, local::pack(path, landing)).await
}

async fn download(
    remote: &Remote<'_>,
    from: &str,
    to: &str,
    follow_link: bool,
) -> anyhow::Result<u64> {
    let (path, what) = remote.source(from, follow_link).await?;
    let landing = plan::landing(what, plan::name(from), to, local::target(Path::new(to)))?;
    if let Landing::Contents { folder, new: true } = &landing {
        local::make_folder(folder)?;
    }
    remote.pack(&path, what).write(landing).await
}

/// For messages: whose file it is.
fn in_sandbox(id: SandboxId, path: &str) -> String {
    format!("{path} in {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_in_a_sandbox_is_an_id_a_colon_and_a_path() {
        let there = |id, path| End::There { id, path };
        assert_eq!(end("sb-1:/tmp/a"), there("sb-1", "/tmp/a"));
        assert_eq!(end("sb-1:"), there("sb-1", ""));
        assert_eq!(end("sb-1:a:b"), there("sb-1", "a:b"));
        assert_eq!(end("./a:b"), End::Here("./a:b"));
        assert_eq!(end("a"), End::Here("a"));
        assert_eq!(end("-"), End::Pipe);
    }
}
