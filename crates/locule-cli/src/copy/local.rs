//! The end of a copy on this machine: packs files into an archive and back, chunk by chunk, on a thread that may block.

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use tar::{Archive, Builder, EntryType, Header};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::plan::{Landing, Source, Target};

const CHUNK_BYTES: usize = 32 * 1024;
const CHUNKS_IN_FLIGHT: usize = 8;

pub(super) fn source(path: &str, follow: bool) -> anyhow::Result<(PathBuf, Source)> {
    let path_buf = PathBuf::from(path);
    let looked = if follow {
        fs::metadata(&path_buf)
    } else {
        fs::symlink_metadata(&path_buf)
    };
    let meta = looked.with_context(|| format!("cannot read {path}, nothing was copied"))?;
    let what = if meta.is_dir() {
        Source::Directory {
            contents: path == "." || path.ends_with("/."),
        }
    } else if meta.is_file() || meta.is_symlink() {
        Source::File
    } else {
        bail!("{path} is neither a file nor a directory");
    };
    let real = if follow {
        path_buf.canonicalize()?
    } else {
        path_buf
    };
    // An unreadable source is found before anything is written.
    if meta.is_file() {
        File::open(&real).with_context(|| format!("cannot read {path}, nothing was copied"))?;
    } else if meta.is_dir() {
        fs::read_dir(&real).with_context(|| format!("cannot read {path}, nothing was copied"))?;
    }
    Ok((real, what))
}

pub(super) fn target(path: &Path) -> Target {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Target::Directory,
        Ok(_) => Target::File,
        Err(_) => {
            let parent = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            if parent.unwrap_or(Path::new(".")).is_dir() {
                Target::Free
            } else {
                Target::NoParent
            }
        }
    }
}

/// Creates a directory. Succeeds when it exists.
pub(super) fn make_directory(path: &str) -> anyhow::Result<()> {
    match fs::create_dir(path) {
        Err(_) if Path::new(path).is_dir() => Ok(()),
        made => made.with_context(|| format!("cannot create {path}")),
    }
}

/// An archive that is being packed.
pub(super) struct Packing {
    chunks: mpsc::Receiver<Vec<u8>>,
    work: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Packing {
    /// The next chunk; `None` at the end. An archive that could not be finished ends with an error.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        if let Some(chunk) = self.chunks.recv().await {
            return Ok(Some(chunk));
        }
        if let Some(work) = self.work.take() {
            work.await??;
        }
        Ok(None)
    }
}

/// The archive on standard input.
pub(super) fn standard_input() -> Packing {
    let (chunks, receiver) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let read = async move {
        let mut input = tokio::io::stdin();
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let count = input
                .read(&mut chunk)
                .await
                .context("cannot read standard input")?;
            chunk.truncate(count);
            if count == 0 || chunks.send(chunk).await.is_err() {
                return anyhow::Ok(());
            }
        }
    };
    let runtime = tokio::runtime::Handle::current();
    let work = tokio::task::spawn_blocking(move || runtime.block_on(read));
    Packing {
        chunks: receiver,
        work: Some(work),
    }
}

/// Packs a source for its place at the target.
pub(super) fn pack(source: PathBuf, landing: Landing) -> Packing {
    let (chunks, receiver) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let work = tokio::task::spawn_blocking(move || {
        let out = BufWriter::with_capacity(CHUNK_BYTES, Chunks(chunks));
        let mut archive = Builder::new(out);
        match landing {
            Landing::As { name, .. } => add(&mut archive, &source, Path::new(&name))?,
            Landing::Contents { new, .. } => {
                if new {
                    // A new directory gets the mode of its source.
                    add_itself(&mut archive, &source, Path::new("."))?;
                }
                add_contents(&mut archive, &source, Path::new(""))?;
            }
        }
        archive.into_inner()?.flush()?;
        Ok(())
    });
    Packing {
        chunks: receiver,
        work: Some(work),
    }
}

/// The writing end of a queue of chunks.
struct Chunks(mpsc::Sender<Vec<u8>>);

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(bytes.to_vec());
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Sink = Builder<BufWriter<Chunks>>;

fn add(archive: &mut Sink, path: &Path, name: &Path) -> anyhow::Result<()> {
    let meta = add_itself(archive, path, name)?;
    if meta.is_dir() {
        add_contents(archive, path, name)?;
    }
    Ok(())
}

fn add_contents(archive: &mut Sink, directory: &Path, name: &Path) -> anyhow::Result<()> {
    let listed = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = listed.with_context(|| format!("cannot read {}", directory.display()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        add(archive, &entry.path(), &name.join(entry.file_name()))?;
    }
    Ok(())
}

/// Adds an entry to the archive. Sockets, pipes and devices are left out: they have no meaning on another machine.
fn add_itself(archive: &mut Sink, path: &Path, name: &Path) -> anyhow::Result<Metadata> {
    let meta =
        fs::symlink_metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut header = Header::new_gnu();
    header.set_metadata(&meta);
    let added = if meta.is_symlink() {
        header.set_size(0);
        fs::read_link(path).and_then(|to| archive.append_link(&mut header, name, to))
    } else if meta.is_file() {
        File::open(path).and_then(|file| {
            let content = Exactly {
                file,
                left: meta.len(),
            };
            archive.append_data(&mut header, name, content)
        })
    } else if meta.is_dir() {
        header.set_size(0);
        archive.append_data(&mut header, name, io::empty())
    } else {
        Ok(())
    };
    added.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(meta)
}

/// Reads exactly the size that the archive header states. A file that grows is truncated; a file that shrinks is an error, so
/// that the archive is never malformed.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.file).take(self.left).read(buffer)?;
        self.left -= count as u64;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::other(
                "the file became shorter while it was copied",
            ));
        }
        Ok(count)
    }
}

/// The reading end of a queue of chunks.
struct Queue {
    chunks: mpsc::Receiver<Vec<u8>>,
    current: io::Cursor<Vec<u8>>,
}

impl Read for Queue {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = Read::read(&mut self.current, buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = io::Cursor::new(chunk),
                None => return Ok(0),
            }
        }
    }
}

/// Unpacks the archive of a sandbox, which is not trusted: entries stay below the target, and only files, directories and links
/// are unpacked.
pub(super) fn unpack(chunks: mpsc::Receiver<Vec<u8>>, landing: &Landing) -> anyhow::Result<()> {
    let queue = Queue {
        chunks,
        current: io::Cursor::default(),
    };
    let mut archive = Archive::new(queue);
    match landing {
        Landing::As { directory, name } => {
            unpack_one(&mut archive, &Path::new(directory).join(name))?;
        }
        Landing::Contents { directory, new } => {
            unpack_all(&mut archive, Path::new(directory), *new)?;
        }
    }
    // The archive is read to its last byte, so that the sender exits by itself.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(())
}

fn unpack_one(archive: &mut Archive<Queue>, target: &Path) -> anyhow::Result<()> {
    let first = archive.entries()?.next().transpose();
    let Some(mut entry) = first.context("the sandbox sent data that is not a tar archive")? else {
        bail!("the sandbox sent an empty archive");
    };
    let kind = entry.header().entry_type();
    if !is_content(kind) && !kind.is_symlink() {
        bail!("the archive of the sandbox does not contain the requested file");
    }
    // The file has another name until it is complete: a broken copy leaves the old file.
    let unfinished = target.with_file_name(format!(".locule-copy-{}", std::process::id()));
    let done = entry
        .unpack(&unfinished)
        .and_then(|_| fs::rename(&unfinished, target));
    if done.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    done.with_context(|| format!("cannot write {}", target.display()))
}

fn is_content(kind: EntryType) -> bool {
    kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse()
}

fn is_root(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, Component::CurDir | Component::RootDir))
}

/// Where the entry of an archive is unpacked. A name that begins with `/` is below the target too.
fn below(target: &Path, name: &Path) -> PathBuf {
    let parts = name.components();
    let parts = parts.filter(|part| matches!(part, Component::Normal(_)));
    target.join(parts.collect::<PathBuf>())
}

fn unpack_all(archive: &mut Archive<Queue>, target: &Path, new: bool) -> anyhow::Result<()> {
    // A directory gets its mode after its entries: the mode may be read-only.
    let mut directories: Vec<(PathBuf, u32)> = Vec::new();
    for entry in archive
        .entries()
        .context("the sandbox sent data that is not a tar archive")?
    {
        let mut entry = entry.context("the archive of the sandbox is incomplete")?;
        let name = entry.path()?.into_owned();
        let path = below(target, &name);
        let shown = path.display();
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            let mode = entry.header().mode()? & 0o777;
            if is_root(&name) {
                if new {
                    directories.push((target.to_owned(), mode));
                }
                continue;
            }
            let unpacked = entry.unpack_in(target);
            if unpacked.with_context(|| format!("cannot create {shown}"))? {
                set_mode(&path, mode | 0o700)?;
                directories.push((path, mode));
            }
        } else if is_content(kind) || kind.is_symlink() || kind.is_hard_link() {
            // `false`: the name leads out of the target, and the entry is left out.
            let _ = entry
                .unpack_in(target)
                .with_context(|| format!("cannot write {shown}"))?;
        }
    }
    for (path, mode) in directories.iter().rev() {
        set_mode(path, *mode)?;
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    // A link that replaced the directory meanwhile is not followed.
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir()) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .with_context(|| format!("cannot set the mode of {}", path.display()))?;
    }
    Ok(())
}
