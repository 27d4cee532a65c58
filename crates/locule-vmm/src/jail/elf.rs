//! The dynamic loader that an ELF program names, and the libraries that the loader loads for it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use locule_base::command::Command;

use crate::machine::VmmError;

const PT_INTERP: u32 = 3;
const HEADER_BYTES: usize = 64;
const SEGMENT_BYTES: usize = 56;
const INTERPRETER_BYTES_MAX: usize = 4096;

/// The dynamic loader that a program names. `None` for a static program and for a library.
pub(super) fn interpreter(program: &Path) -> io::Result<Option<PathBuf>> {
    let file = File::open(program)?;
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0)?;
    // 64 bits, little-endian: the format that this host executes.
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Err(io::Error::other("not a 64-bit ELF program"));
    }
    let table = number(&header, 32, 8);
    for index in 0..number(&header, 56, 2) {
        let mut segment = [0; SEGMENT_BYTES];
        file.read_exact_at(&mut segment, table + index * number(&header, 54, 2))?;
        if number(&segment, 0, 4) != u64::from(PT_INTERP) {
            continue;
        }
        let length = usize::try_from(number(&segment, 32, 8)).unwrap_or(usize::MAX);
        let mut path = vec![0; length.min(INTERPRETER_BYTES_MAX)];
        file.read_exact_at(&mut path, number(&segment, 8, 8))?;
        let path = String::from_utf8(path).map_err(io::Error::other)?;
        return Ok(Some(PathBuf::from(path.trim_end_matches('\0'))));
    }
    Ok(None)
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = bytes[at..at + length].iter().rev();
    bytes.fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// Asks the loader for the libraries of `object`, with the empty environment that a VMM starts with.
pub(super) async fn libraries(loader: &Path, object: &Path) -> Result<Vec<PathBuf>, VmmError> {
    let listing = Command::new("env").arg("-i").arg(loader).arg("--list");
    let output = listing.arg(object).run().await;
    let output = output.map_err(|error| VmmError::Unusable(error.to_string()))?;
    let listing = String::from_utf8_lossy(&output.stdout);
    parse_listing(&listing).map_err(|library| {
        VmmError::Unusable(format!(
            "{} needs {library}, which the loader does not find",
            object.display()
        ))
    })
}

/// Lines are `name => path (address)` or `path (address)`; the kernel's own library has no path.
fn parse_listing(listing: &str) -> Result<Vec<PathBuf>, String> {
    let mut paths = Vec::new();
    for line in listing.lines().map(str::trim) {
        let (name, path) = line.split_once(" => ").unwrap_or((line, line));
        if path == "not found" {
            return Err(name.to_owned());
        }
        let path = path.rsplit_once(" (").map_or(path, |(path, _)| path);
        if path.starts_with('/') {
            paths.push(PathBuf::from(path));
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loader_listing_yields_the_libraries_and_the_first_missing_one() {
        let listing = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibz.so.1 => /lib/a b/libz.so.1 (0x00007f)\n\t/lib64/ld.so (0x1)\n";
        let expected: Vec<PathBuf> = vec!["/lib/a b/libz.so.1".into(), "/lib64/ld.so".into()];
        assert_eq!(parse_listing(listing), Ok(expected));
        assert_eq!(parse_listing("\tstatically linked\n"), Ok(Vec::new()));
        assert_eq!(
            parse_listing("libq.so.1 => not found"),
            Err("libq.so.1".to_owned())
        );
    }

    #[tokio::test]
    async fn the_loader_of_a_dynamic_program_lists_itself() {
        let program = Path::new("/bin/ls");
        let loader = interpreter(program).unwrap().unwrap();
        let found = libraries(&loader, program).await.unwrap();
        assert!(found.contains(&loader), "{found:?}");
        assert!(found.iter().all(|path| path.is_file()), "{found:?}");
    }

    #[test]
    fn a_script_has_no_interpreter_and_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        interpreter(&script).unwrap_err();
        std::fs::write(&script, format!("#!/bin/sh\n{}", " ".repeat(100))).unwrap();
        let error = interpreter(&script).unwrap_err();
        assert!(error.to_string().contains("ELF"), "{error}");
    }
}
