//! `locule sandbox cp`: files by the file routes, folders as a tar stream through a command.

use std::path::Path;
use std::process::{ExitCode, Stdio};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use futures::StreamExt as _;
use locule_api::StartMessage;
use locule_client::{Client, ExecEvent};
use locule_ids::SandboxId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{printer, server};

#[derive(Debug, Args)]
pub struct CopyArgs {
    /// PATH, or ID:PATH
    source: String,
    /// PATH, or ID:PATH
    target: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One end of a copy.
#[derive(Debug, PartialEq, Eq)]
enum End<'a> {
    Here(&'a str),
    There { id: &'a str, path: &'a str },
}

fn end(text: &str) -> End<'_> {
    match text.split_once(':') {
        // A path of this machine may hold a colon behind a slash.
        Some((id, path)) if !id.is_empty() && !id.contains('/') => End::There { id, path },
        _ => End::Here(text),
    }
}

pub(crate) async fn run(client: &Client, args: &CopyArgs) -> anyhow::Result<ExitCode> {
    match (end(&args.source), end(&args.target)) {
        (End::Here(from), End::There { id, path }) => {
            let id = server::find(client, id).await?;
            upload(client, Path::new(from), id, path).await?;
        }
        (End::There { id, path }, End::Here(to)) => {
            let id = server::find(client, id).await?;
            download(client, id, path, Path::new(to)).await?;
        }
        (End::Here(_), End::Here(_)) => {
            bail!("one of the two must be in a sandbox: write it as ID:PATH")
        }
        (End::There { .. }, End::There { .. }) => {
            bail!("copying between sandboxes goes through this machine: copy twice")
        }
    }
    if args.json {
        printer::json(&serde_json::json!({ "source": args.source, "target": args.target }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A target that ends with a slash is a folder to put it in, under its own name.
fn target_path(target: &str, name: &str) -> String {
    if target.is_empty() || target.ends_with('/') {
        format!("{target}{name}")
    } else {
        target.to_owned()
    }
}

async fn upload(client: &Client, from: &Path, id: SandboxId, to: &str) -> anyhow::Result<()> {
    let meta = tokio::fs::metadata(from)
        .await
        .with_context(|| format!("read {}", from.display()))?;
    if meta.is_dir() {
        return upload_folder(client, from, id, to).await;
    }
    let name = from
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let file = tokio::fs::File::open(from)
        .await
        .with_context(|| format!("read {}", from.display()))?;
    let content = tokio_util::io::ReaderStream::with_capacity(file, 64 * 1024);
    Ok(client
        .write_file(id, &target_path(to, &name), content)
        .await?)
}

fn local_tar(args: &[&str], folder: &Path) -> tokio::process::Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "the client has no host-command runner; tar streams as long as it takes"
    )]
    let mut command = tokio::process::Command::new("tar");
    command.args(args).current_dir(folder).kill_on_drop(true);
    command
}

async fn upload_folder(
    client: &Client,
    from: &Path,
    id: SandboxId,
    to: &str,
) -> anyhow::Result<()> {
    let mut tar = local_tar(&["-cf", "-", "."], from)
        .stdout(Stdio::piped())
        .spawn()
        .context("run tar on this machine")?;
    let mut archive = tar.stdout.take().context("tar has no output")?;
    let start = StartMessage {
        cmd: "/bin/sh".to_owned(),
        args: [
            "-c",
            "mkdir -p \"$1\" && tar -xf - -C \"$1\" --no-same-owner",
            "sh",
            to,
        ]
        .map(str::to_owned)
        .into(),
        stdin: true,
        ..StartMessage::default()
    };
    let (mut reader, mut writer) = client.exec(id, start).await?.split();
    let feed = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match archive.read(&mut buffer).await? {
                0 => break,
                count => writer.stdin(&buffer[..count]).await?,
            }
        }
        writer.close_stdin().await?;
        anyhow::Ok(())
    };
    let follow = async {
        let mut said = Vec::new();
        loop {
            match reader.next().await? {
                ExecEvent::Exited { exit_code: 0, .. } => return Ok(()),
                ExecEvent::Exited { .. } => bail!(
                    "tar in the sandbox failed: {}",
                    String::from_utf8_lossy(&said).trim()
                ),
                ExecEvent::Stderr(bytes) => said.extend_from_slice(&bytes),
                ExecEvent::Started { .. } | ExecEvent::Stdout(_) => {}
            }
        }
    };
    let (sent, ended) = tokio::join!(feed, follow);
    ended.and(sent)?;
    ensure!(tar.wait().await?.success(), "tar on this machine failed");
    Ok(())
}

async fn download(client: &Client, id: SandboxId, from: &str, to: &Path) -> anyhow::Result<()> {
    let name = from
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or("file");
    let is_folder = probe_folder(client, id, from).await?;
    if is_folder {
        return download_folder(client, id, from, to).await;
    }
    let target = if to.is_dir() {
        to.join(name)
    } else {
        to.to_owned()
    };
    let mut content = Box::pin(client.read_file(id, from).await?);
    let mut file = tokio::fs::File::create(&target)
        .await
        .with_context(|| format!("write {}", target.display()))?;
    while let Some(chunk) = content.next().await {
        file.write_all(&chunk?)
            .await
            .with_context(|| format!("write {}", target.display()))?;
    }
    file.flush()
        .await
        .with_context(|| format!("write {}", target.display()))
}

/// Runs a command of ours and gives its exit code.
async fn probe_folder(client: &Client, id: SandboxId, path: &str) -> anyhow::Result<bool> {
    let start = StartMessage {
        cmd: "/usr/bin/test".to_owned(),
        args: vec!["-d".to_owned(), path.to_owned()],
        ..StartMessage::default()
    };
    let (mut reader, _writer) = client.exec(id, start).await?.split();
    loop {
        if let ExecEvent::Exited { exit_code, .. } = reader.next().await? {
            return Ok(exit_code == 0);
        }
    }
}

async fn download_folder(
    client: &Client,
    id: SandboxId,
    from: &str,
    to: &Path,
) -> anyhow::Result<()> {
    tokio::fs::create_dir_all(to)
        .await
        .with_context(|| format!("create {}", to.display()))?;
    let mut tar = local_tar(&["-xf", "-", "--no-same-owner"], to)
        .stdin(Stdio::piped())
        .spawn()
        .context("run tar on this machine")?;
    let mut archive = tar.stdin.take().context("tar has no input")?;
    let start = StartMessage {
        cmd: "tar".to_owned(),
        args: ["-cf", "-", "-C", from, "."].map(str::to_owned).into(),
        ..StartMessage::default()
    };
    let (mut reader, _writer) = client.exec(id, start).await?.split();
    let mut said = Vec::new();
    loop {
        match reader.next().await? {
            ExecEvent::Stdout(bytes) => archive.write_all(&bytes).await?,
            ExecEvent::Stderr(bytes) => said.extend_from_slice(&bytes),
            ExecEvent::Started { .. } => {}
            ExecEvent::Exited { exit_code: 0, .. } => break,
            ExecEvent::Exited { .. } => bail!(
                "tar in the sandbox failed: {}",
                String::from_utf8_lossy(&said).trim()
            ),
        }
    }
    drop(archive);
    ensure!(tar.wait().await?.success(), "tar on this machine failed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_in_a_sandbox_is_an_id_a_colon_and_a_path() {
        assert_eq!(
            end("sb-1:/tmp/a"),
            End::There {
                id: "sb-1",
                path: "/tmp/a"
            }
        );
        assert_eq!(end("./a:b"), End::Here("./a:b"));
        assert_eq!(end("a"), End::Here("a"));
    }

    #[test]
    fn a_slash_at_the_end_keeps_the_name() {
        assert_eq!(target_path("/tmp/", "a"), "/tmp/a");
        assert_eq!(target_path("/tmp/b", "a"), "/tmp/b");
        assert_eq!(target_path("", "a"), "a");
    }
}
