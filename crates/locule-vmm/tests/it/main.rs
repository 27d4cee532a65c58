//! The driver against real processes: a test program for memory capture, and QEMU for everything else. Needs root.

#![expect(clippy::unwrap_used, reason = "a test program: a failure is a panic")]

mod capture;
mod guest;
mod jail;
mod qemu;

use std::path::{Path, PathBuf};
use std::time::Duration;

use locule_base::command::Command;

/// Longer than any wait takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Compiles a program of the folder `programs`, statically linked so that it also runs in a guest.
async fn compile(name: &str, folder: &Path) -> PathBuf {
    compile_with(name, folder, &["-C", "target-feature=+crt-static"]).await
}

async fn compile_with(name: &str, folder: &Path, options: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/programs/{name}.rs"));
    let program = folder.join(name);
    Command::new("rustc")
        .args(["--edition=2024", "-O"])
        .args(options)
        .args(["--target", "x86_64-unknown-linux-gnu", "-o"])
        .arg(&program)
        .arg(source)
        .run()
        .await
        .unwrap();
    program
}
