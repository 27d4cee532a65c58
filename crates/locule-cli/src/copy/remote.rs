//! The end of a copy in the sandbox: inspected by `sh`, packed and unpacked by `tar`, over the stream of an ordinary command.

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

/// Limit of the output that is kept of a command in the sandbox.
const SAID_BYTES_MAX: usize = 4 * 1024;
const CHUNKS_IN_FLIGHT: usize = 8;

/// Prints the kind of a path; with a second argument, the kind of the target of a link.
const LOOK: &str = r#"p=$1
if [ -n "$2" ] && [ -L "$p" ]; then p=$(readlink -f -- "$p"); fi
if [ -L "$p" ]; then k=link
elif [ -d "$p" ]; then k=directory
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

/// The exit code and the output of a helper command.
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
    let left = SAID_BYTES_MAX.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(left)]);
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

    /// The kind of the path, and the path after links.
    async fn look(&self, path: &str, follow: bool) -> anyhow::Result<(String, String)> {
        let follow = if follow { "follow" } else { "" };
        let said = self
            .ask("/bin/sh", &["-c", LOOK, "sh", path, follow])
            .await?;
        let text = String::from_utf8(said.stdout).unwrap_or_default();
        match text.split_once(' ') {
            Some((kind, path)) if said.exit_code == 0 => Ok((kind.to_owned(), path.to_owned())),
            _ => bail!("cannot inspect {}", in_sandbox(self.id, path)),
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
            "directory" => Source::Directory {
                contents: path == "." || path.ends_with("/."),
            },
            "other" => bail!("{shown} is neither a file nor a directory"),
            _ => bail!(
                "{shown} does not exist, or the user has no permission to see it: nothing was copied"
            ),
        };
        Ok((found, what))
    }

    pub(super) async fn target(&self, path: &str) -> anyhow::Result<Target> {
        // A write to a link writes to its target.
        let (kind, _) = self.look(path, true).await?;
        Ok(match kind.as_str() {
            "directory" => Target::Directory,
            "free" => Target::Free,
            "none" => Target::NoParent,
            _ => Target::File,
        })
    }

    pub(super) async fn make_directory(&self, path: &str) -> anyhow::Result<()> {
        let said = self.ask("mkdir", &["-p", "--", path]).await?;
        if said.exit_code != 0 {
            let shown = in_sandbox(self.id, path);
            bail!("cannot create {shown} ({})", said.words());
        }
        Ok(())
    }

    /// Unpacks an archive while it arrives. Returns its size in bytes.
    pub(super) async fn unpack(
        &self,
        directory: &str,
        mut archive: Packing,
    ) -> anyhow::Result<u64> {
        // -p keeps modes; -o makes the unpacking user the owner.
        let start = self.start("tar", &["-x", "-p", "-o", "-f", "-", "-C", directory], true);
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
        // `tar` recognizes the end of the archive, and may exit before its input is closed.
        let said = loop {
            tokio::select! {
                biased;
                said = &mut follow => break said.map_err(tar)?,
                sent = &mut feed, if feeding => match sent {
                    // The reading side reports the cause.
                    Err(error) if error.is::<ClientError>() => feeding = false,
                    // An archive that cannot be finished is not closed: the `tar` that unpacks it is killed when the connection closes.
                    sent => {
                        sent?;
                        feeding = false;
                    }
                },
            }
        };
        if said.exit_code != 0 {
            let shown = in_sandbox(self.id, directory);
            bail!("cannot write to {shown} ({})", said.words());
        }
        Ok(progress.borrow_mut().done())
    }

    /// An archive for a pipe names what is copied, as that of `docker cp` does: two archives are unpacked side by side.
    pub(super) fn pack_named(&self, path: &str, what: Source) -> Packed<'_> {
        let (directory, name) = split(path);
        let has_name = !matches!(name.as_str(), "" | "." | "..");
        match what {
            Source::Directory { contents: false } | Source::File if has_name => {
                self.pack_in(&directory, &name, path)
            }
            Source::Directory { .. } | Source::File => self.pack(path, what),
        }
    }

    fn pack_in(&self, directory: &str, name: &str, path: &str) -> Packed<'_> {
        // What follows `--` is no option, whatever its name.
        let start = self.start(
            "tar",
            &["-c", "-f", "-", "-C", directory, "--", name],
            false,
        );
        Packed {
            remote: self,
            shown: in_sandbox(self.id, path),
            start,
        }
    }

    pub(super) fn pack(&self, path: &str, what: Source) -> Packed<'_> {
        let (directory, name) = match what {
            Source::Directory { .. } => (path.to_owned(), ".".to_owned()),
            Source::File => {
                let (directory, name) = split(path);
                (directory, format!("./{name}"))
            }
        };
        self.pack_in(&directory, &name, path)
    }
}

/// Explains the failure in a template without `tar`.
fn tar(error: ClientError) -> anyhow::Error {
    let missing = error.code() == Some(ErrorCode::CommandNotFound.as_str());
    let error = anyhow::Error::from(error);
    if missing {
        return error.context("copying needs `tar` in the sandbox, and its template has none");
    }
    error
}

/// Files of the sandbox that are about to be packed.
pub(super) struct Packed<'a> {
    remote: &'a Remote<'a>,
    shown: String,
    start: StartMessage,
}

impl Packed<'_> {
    /// Passes chunks to `take` until the end, or until `take` returns `false`.
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
        // A broken stream is the cause of an incomplete archive, so it is reported first.
        let bytes = read?;
        unpacked?;
        Ok(bytes)
    }
}
