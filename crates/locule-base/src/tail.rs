//! The end of a file that may be long.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// What a message about a log or a console needs.
pub const TAIL_BYTES: usize = 4096;

/// The last bytes of a file, at most `most`. Reads no other part of the file, whose length a guest may decide.
pub fn tail(path: &Path, most: usize) -> io::Result<String> {
    let file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(most as u64);
    let mut bytes = vec![0; most];
    let mut length = 0;
    while length < most {
        match file.read_at(&mut bytes[length..], start + length as u64)? {
            0 => break,
            count => length += count,
        }
    }
    Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_tail_is_the_end_of_a_file_of_any_length() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"first\nlast\n").unwrap();
        let path = file.path().to_owned();
        assert_eq!(tail(&path, TAIL_BYTES).unwrap(), "first\nlast\n");
        assert_eq!(tail(&path, 5).unwrap(), "last\n");
        // Sparse: to read all of it takes longer than any test may.
        file.as_file().set_len(1 << 42).unwrap();
        file.as_file().write_at(b"end\n", (1 << 42) - 4).unwrap();
        assert!(tail(&path, 8).unwrap().ends_with("end\n"));
        assert_eq!(tail(&path, 8).unwrap().len(), 8);
    }
}
