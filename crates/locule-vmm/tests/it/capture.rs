//! A captured memory file has exactly the bytes that the process sees, over several captures.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use locule_vmm::{CaptureStats, MemoryFile, capture::capture};
use proptest::prelude::*;

const IMAGE_BYTES: usize = 2 * 1024 * 1024 + 3 * 4096;

/// A process that maps the memory file privately. Killed and reaped at the end of the test.
struct Scribbler {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Scribbler {
    fn start(program: &Path, image: &Path) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test sends commands while the process runs; the command runner would wait for its exit"
        )]
        let mut child = std::process::Command::new(program)
            .arg(image)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut scribbler = Self {
            child,
            commands,
            answers,
        };
        scribbler.answer();
        scribbler
    }

    fn answer(&mut self) {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the scribbler exited");
    }

    fn write(&mut self, writes: &BTreeMap<usize, u8>) {
        for (offset, value) in writes {
            writeln!(self.commands, "w {offset} {value}").unwrap();
        }
        writeln!(self.commands, "go").unwrap();
        self.answer();
    }

    fn read(&mut self, offset: usize) {
        writeln!(self.commands, "r {offset}").unwrap();
    }

    fn capture(&self, mapped: &Path, into: &Path) -> CaptureStats {
        std::fs::copy(mapped, into).unwrap();
        let meta = std::fs::metadata(mapped).unwrap();
        let memory = MemoryFile {
            device: meta.dev(),
            inode: meta.ino(),
            bytes: meta.len(),
        };
        let image = File::options().write(true).open(into).unwrap();
        capture(self.child.id(), memory, &image).unwrap()
    }
}

impl Drop for Scribbler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_image(folder: &Path) -> (std::path::PathBuf, Vec<u8>) {
    let bytes: Vec<u8> = (0..IMAGE_BYTES)
        .map(|at| u8::try_from(at / 4096 % 251).unwrap())
        .collect();
    let path = folder.join("image-0");
    std::fs::write(&path, &bytes).unwrap();
    (path, bytes)
}

#[test]
fn a_captured_memory_file_equals_the_memory_of_the_process_over_several_captures() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let program = runtime.block_on(crate::compile("scribbler", folder.path()));
    let generation = proptest::collection::btree_map(
        0..IMAGE_BYTES,
        prop_oneof![Just(0_u8), any::<u8>()],
        0..60,
    );
    let generations = proptest::collection::vec(generation, 1..4);
    let mut config = ProptestConfig::with_cases(24);
    config.failure_persistence = None;
    proptest!(config, |(generations in generations)| {
        let (mut mapped, mut model) = first_image(folder.path());
        for (number, writes) in generations.iter().enumerate() {
            let mut scribbler = Scribbler::start(&program, &mapped);
            scribbler.read(0);
            scribbler.write(writes);
            for (offset, value) in writes {
                model[*offset] = *value;
            }
            let next = folder.path().join(format!("image-{}", number + 1));
            let stats = scribbler.capture(&mapped, &next);
            let pages: std::collections::BTreeSet<_> = writes.keys().map(|at| at / 4096).collect();
            prop_assert_eq!(stats.dirty_pages, pages.len() as u64);
            prop_assert!(std::fs::read(&next).unwrap() == model, "memory file and model differ");
            mapped = next;
        }
    });
}

#[test]
fn a_page_of_zeros_written_over_data_is_captured() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let program = runtime.block_on(crate::compile("scribbler", folder.path()));
    let (mapped, _) = first_image(folder.path());
    let mut scribbler = Scribbler::start(&program, &mapped);
    scribbler.write(&(4096..8192).map(|at| (at, 0)).collect());
    let next = folder.path().join("next");
    assert_eq!(scribbler.capture(&mapped, &next).dirty_pages, 1);
    let mut page = vec![1; 4096];
    File::open(&next)
        .unwrap()
        .read_exact_at(&mut page, 4096)
        .unwrap();
    assert!(page.iter().all(|byte| *byte == 0));
}

#[test]
fn reading_a_page_does_not_make_it_dirty() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let program = runtime.block_on(crate::compile("scribbler", folder.path()));
    let (mapped, bytes) = first_image(folder.path());
    let mut scribbler = Scribbler::start(&program, &mapped);
    for page in 0..100 {
        scribbler.read(page * 4096);
    }
    scribbler.write(&BTreeMap::new());
    let next = folder.path().join("next");
    assert_eq!(scribbler.capture(&mapped, &next), CaptureStats::default());
    assert!(std::fs::read(&next).unwrap() == bytes);
}

#[test]
fn capturing_a_process_that_does_not_map_the_memory_file_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = first_image(folder.path());
    let meta = std::fs::metadata(&path).unwrap();
    let memory = MemoryFile {
        device: meta.dev(),
        inode: meta.ino(),
        bytes: meta.len(),
    };
    let image = File::options().write(true).open(&path).unwrap();
    capture(std::process::id(), memory, &image).unwrap_err();
}
