//! The sandbox's end: looked at by `sh`, packed and unpacked by `tar`, through the same stream as any command.

use std::cell::RefCell;
use std::io::ErrorKind;

use anyhow::{Context as _, bail};
use locule_api::{ErrorCode, StartMessage};
use locule_client::{Client, ClientError, ExecEvent, ExecReader};
use locule_ids::SandboxId;
use tokio::sync::mpsc;

use super::local::Packing;
use super::plan::{Landing, Source, Target, split};
use super::{in_sandbox, local};
use crate::printer::{Progress, Raw};

/// What is kept of what a guest's program says.
const SAID_BYTES_MAX: usize = 4 * 1024;
const CHUNKS_IN_FLIGHT: usize = 8;

/// Says what a path is; with a second argument, what it leads to.
const LOOK: &str = r#"p=$1
if [ -n "$2" ] && [ -L "$p" ]; then p=$(readlink -f -- "$p"); fi
if [ -L "$p" ]; then k=link
elif [ -d "$p" ]; then k=folder
elif [ -f "$p" ]; then k=file
elif [ -e "$p" ]; then k=other
elif [ -d "$(dirname -- "$p")" ]; then k=free
else k=none; fi
printf '%s %s' "$k" "$p""#;

pub(super) struct Remote<'a> {
    pub(super) client: &'a Client,
    pub(super) id: SandboxId,
    pub(super) user: Option<&'a str>,
}

/// How a helper command ended, and what it had to say.
struct Said {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    exit_code: i32,
}

impl Said {
    fn words(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim().to_owned()
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = SAID_BYTES_MAX.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

async fn to_end(reader: &mut ExecReader) -> Result<Said, ClientError> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        match reader.next().await? {
            ExecEvent::Started { .. } => {}
            ExecEvent::Stdout(bytes) => keep(&mut stdout, &bytes),
            ExecEvent::Stderr(bytes) => keep(&mut stderr, &bytes),
            ExecEvent::Exited { exit_code, .. } => {
                return Ok(Said {
                    stdout,
                    stderr,
                    exit_code,
                });
            }
        }
    }
}

impl Remote<'_> {
    fn start(&self, cmd: &str, args: &[&str], stdin: bool) -> StartMessage {
        StartMessage {
            cmd: cmd.to_owned(),
            args: args.iter().map(|word| (*word).to_owned()).collect(),
            user: self.user.map(str::to_owned),
            stdin,
            ..StartMessage::default()
        }
    }

    async fn ask(&self, cmd: &str, args: &[&str]) -> anyhow::Result<Said> {
        let start = self.start(cmd, args, false);
        let (mut reader, _writer) = self.client.exec(self.id, start).await?.split();
        Ok(to_end(&mut reader).await?)
    }

    /// A word for what it is, and the path after links.
    async fn look(&self, path: &str, follow: bool) -> anyhow::Result<(String, String)> {
        let follow = if follow { "follow" } else { "" };
        let said = self
            .ask("/bin/sh", &["-c", LOOK, "sh", path, follow])
            .await?;
        let text = String::from_utf8(said.stdout).unwrap_or_default();
        match text.split_once(' ') {
            Some((kind, path)) if said.exit_code == 0 => Ok((kind.to_owned(), path.to_owned())),
            _ => bail!("cannot look at {}", in_sandbox(self.id, path)),
        }
    }

    pub(super) async fn source(
        &self,
        path: &str,
        follow: bool,
    ) -> anyhow::Result<(String, Source)> {
        let (kind, found) = self.look(path, follow).await?;
        let shown = in_sandbox(self.id, path);
        let what = match kind.as_str() {
            "link" | "file" => Source::File,
            "folder" => Source::Folder {
                contents: path == "." || path.ends_with("/."),
            },
            "other" => bail!("{shown} is neither a file nor a folder"),
            _ => bail!("{shown} does not exist, or its user may not see it: nothing was copied"),
        };
        Ok((found, what))
    }

    pub(super) async fn target(&self, path: &str) -> anyhow::Result<Target> {
        // What is written to is what a link leads to.
        let (kind, _) = self.look(path, true).await?;
        Ok(match kind.as_str() {
            "folder" => Target::Folder,
            "free" => Target::Free,
            "none" => Target::NoParent,
            _ => Target::File,
        })
    }

    pub(super) async fn make_folder(&self, path: &str) -> anyhow::Result<()> {
        let said = self.ask("mkdir", &["-p", "--", path]).await?;
        if said.exit_code != 0 {
            let shown = in_sandbox(self.id, path);
            bail!("cannot make {shown} ({})", said.words());
        }
        Ok(())
    }

    /// Unpacks an archive as it comes. The number of its bytes.
    pub(super) async fn unpack(&self, folder: &str, mut archive: Packing) -> anyhow::Result<u64> {
        // -p: modes as they are; -o: owned by who unpacks.
        let start = self.start("tar", &["-x", "-p", "-o", "-f", "-", "-C", folder], true);
        let (mut reader, mut writer) = self.client.exec(self.id, start).await.map_err(tar)?.split();
        let progress = RefCell::new(Progress::new());
        let feed = async {
            while let Some(chunk) = archive.next().await? {
                writer.stdin(&chunk).await?;
                progress.borrow_mut().add(chunk.len());
            }
            writer.close_stdin().await?;
            anyhow::Ok(())
        };
        let follow = to_end(&mut reader);
        tokio::pin!(feed, follow);
        let mut feeding = true;
        // `tar` knows whether it has seen the end of the archive; it may leave before we have said that it was the end.
        let said = loop {
            tokio::select! {
                biased;
                said = &mut follow => break said.map_err(tar)?,
                sent = &mut feed, if feeding => match sent {
                    // The reading side knows more.
                    Err(error) if error.is::<ClientError>() => feeding = false,
                    // An archive that cannot be finished is not closed: what unpacks it is killed with the connection.
                    sent => {
                        sent?;
                        feeding = false;
                    }
                },
            }
        };
        if said.exit_code != 0 {
            let shown = in_sandbox(self.id, folder);
            bail!("cannot write to {shown} ({})", said.words());
        }
        Ok(progress.borrow_mut().done())
    }

    pub(super) fn pack(&self, path: &str, what: Source) -> Packed<'_> {
        let (folder, name) = match what {
            Source::Folder { .. } => (path.to_owned(), ".".to_owned()),
            Source::File => {
                let (folder, name) = split(path);
                // Nothing that could be taken for an option.
                (folder, format!("./{name}"))
            }
        };
        let start = self.start("tar", &["-c", "-f", "-", "-C", &folder, &name], false);
        Packed {
            remote: self,
            shown: in_sandbox(self.id, path),
            start,
        }
    }
}

/// A template need not have a `tar`.
fn tar(error: ClientError) -> anyhow::Error {
    let missing = error.code() == Some(ErrorCode::CommandNotFound.as_str());
    let error = anyhow::Error::from(error);
    if missing {
        return error.context("copying needs `tar` in the sandbox, and its template has none");
    }
    error
}

/// A part of the sandbox's files, about to be packed.
pub(super) struct Packed<'a> {
    remote: &'a Remote<'a>,
    shown: String,
    start: StartMessage,
}

impl Packed<'_> {
    /// Hands chunks on until the end. `false` from `take`: nobody wants more.
    async fn each(
        self,
        mut take: impl AsyncFnMut(&[u8]) -> anyhow::Result<bool>,
    ) -> anyhow::Result<u64> {
        let client = self.remote.client;
        let stream = client.exec(self.remote.id, self.start).await.map_err(tar)?;
        let (mut reader, _writer) = stream.split();
        let mut progress = Progress::new();
        let mut said = Vec::new();
        loop {
            match reader.next().await.map_err(tar)? {
                ExecEvent::Started { .. } => {}
                ExecEvent::Stdout(chunk) => {
                    progress.add(chunk.len());
                    if !take(&chunk).await? {
                        return Ok(progress.done());
                    }
                }
                ExecEvent::Stderr(chunk) => keep(&mut said, &chunk),
                ExecEvent::Exited { exit_code: 0, .. } => {
                    return Ok(progress.done());
                }
                ExecEvent::Exited { .. } => {
                    let words = String::from_utf8_lossy(&said);
                    bail!("cannot read {} ({})", self.shown, words.trim())
                }
            }
        }
    }

    pub(super) async fn print(self) -> anyhow::Result<u64> {
        let mut raw = Raw::new();
        let take = async |chunk: &[u8]| match raw.stdout(chunk).await {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            written => {
                written.context("cannot write the archive")?;
                Ok(true)
            }
        };
        self.each(take).await
    }

    pub(super) async fn write(self, landing: Landing) -> anyhow::Result<u64> {
        let (chunks, archive) = mpsc::channel(CHUNKS_IN_FLIGHT);
        let unpacking = tokio::task::spawn_blocking(move || local::unpack(archive, &landing));
        let read = self
            .each(async |chunk: &[u8]| Ok(chunks.send(chunk.to_vec()).await.is_ok()))
            .await;
        drop(chunks);
        let unpacked = unpacking.await?;
        // A stream that broke off is why the archive is incomplete, not the other way round.
        let bytes = read?;
        unpacked?;
        Ok(bytes)
    }
}
