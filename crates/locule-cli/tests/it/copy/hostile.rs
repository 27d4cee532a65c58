//! Copies from a sandbox whose `tar` was replaced: whatever its archive says, nothing outside the target changes.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use sqlx::PgPool;
use tar::EntryType::{self, Block, Char, Directory, Fifo, Link, Regular, Symlink};

use super::Ends;

/// An entry of an archive: its type, its name, its mode, and what a link leads to.
type Entry<'a> = (EntryType, &'a str, u32, &'a str);

/// Replaces `tar` in the sandbox by a program that prints a hostile archive.
fn lie(ends: &Ends, entries: &[Entry<'_>]) {
    let mut archive = tar::Builder::new(Vec::new());
    for (kind, name, mode, link) in entries {
        let content: &[u8] = if kind.is_file() { b"evil" } else { b"" };
        archive
            .append(&header(*kind, name, *mode, link), content)
            .unwrap();
    }
    let lies = ends.there("lies");
    fs::write(&lies, archive.into_inner().unwrap()).unwrap();
    let tar = ends.platform.program("tar");
    fs::write(&tar, format!("#!/bin/sh\nexec cat '{}'\n", lies.display())).unwrap();
    fs::set_permissions(&tar, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Names are written as they are: the library refuses those that lead out of the target.
fn header(kind: EntryType, name: &str, mode: u32, link: &str) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_mode(mode);
    header.set_size(if kind.is_file() { 4 } else { 0 });
    if matches!(kind, Block | Char) {
        // The numbers of /dev/null.
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
    }
    header.set_cksum();
    header
}

/// Every file and folder below a folder, with its type, its mode and its content.
fn everything(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_file() {
            fs::read_to_string(&path).unwrap()
        } else {
            String::new()
        };
        all.push(format!(
            "{} {:?} {:o} {content}",
            path.display(),
            meta.file_type(),
            meta.permissions().mode()
        ));
        if meta.is_dir() {
            all.extend(everything(&path));
        }
    }
    all.sort();
    all
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_hostile_archive_changes_nothing_outside_the_target(pool: PgPool) {
    let ends = Ends::start(pool).await;
    fs::create_dir(ends.there("tree")).unwrap();
    let outside = ends.here("outside");
    fs::create_dir_all(outside.join("folder")).unwrap();
    fs::write(outside.join("secret"), "mine").unwrap();
    fs::set_permissions(outside.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(outside.join("folder"), fs::Permissions::from_mode(0o700)).unwrap();
    let before = everything(&outside);
    let at = |name: &str| outside.join(name).display().to_string();
    let (secret, folder) = (at("secret"), at("folder"));
    let (new, below) = (at("new"), at("folder/below"));
    let archives: &[&[Entry<'_>]] = &[
        &[(Regular, "../outside/new", 0o644, "")],
        &[(Regular, "x/../../outside/secret", 0o644, "")],
        &[(Directory, "../outside/folder", 0o777, "")],
        // Absolute names.
        &[(Regular, &new, 0o644, "")],
        &[(Regular, &secret, 0o666, "")],
        &[(Directory, &folder, 0o777, "")],
        &[(Directory, &below, 0o777, "")],
        &[(Symlink, &new, 0o777, "/etc/passwd")],
        // A link, and then something through it.
        &[
            (Symlink, "way", 0o777, "../outside/secret"),
            (Regular, "way", 0o666, ""),
        ],
        &[
            (Symlink, "way", 0o777, "../outside"),
            (Regular, "way/new", 0o644, ""),
        ],
        &[
            (Symlink, "way", 0o777, "../outside"),
            (Regular, "way/secret", 0o666, ""),
        ],
        &[
            (Symlink, "way", 0o777, &folder),
            (Directory, "way", 0o777, ""),
        ],
        &[
            (Symlink, "way", 0o777, &folder),
            (Directory, "way/", 0o777, ""),
        ],
        &[
            (Symlink, "way", 0o777, "../outside"),
            (Directory, "way/folder", 0o777, ""),
        ],
        &[
            (Symlink, "way", 0o777, "../outside"),
            (Directory, "way/below", 0o777, ""),
        ],
        &[
            (Symlink, "a", 0o777, ".."),
            (Symlink, "b", 0o777, "a/outside"),
            (Regular, "b/new", 0o644, ""),
        ],
        // A second name for a file outside, and then its content and mode.
        &[(Link, "hard", 0o666, &secret), (Regular, "hard", 0o666, "")],
        &[
            (Link, "hard", 0o666, "../outside/secret"),
            (Regular, "hard", 0o666, ""),
        ],
        &[
            (Symlink, "way", 0o777, "../outside"),
            (Link, "hard", 0o666, "way/secret"),
            (Regular, "hard", 0o666, ""),
        ],
        &[
            (Directory, "d", 0o755, ""),
            (Symlink, "d", 0o777, &folder),
            (Directory, "d", 0o777, ""),
        ],
    ];
    for (number, archive) in archives.iter().enumerate() {
        lie(&ends, archive);
        let ran = ends.try_cp("@tree", &format!("back{number}"));
        assert!([0, 1].contains(&ran.code), "{archive:?}: {ran:?}");
        assert_eq!(everything(&outside), before, "{archive:?}: {ran:?}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_hostile_archive_creates_no_device_and_no_file_with_the_rights_of_its_owner(
    pool: PgPool,
) {
    let ends = Ends::start(pool).await;
    fs::create_dir(ends.there("tree")).unwrap();
    lie(
        &ends,
        &[
            (Fifo, "fifo", 0o666, ""),
            (Block, "block", 0o666, ""),
            (Char, "char", 0o666, ""),
            (Regular, "setuid", 0o6755, ""),
            (Directory, "sticky", 0o7777, ""),
            (Regular, "honest", 0o644, ""),
        ],
    );
    let ran = ends.try_cp("@tree", "back");
    assert_eq!(ran.code, 0, "{ran:?}");
    let mut names = Vec::new();
    for entry in fs::read_dir(ends.here("back")).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let kind = meta.file_type();
        let special = kind.is_fifo() || kind.is_block_device() || kind.is_char_device();
        assert!(!special, "{entry:?}");
        assert_eq!(meta.permissions().mode() & 0o7000, 0, "{entry:?}");
        names.push(entry.file_name());
    }
    names.sort();
    assert_eq!(names, ["honest", "setuid", "sticky"]);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_archive_that_is_not_the_requested_file_is_refused(pool: PgPool) {
    let ends = Ends::start(pool).await;
    fs::write(ends.there("file"), "one").unwrap();
    for kind in [Link, Fifo, Block, Char, Directory] {
        lie(&ends, &[(kind, "file", 0o644, "/etc/passwd")]);
        ends.refused("@file", "back", "does not contain the requested file");
        assert!(!ends.here("back").exists());
    }
    fs::write(ends.here("secret"), "mine").unwrap();
    for entries in [
        &[(Regular, "../secret", 0o6755, "")][..],
        &[(Regular, "/etc/shadow", 0o6755, "")],
    ] {
        lie(&ends, entries);
        ends.cp("@file", "back");
        assert_eq!(fs::read(ends.here("back")).unwrap(), b"evil");
        assert_eq!(super::mode(&ends.here("back")), 0o755);
        assert_eq!(fs::read(ends.here("secret")).unwrap(), b"mine");
        let set = fs::metadata(ends.here("back"))
            .unwrap()
            .permissions()
            .mode()
            & 0o7000;
        assert_eq!(set, 0);
    }
}
