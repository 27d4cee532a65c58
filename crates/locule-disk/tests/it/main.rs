//! The pool on a real kernel: reflinks, restarts, free space. Needs root.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;

use locule_disk::{DiskError, Pool, PoolOptions, clone_file, own_bytes};

const GIB: u64 = 1 << 30;

async fn open(dir: &Path) -> Pool {
    Pool::open(
        dir,
        PoolOptions {
            size_bytes: Some(GIB),
        },
    )
    .await
    .unwrap()
}

fn loops_of(dir: &Path) -> usize {
    let devices = fs::read_dir("/sys/block").unwrap().flatten();
    let backing =
        devices.filter_map(|e| fs::read_to_string(e.path().join("loop/backing_file")).ok());
    backing
        .filter(|file| Path::new(file.trim_end()).starts_with(dir))
        .count()
}

#[tokio::test]
async fn a_pool_survives_a_crash_of_its_owner_and_leaves_no_loop_device_when_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    let pool = open(&path).await;
    fs::write(pool.root().join("kept"), b"content").unwrap();
    // As in a crash, the owner ends without closing the pool, which stays mounted.
    drop(pool);
    let again = open(&path).await;
    assert_eq!(fs::read(again.root().join("kept")).unwrap(), b"content");
    again.close().unwrap();
    assert_eq!(loops_of(&path), 0);
    let third = open(&path).await;
    assert_eq!(fs::read(third.root().join("kept")).unwrap(), b"content");
    third.close().unwrap();
    assert_eq!(loops_of(&path), 0);
}

#[tokio::test]
async fn a_clone_shares_the_extents_of_its_base_but_not_later_changes() {
    let dir = tempfile::tempdir().unwrap();
    let pool = open(dir.path()).await;
    let (base, copy) = (pool.root().join("base"), pool.root().join("copy"));
    fs::write(&base, vec![5; 64 << 20]).unwrap();
    locule_disk::sync_file(&base).unwrap();
    let before = pool.free_bytes().unwrap();
    let file = clone_file(&base, &copy).unwrap();
    assert!(
        before - pool.free_bytes().unwrap() < 4 << 20,
        "a clone takes no space for data"
    );
    rustix::io::pwrite(&file, &[6; 4096], 0).unwrap();
    assert_eq!(fs::read(&base).unwrap()[0], 5);
    assert_eq!(fs::read(&copy).unwrap()[..4097][4095..], [6, 5]);
    drop(file);
    pool.close().unwrap();
}

/// A paused sandbox is a clone of its template with what the sandbox wrote.
#[tokio::test]
async fn a_clone_occupies_only_what_was_written_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let pool = open(dir.path()).await;
    let (base, folder) = (pool.root().join("base"), pool.root().join("clones"));
    fs::write(&base, vec![5; 16 << 20]).unwrap();
    locule_disk::sync_file(&base).unwrap();
    fs::create_dir(&folder).unwrap();
    let copy = folder.join("copy");
    let file = clone_file(&base, &copy).unwrap();
    assert_eq!(own_bytes(&folder).unwrap(), 0);
    rustix::io::pwrite(&file, &vec![6; 3 << 20], 4 << 20).unwrap();
    locule_disk::sync_file(&copy).unwrap();
    let written = own_bytes(&folder).unwrap();
    assert!((3 << 20..4 << 20).contains(&written), "{written}");
    drop(file);
    pool.close().unwrap();
}

#[tokio::test]
async fn a_pool_that_does_not_fit_the_disk_is_refused_and_creates_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let open = |size| {
        Pool::open(
            dir.path(),
            PoolOptions {
                size_bytes: Some(size),
            },
        )
    };
    assert!(matches!(
        open(1 << 60).await.unwrap_err(),
        DiskError::InsufficientSpace { .. }
    ));
    assert!(matches!(
        open(1 << 20).await.unwrap_err(),
        DiskError::TooSmall { .. }
    ));
    assert!(!dir.path().join("pool.xfs").exists() && !dir.path().join("pool.xfs.new").exists());
}
