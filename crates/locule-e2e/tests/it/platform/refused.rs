//! Starts of `up` that are refused.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{finish, piped, program, variable};

/// The message of a start that must fail.
pub(crate) fn refused(folder: &Path, args: &[&str]) -> String {
    refused_by(program(), folder, args)
}

/// The same as a user without root and without access to the folder of the program.
pub(crate) fn refused_without_root(folder: &Path) -> String {
    let copy = folder.join("locule");
    fs::copy(variable("LOCULE_BINARY"), &copy).unwrap();
    let mut command = Command::new(&copy);
    std::os::unix::process::CommandExt::uid(&mut command, 65534);
    refused_by(command, folder, &[])
}

fn refused_by(mut command: Command, folder: &Path, args: &[&str]) -> String {
    command
        .arg("up")
        .arg("--data-dir")
        .arg(folder.join("data"))
        .args(args)
        .env("HOME", folder);
    let ran = finish(piped(&mut command), "");
    assert_eq!(ran.code, 1, "{ran:?}");
    ran.stderr
}
