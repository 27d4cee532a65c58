//! Parser for recordings of strace: the calls that change the files of a pool or answer a client.

use std::collections::HashMap;

use super::disk::{Content, Disk};
use crate::host_files::is_log;

/// A successful system call. Paths are relative to the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Open {
        path: String,
        truncate: bool,
    },
    /// `None`: the bytes do not matter.
    Write {
        path: String,
        bytes: Option<Vec<u8>>,
    },
    MakeFolder(String),
    Remove(String),
    Rename {
        from: String,
        to: String,
    },
    /// Numbered, because other calls may come between the start and the end of a sync.
    BeginSync {
        path: String,
        number: usize,
    },
    EndSync {
        path: String,
        number: usize,
    },
    /// Bytes sent to a client of the agent.
    Reply,
}

#[derive(Debug, Clone)]
pub(super) struct Event {
    /// The start of the call, in seconds since 1970.
    pub(super) at: f64,
    pub(super) call: Call,
}

/// The folders of the pool that contain acknowledged results.
const FOLDERS: [&str; 3] = ["sandboxes", "tombstones", "warm"];

struct Reader<'a> {
    pool: &'a str,
    events: Vec<Event>,
    /// Unfinished calls, by thread.
    unfinished: HashMap<&'a str, (f64, &'a str)>,
    syncs: HashMap<&'a str, usize>,
    synced: usize,
}

/// The calls of a recording, in the order in which they took effect.
pub(super) fn read(text: &str, pool: &str) -> Vec<Event> {
    let mut reader = Reader {
        pool,
        events: Vec::new(),
        unfinished: HashMap::new(),
        syncs: HashMap::new(),
        synced: 0,
    };
    for line in text.lines() {
        reader.line(line);
    }
    reader.events
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str) {
        // strace pads short thread ids.
        let Some((thread, rest)) = line.split_once(' ') else {
            return;
        };
        let Some((at, rest)) = rest.trim_start().split_once(' ') else {
            return;
        };
        let Ok(at) = at.parse() else { return };
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            self.unfinished.insert(thread, (at, start));
            self.start_call(thread, at, start);
        } else if let Some((_, end)) = rest
            .strip_prefix("<... ")
            .and_then(|rest| rest.split_once(" resumed>"))
        {
            if let Some((at, start)) = self.unfinished.remove(thread) {
                self.finish_call(thread, at, &format!("{start}{end}"));
            }
        } else {
            self.start_call(thread, at, rest);
            self.finish_call(thread, at, rest);
        }
    }

    /// The relative path, if it is the pool itself or in a folder with acknowledged results.
    fn inside(&self, path: &str) -> Option<String> {
        let path = path.strip_prefix(self.pool)?.trim_matches('/');
        let folder = path.split('/').next()?;
        let known = path.is_empty() || FOLDERS.contains(&folder);
        // Logs and the probe for shared extents do not matter.
        let matters = !is_log(path) && !path.ends_with(".probe-a");
        (known && matters).then(|| path.to_owned())
    }

    fn start_call(&mut self, thread: &'a str, at: f64, text: &str) {
        if text.starts_with("fsync(") || text.starts_with("fdatasync(") {
            self.synced += 1;
            self.syncs.insert(thread, self.synced);
            // A sync outside these folders also writes the journal.
            let path = descriptor(text).and_then(|path| self.inside(path));
            let in_pool = descriptor(text).is_some_and(|path| path.starts_with(self.pool));
            if in_pool {
                let call = Call::BeginSync {
                    path: path.unwrap_or_else(|| "elsewhere".to_owned()),
                    number: self.synced,
                };
                self.events.push(Event { at, call });
            }
        }
    }

    fn finish_call(&mut self, thread: &str, at: f64, text: &str) {
        let Some((call, result)) = text.rsplit_once(") = ") else {
            return;
        };
        if result.starts_with('-') || result.starts_with('?') {
            return;
        }
        if let Some(call) = self.parse(thread, call) {
            self.events.push(Event { at, call });
        }
    }

    fn parse(&self, thread: &str, call: &str) -> Option<Call> {
        let (name, arguments) = call.split_once('(')?;
        let path = || {
            let name = strings(arguments).into_iter().next()?.0;
            let name = String::from_utf8(name).ok()?;
            let whole = match descriptor(call) {
                Some(folder) if !name.starts_with('/') => format!("{folder}/{name}"),
                _ => name,
            };
            self.inside(&whole)
        };
        let open_file = || descriptor(call).and_then(|path| self.inside(path));
        match name {
            "openat" if arguments.contains("O_CREAT") => Some(Call::Open {
                path: path()?,
                truncate: arguments.contains("O_TRUNC"),
            }),
            "mkdir" | "mkdirat" => Some(Call::MakeFolder(path()?)),
            "unlink" | "unlinkat" | "rmdir" => Some(Call::Remove(path()?)),
            "rename" => {
                let mut names = strings(arguments).into_iter();
                let mut next = || self.inside(&String::from_utf8(names.next()?.0).ok()?);
                let (from, to) = (next()?, next()?);
                Some(Call::Rename { from, to })
            }
            "fsync" | "fdatasync" => Some(Call::EndSync {
                path: open_file().or_else(|| {
                    descriptor(call)?
                        .starts_with(self.pool)
                        .then(|| "elsewhere".to_owned())
                })?,
                number: *self.syncs.get(thread)?,
            }),
            "write" | "sendto" | "sendmsg" | "writev" if call.contains("agent.sock\"") => {
                Some(Call::Reply)
            }
            "write" => {
                let (bytes, whole) = strings(arguments).into_iter().next()?;
                let bytes = whole.then_some(bytes);
                matters(open_file()?, bytes)
            }
            "pwrite64" | "writev" | "ftruncate" | "fallocate" | "copy_file_range" => {
                matters(open_file()?, None)
            }
            "ioctl" if arguments.contains("FICLONE") => matters(open_file()?, None),
            "ioctl" | "openat" | "sendto" | "sendmsg" => None,
            other => {
                let touched = path().or_else(open_file);
                assert!(touched.is_none(), "{other} in the pool: {call}");
                None
            }
        }
    }
}

/// The disk of a running guest contains no acknowledged result.
fn matters(path: String, bytes: Option<Vec<u8>>) -> Option<Call> {
    (!path.ends_with("/disk")).then_some(Call::Write { path, bytes })
}

/// The path that strace shows for the first descriptor.
fn descriptor(call: &str) -> Option<&str> {
    let (_, arguments) = call.split_once('(')?;
    let (number, rest) = arguments.split_once('<')?;
    let is_number = number == "AT_FDCWD" || number.parse::<u32>().is_ok();
    is_number
        .then(|| rest.split_once('>').map(|(path, _)| path))
        .flatten()
}

/// The quoted arguments, and whether each is complete.
fn strings(arguments: &str) -> Vec<(Vec<u8>, bool)> {
    let bytes = arguments.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(start) = bytes[at..].iter().position(|byte| *byte == b'"') {
        let (text, end) = unquote(bytes, at + start + 1);
        found.push((text, !bytes[end..].starts_with(b"...")));
        at = end;
    }
    found
}

/// Parses a string from after its opening quote to after its closing quote.
fn unquote(bytes: &[u8], mut at: usize) -> (Vec<u8>, usize) {
    let mut text = Vec::new();
    while bytes[at] != b'"' {
        if bytes[at] != b'\\' {
            text.push(bytes[at]);
            at += 1;
            continue;
        }
        at += 1;
        let digits = bytes[at..].iter().take(3);
        let digits = digits
            .take_while(|byte| (b'0'..=b'7').contains(byte))
            .count();
        if digits > 0 {
            let octal = std::str::from_utf8(&bytes[at..at + digits]).unwrap();
            text.push(u8::from_str_radix(octal, 8).unwrap());
            at += digits;
            continue;
        }
        text.push(match bytes[at] {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'v' => 0x0b,
            b'f' => 0x0c,
            other => other,
        });
        at += 1;
    }
    (text, at + 1)
}

/// Replays calls on a model of the disk.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) disk: Disk,
    syncing: HashMap<usize, Option<(usize, Content)>>,
}

impl Player {
    pub(super) fn new() -> Self {
        Self {
            disk: Disk::new(),
            syncing: HashMap::new(),
        }
    }

    pub(super) fn play(&mut self, call: &Call) {
        match call {
            Call::Open { path, truncate } => self.disk.open(path, *truncate),
            Call::Write { path, bytes } => self.disk.append(path, bytes.as_deref()),
            Call::MakeFolder(path) => self.disk.make_folder(path),
            Call::Remove(path) => self.disk.remove(path),
            Call::Rename { from, to } => self.disk.rename(from, to),
            Call::BeginSync { path, number } => {
                let started = self.disk.content(path);
                self.syncing.insert(*number, started);
            }
            Call::EndSync { number, .. } => {
                let started = self.syncing.remove(number).flatten();
                self.disk.sync(started);
            }
            Call::Reply => {}
        }
    }
}
