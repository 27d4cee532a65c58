//! `locule sandbox cp` as `docker cp` documents it, through a real `tar`.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use locule_api::SandboxStatus::Running;

use crate::program::Ran;
use crate::stub::Stub;

const ID: &str = "sb-12345678-9dad-11d1-80b4-00c04fd430c8";

struct Ends {
    stub: Stub,
    here: tempfile::TempDir,
}

impl Ends {
    fn new() -> Self {
        let stub = Stub::start();
        stub.add(ID, Running);
        Self {
            stub,
            here: tempfile::tempdir().unwrap(),
        }
    }

    fn here(&self, name: &str) -> PathBuf {
        self.here.path().join(name)
    }

    fn there(&self, name: &str) -> PathBuf {
        self.stub.home().join(name)
    }

    /// `@name` is in the sandbox; any other name is here.
    fn typed(&self, end: &str) -> String {
        match end.strip_prefix('@') {
            Some(path) => format!("{ID}:{path}"),
            None if end == "-" => end.to_owned(),
            None => format!("{}/{end}", self.here.path().display()),
        }
    }

    fn try_cp(&self, from: &str, to: &str) -> Ran {
        let (from, to) = (self.typed(from), self.typed(to));
        self.stub.locule(&["sandbox", "cp", &from, &to])
    }

    fn cp(&self, from: &str, to: &str) {
        let ran = self.try_cp(from, to);
        assert_eq!(
            (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
            (0, "", ""),
            "{from} {to}"
        );
    }

    fn refused(&self, from: &str, to: &str, words: &str) {
        let ran = self.try_cp(from, to);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains(words), "{words:?} is not in {ran:?}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

/// A folder with what copies get wrong.
fn make_tree(at: &Path) {
    fs::create_dir_all(at.join("sub dir/empty")).unwrap();
    fs::write(at.join("sub dir/-rf \n'\""), "odd").unwrap();
    fs::write(at.join(std::ffi::OsStr::from_bytes(b"\xff")), "bytes").unwrap();
    fs::write(at.join("x".repeat(200)), "long").unwrap();
    fs::write(at.join("run"), "#!/bin/sh").unwrap();
    fs::set_permissions(at.join("run"), fs::Permissions::from_mode(0o750)).unwrap();
    symlink("run", at.join("link")).unwrap();
    symlink("/nowhere", at.join("dangling")).unwrap();
    fs::set_permissions(at.join("sub dir"), fs::Permissions::from_mode(0o555)).unwrap();
}

fn assert_tree(at: &Path) {
    assert_eq!(fs::read(at.join("sub dir/-rf \n'\"")).unwrap(), b"odd");
    assert_eq!(
        fs::read(at.join(std::ffi::OsStr::from_bytes(b"\xff"))).unwrap(),
        b"bytes"
    );
    assert_eq!(fs::read(at.join("x".repeat(200))).unwrap(), b"long");
    assert_eq!(
        (mode(&at.join("run")), mode(&at.join("sub dir"))),
        (0o750, 0o555)
    );
    assert!(at.join("sub dir/empty").is_dir());
    assert_eq!(fs::read_link(at.join("link")).unwrap(), Path::new("run"));
    assert_eq!(
        fs::read_link(at.join("dangling")).unwrap(),
        Path::new("/nowhere")
    );
}

#[test]
fn a_file_goes_into_a_folder_over_a_file_or_to_a_new_name() {
    let ends = Ends::new();
    fs::write(ends.here("a b"), "one").unwrap();
    fs::set_permissions(ends.here("a b"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::create_dir(ends.there("folder")).unwrap();
    ends.cp("a b", "@folder");
    ends.cp("a b", "@folder/new");
    fs::write(ends.there("old"), "much more than before").unwrap();
    ends.cp("a b", "@old");
    ends.cp("a b", "@");
    for copy in ["folder/a b", "folder/new", "old", "a b"] {
        assert_eq!(fs::read(ends.there(copy)).unwrap(), b"one", "{copy}");
        assert_eq!(mode(&ends.there(copy)), 0o640, "{copy}");
    }
    fs::create_dir(ends.here("back")).unwrap();
    ends.cp("@folder/new", "back/");
    ends.cp("@folder/new", "back/other");
    ends.cp("@old", "a b");
    for copy in ["back/new", "back/other", "a b"] {
        assert_eq!(fs::read(ends.here(copy)).unwrap(), b"one", "{copy}");
        assert_eq!(mode(&ends.here(copy)), 0o640, "{copy}");
    }
}

#[test]
fn a_folder_goes_and_comes_back_with_all_that_is_in_it() {
    let ends = Ends::new();
    make_tree(&ends.here("tree"));
    ends.cp("tree", "@new");
    assert_tree(&ends.there("new"));
    ends.cp("@new", "back");
    assert_tree(&ends.here("back"));
}

#[test]
fn a_folder_goes_into_one_that_exists_and_a_dot_means_its_contents() {
    let ends = Ends::new();
    fs::create_dir(ends.here("tree")).unwrap();
    fs::write(ends.here("tree/file"), "one").unwrap();
    fs::create_dir(ends.there("to")).unwrap();
    ends.cp("tree", "@to");
    ends.cp("tree/", "@to/");
    ends.cp("tree/.", "@to");
    let mut names: Vec<_> = fs::read_dir(ends.there("to"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["file", "tree"]);
    assert!(ends.there("to/tree/file").is_file());
    fs::create_dir(ends.here("back")).unwrap();
    ends.cp("@to/tree", "back");
    ends.cp("@to/tree", "back");
    ends.cp("@to/tree/.", "back");
    assert!(ends.here("back/tree/file").is_file() && ends.here("back/file").is_file());
}

#[test]
fn a_link_is_copied_as_one_unless_it_is_to_be_followed() {
    let ends = Ends::new();
    fs::write(ends.here("file"), "one").unwrap();
    symlink("file", ends.here("link")).unwrap();
    ends.cp("link", "@link");
    assert_eq!(
        fs::read_link(ends.there("link")).unwrap(),
        Path::new("file")
    );
    let (from, to) = (ends.typed("link"), ends.typed("@real"));
    ends.stub.succeeds(&["sandbox", "cp", "-L", &from, &to]);
    assert_eq!(fs::read_to_string(ends.there("real")).unwrap(), "one");
    symlink("real", ends.there("way")).unwrap();
    let (from, to) = (ends.typed("@way"), ends.typed("back"));
    ends.stub.succeeds(&["sandbox", "cp", "-L", &from, &to]);
    assert!(!ends.here("back").is_symlink());
    assert_eq!(fs::read_to_string(ends.here("back")).unwrap(), "one");
}

#[test]
fn what_is_refused_leaves_nothing() {
    let ends = Ends::new();
    fs::write(ends.here("file"), "one").unwrap();
    fs::create_dir(ends.here("tree")).unwrap();
    fs::write(ends.there("other"), "two").unwrap();
    ends.refused("missing", "@new", "cannot read");
    ends.refused("@missing", "new", "does not exist");
    ends.refused("file", "@new/", "does not exist: make it first");
    ends.refused("file", "@no/new", "does not exist: make it first");
    ends.refused("@other", "no/new", "does not exist: make it first");
    ends.refused("tree", "@other", "a folder cannot be copied over it");
    ends.refused("file", "file", "one of the two must be in a sandbox");
    ends.refused("@other", "@new", "copy twice");
    ends.refused("-", "@other", "must be a folder");
    assert_eq!(fs::read_dir(ends.stub.home()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(ends.here.path()).unwrap().count(), 2);
}

#[test]
fn a_dash_is_a_tar_archive() {
    let ends = Ends::new();
    fs::create_dir_all(ends.there("tree")).unwrap();
    fs::write(ends.there("tree/file"), "one").unwrap();
    let archive = ends.here("archive");
    let mut command = ends
        .stub
        .command(&["sandbox", "cp", &format!("{ID}:tree"), "-"]);
    command.stdout(fs::File::create(&archive).unwrap());
    assert_eq!(crate::program::run(command).code, 0);
    fs::create_dir(ends.there("to")).unwrap();
    let ran = ends.stub.locule_with(
        &["sandbox", "cp", "-", &format!("{ID}:to")],
        &fs::read(&archive).unwrap(),
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(fs::read_to_string(ends.there("to/file")).unwrap(), "one");
    let ran = ends
        .stub
        .locule_with(&["sandbox", "cp", "-", &format!("{ID}:to")], b"no archive");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("cannot write to to in sb-"), "{ran:?}");
}

#[test]
fn a_large_file_comes_through_whole() {
    let ends = Ends::new();
    // Numbers in a row: a chunk that is lost, doubled or swapped is seen.
    let content: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(ends.here("large"), &content).unwrap();
    ends.cp("large", "@large");
    assert!(fs::read(ends.there("large")).unwrap() == content);
    ends.cp("@large", "back");
    assert!(fs::read(ends.here("back")).unwrap() == content);
}

#[test]
fn a_copy_that_breaks_off_leaves_what_was_there() {
    let ends = Ends::new();
    fs::write(ends.there("large"), vec![b'x'; 4_000_000]).unwrap();
    fs::write(ends.here("old"), "one").unwrap();
    ends.stub.change(|seen| seen.cut = Some("tar"));
    ends.refused("@large", "old", "the connection broke off");
    assert_eq!(fs::read_to_string(ends.here("old")).unwrap(), "one");
    assert_eq!(fs::read_dir(ends.here.path()).unwrap().count(), 1);
}

#[test]
fn json_says_what_was_copied() {
    let ends = Ends::new();
    fs::write(ends.here("file"), "one").unwrap();
    let (from, to) = (ends.typed("file"), ends.typed("@new"));
    let json = ends.stub.succeeds(&["sandbox", "cp", "--json", &from, &to]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&value["sandbox_id"], &value["target"]),
        (&ID.into(), &to.into())
    );
    assert!(value["bytes"].as_u64().unwrap() >= 512);
}

/// A `tar` that sends what no honest one would.
fn lie(ends: &Ends, build: impl FnOnce(&mut tar::Builder<Vec<u8>>)) {
    let mut archive = tar::Builder::new(Vec::new());
    build(&mut archive);
    let lies = ends.here("lies");
    fs::write(&lies, archive.into_inner().unwrap()).unwrap();
    fs::write(
        ends.there("tar"),
        format!("#!/bin/sh\nexec cat '{}'\n", lies.display()),
    )
    .unwrap();
    fs::set_permissions(ends.there("tar"), fs::Permissions::from_mode(0o755)).unwrap();
    ends.stub
        .change(|seen| seen.path = Some(ends.stub.home().to_owned()));
}

fn entry(kind: tar::EntryType, name: &[u8], link: &str) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    if !link.is_empty() {
        header.set_link_name(link).unwrap();
    }
    header.set_mode(0o644);
    header.set_size(if kind.is_file() { 4 } else { 0 });
    header.set_cksum();
    header
}

#[test]
fn a_sandbox_that_lies_writes_nothing_outside_the_target() {
    use tar::EntryType::{Fifo, Regular, Symlink};
    let ends = Ends::new();
    fs::create_dir(ends.there("tree")).unwrap();
    lie(&ends, |archive| {
        archive
            .append(&entry(Regular, b"../outside", ""), &b"evil"[..])
            .unwrap();
        archive.append(&entry(Fifo, b"fifo", ""), &b""[..]).unwrap();
        archive
            .append(&entry(Regular, b"honest", ""), &b"good"[..])
            .unwrap();
        archive
            .append(&entry(Symlink, b"way", ".."), &b""[..])
            .unwrap();
        archive
            .append(&entry(Regular, b"way/outside", ""), &b"evil"[..])
            .unwrap();
    });
    let ran = ends.try_cp("@tree", "back");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(
        fs::read_to_string(ends.here("back/honest")).unwrap(),
        "good"
    );
    assert!(!ends.here("back/fifo").exists());
    assert!(!ends.here("outside").exists());
}

#[test]
fn a_sandbox_that_sends_something_else_than_a_file_is_refused() {
    let ends = Ends::new();
    fs::write(ends.there("file"), "one").unwrap();
    lie(&ends, |archive| {
        archive
            .append(
                &entry(tar::EntryType::Link, b"file", "/etc/passwd"),
                &b""[..],
            )
            .unwrap();
    });
    ends.refused("@file", "back", "something else than the file");
    assert!(!ends.here("back").exists());
}
