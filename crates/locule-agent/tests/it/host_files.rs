//! The programs and files of a host whose agent is a separate process.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

#[expect(
    clippy::disallowed_methods,
    reason = "a test controls how long its programs run"
)]
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    Command::new(name)
}

/// Whether a file holds the output of a program or the console of a guest.
pub(crate) fn is_log(name: &str) -> bool {
    Path::new(name).extension() == Some(OsStr::new("log"))
}

pub(crate) fn binary(name: &str) -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test command names the programs in the environment"
    )]
    let named = std::env::var_os("LOCULE_BINARY").expect("the test command sets LOCULE_BINARY");
    Path::new(&named).with_file_name(name)
}

/// An image bundle without content: the stub VMM does not read it.
pub(crate) fn empty_images(folder: &Path) -> PathBuf {
    let images = folder.join("images");
    std::fs::create_dir(&images).unwrap();
    for name in ["kernel", "initramfs"] {
        std::fs::write(images.join(name), name).unwrap();
    }
    let disk = std::fs::File::create(images.join("disk")).unwrap();
    disk.set_len(16 << 20).unwrap();
    let file = |name: &str| json!({ "file": name, "sha256": format!("{name:0>64}") });
    let manifest = json!({
        "version": 1, "kernel_version": "stub", "guest_version": "stub",
        "kernel": file("kernel"), "initramfs": file("initramfs"), "templates": { "minimal": file("disk") },
    });
    std::fs::write(images.join("manifest.json"), manifest.to_string()).unwrap();
    images
}

/// Asserts that the folder of a sandbox has exactly the files that its manifest implies.
pub(crate) fn check_files(folder: &Path, running: bool) {
    let text = std::fs::read(folder.join("manifest.json")).unwrap_or_else(|error| {
        let names: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().collect();
        panic!("{error}: {names:?}")
    });
    let manifest: Value = serde_json::from_slice(&text).unwrap();
    let names: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !is_log(name))
        .collect();
    let mut expected = BTreeSet::from(["manifest.json".to_owned()]);
    if running {
        expected.insert("disk".to_owned());
    }
    if let Some(snapshot) = manifest["held"]["image"].as_u64() {
        expected.extend(["memory", "devices", "disk"].map(|what| format!("{what}.{snapshot}")));
    }
    assert_eq!(names, expected, "{}: {manifest}", folder.display());
}
