//! `locule sandbox cp` as `docker cp` documents it, through a real `tar`.

mod hostile;

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use locule_domain::SandboxState::Running;
use sqlx::PgPool;

use crate::platform::Platform;
use crate::program::Ran;

const ID: &str = "sb-12345678-9dad-11d1-80b4-00c04fd430c8";

struct Ends {
    platform: Platform,
    here: tempfile::TempDir,
}

impl Ends {
    async fn start(pool: PgPool) -> Self {
        let platform = Platform::start(pool).await;
        platform.add(ID, Running).await;
        Self {
            platform,
            here: tempfile::tempdir().unwrap(),
        }
    }

    fn here(&self, name: &str) -> PathBuf {
        self.here.path().join(name)
    }

    fn there(&self, name: &str) -> PathBuf {
        self.platform.home().join(name)
    }

    /// `@name` is in the sandbox; any other name is on this machine.
    fn typed(&self, end: &str) -> String {
        match end.strip_prefix('@') {
            Some(path) => format!("{ID}:{path}"),
            None if end == "-" => end.to_owned(),
            None => format!("{}/{end}", self.here.path().display()),
        }
    }

    fn try_cp(&self, from: &str, to: &str) -> Ran {
        let (from, to) = (self.typed(from), self.typed(to));
        self.platform.locule(&["sandbox", "cp", &from, &to])
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

/// A directory with entries that copies tend to get wrong.
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

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_file_is_copied_into_a_directory_over_a_file_or_to_a_new_name(pool: PgPool) {
    let ends = Ends::start(pool).await;
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

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_directory_keeps_its_entries_and_modes_in_both_directions(pool: PgPool) {
    let ends = Ends::start(pool).await;
    make_tree(&ends.here("tree"));
    ends.cp("tree", "@new");
    assert_tree(&ends.there("new"));
    ends.cp("@new", "back");
    assert_tree(&ends.here("back"));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_directory_is_copied_into_an_existing_one_and_a_dot_means_its_contents(pool: PgPool) {
    let ends = Ends::start(pool).await;
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

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_symbolic_link_is_copied_as_a_link_unless_l_follows_it(pool: PgPool) {
    let ends = Ends::start(pool).await;
    fs::write(ends.here("file"), "one").unwrap();
    symlink("file", ends.here("link")).unwrap();
    ends.cp("link", "@link");
    assert_eq!(
        fs::read_link(ends.there("link")).unwrap(),
        Path::new("file")
    );
    let (from, to) = (ends.typed("link"), ends.typed("@real"));
    ends.platform.succeeds(&["sandbox", "cp", "-L", &from, &to]);
    assert_eq!(fs::read_to_string(ends.there("real")).unwrap(), "one");
    symlink("real", ends.there("way")).unwrap();
    let (from, to) = (ends.typed("@way"), ends.typed("back"));
    ends.platform.succeeds(&["sandbox", "cp", "-L", &from, &to]);
    assert!(!ends.here("back").is_symlink());
    assert_eq!(fs::read_to_string(ends.here("back")).unwrap(), "one");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_refused_copy_creates_no_file(pool: PgPool) {
    let ends = Ends::start(pool).await;
    fs::write(ends.here("file"), "one").unwrap();
    fs::create_dir(ends.here("tree")).unwrap();
    fs::write(ends.there("other"), "two").unwrap();
    ends.refused("missing", "@new", "cannot read");
    ends.refused("@missing", "new", "does not exist");
    ends.refused("file", "@new/", "does not exist: create it first");
    ends.refused("file", "@no/new", "does not exist: create it first");
    ends.refused("@other", "no/new", "does not exist: create it first");
    ends.refused("tree", "@other", "a directory cannot replace it");
    ends.refused("file", "file", "neither SOURCE nor TARGET is in a sandbox");
    ends.refused("@other", "@new", "copy to this machine first");
    ends.refused("-", "@other", "is not a directory");
    assert_eq!(fs::read_dir(ends.platform.home()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(ends.here.path()).unwrap().count(), 2);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_dash_stands_for_a_tar_archive_on_stdin_or_stdout(pool: PgPool) {
    let ends = Ends::start(pool).await;
    fs::create_dir_all(ends.there("tree")).unwrap();
    fs::write(ends.there("tree/file"), "one").unwrap();
    let archive = ends.here("archive");
    let mut command = ends
        .platform
        .command(&["sandbox", "cp", &format!("{ID}:tree"), "-"]);
    command.stdout(fs::File::create(&archive).unwrap());
    assert_eq!(crate::program::run(command).code, 0);
    fs::create_dir(ends.there("to")).unwrap();
    let ran = ends.platform.locule_with(
        &["sandbox", "cp", "-", &format!("{ID}:to")],
        &fs::read(&archive).unwrap(),
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(
        fs::read_to_string(ends.there("to/tree/file")).unwrap(),
        "one"
    );
    let ran = ends
        .platform
        .locule_with(&["sandbox", "cp", "-", &format!("{ID}:to")], b"no archive");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("cannot write to to in sb-"), "{ran:?}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_large_file_arrives_complete(pool: PgPool) {
    let ends = Ends::start(pool).await;
    // Consecutive numbers: a chunk that is lost, repeated or swapped changes the content.
    let content: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(ends.here("large"), &content).unwrap();
    ends.cp("large", "@large");
    assert!(fs::read(ends.there("large")).unwrap() == content);
    ends.cp("@large", "back");
    assert!(fs::read(ends.here("back")).unwrap() == content);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_copy_whose_connection_breaks_leaves_the_old_file(pool: PgPool) {
    let ends = Ends::start(pool).await;
    fs::write(ends.there("large"), vec![b'x'; 4_000_000]).unwrap();
    fs::write(ends.here("old"), "one").unwrap();
    ends.platform.change(|traffic| traffic.cut = Some("tar"));
    ends.refused("@large", "old", "the connection to the server was lost");
    assert_eq!(fs::read_to_string(ends.here("old")).unwrap(), "one");
    assert_eq!(fs::read_dir(ends.here.path()).unwrap().count(), 1);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn json_names_the_sandbox_the_target_and_the_size(pool: PgPool) {
    let ends = Ends::start(pool).await;
    fs::write(ends.here("file"), "one").unwrap();
    let (from, to) = (ends.typed("file"), ends.typed("@new"));
    let json = ends
        .platform
        .succeeds(&["sandbox", "cp", "--json", &from, &to]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&value["sandbox_id"], &value["target"]),
        (&ID.into(), &to.into())
    );
    assert!(value["bytes"].as_u64().unwrap() >= 512);
}
