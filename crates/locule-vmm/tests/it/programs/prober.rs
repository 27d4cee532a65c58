//! Attempts of a VMM that a guest has compromised. The test compiles it.
//!
//! Started as a VMM, the program runs the commands in its guest's command line, one a line, prints a line
//! `COMMAND<TAB>RESULT` for each, and then answers on the control channel until the command `quit`. `--try COMMANDS` runs them
//! outside a jail, which shows whether the jail is the reason for a refusal.

use std::ffi::CString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{FromRawFd as _, RawFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

unsafe extern "C" {
    fn mount(from: *const i8, at: *const i8, kind: *const i8, flags: u64, data: *const i8) -> i32;
    fn umount(at: *const i8) -> i32;
    fn chroot(at: *const i8) -> i32;
    fn mknod(at: *const i8, mode: u32, device: u64) -> i32;
    fn unshare(flags: i32) -> i32;
    fn setns(fd: i32, kind: i32) -> i32;
    fn socket(family: i32, kind: i32, protocol: i32) -> i32;
    fn kill(pid: i32, signal: i32) -> i32;
    fn ptrace(request: i64, pid: i32, address: usize, data: usize) -> i64;
    fn setresuid(real: u32, effective: u32, saved: u32) -> i32;
    fn setpriority(which: i32, who: u32, value: i32) -> i32;
    fn geteuid() -> u32;
    fn getgroups(size: i32, list: *mut u32) -> i32;
    fn mmap(at: *mut u8, length: usize, prot: i32, flags: i32, fd: i32, offset: i64) -> *mut u8;
}

type Outcome = std::io::Result<String>;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("--version") => println!("Probe emulator version 1.0"),
        Some("--whoami") => println!("{}", unsafe { geteuid() }),
        Some("--abort") => std::process::abort(),
        Some("--try") => run(&args, &args[2]),
        _ => {
            run(&args, &option(&args, "-append"));
            answer(number_in(&option(&args, "-chardev"), "fd="));
        }
    }
}

/// The last value of an option: of two character devices the second is the control channel.
fn option(args: &[String], name: &str) -> String {
    let at = args.iter().rposition(|arg| arg == name).expect(name);
    args[at + 1].clone()
}

fn number_in(text: &str, before: &str) -> RawFd {
    let digits = text.split(before).nth(1).expect(before);
    let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

fn run(args: &[String], commands: &str) {
    // The first line is the command line of the guest's kernel.
    for command in commands.lines().skip(1) {
        let result = match attempt(args, command) {
            Ok(result) => result,
            Err(error) => format!("errno {}", error.raw_os_error().unwrap_or(0)),
        };
        println!("{command}\t{result}");
    }
}

fn attempt(args: &[String], command: &str) -> Outcome {
    let (verb, word) = command.split_once(' ').unwrap_or((command, ""));
    let number = || word.parse::<i32>().expect("a number");
    let path = CString::new(word).expect("no zero");
    let path = path.as_ptr();
    let null = std::ptr::null();
    match verb {
        "read" => File::open(word)?.read(&mut [0]).map(done),
        "write" => File::options().write(true).open(word).map(done),
        "create" => File::create_new(word).map(done),
        "folder" => std::fs::create_dir(word).map(done),
        "remove" => std::fs::remove_file(word).map(done),
        "device" => status(unsafe { mknod(path, 0o020_666, 0x0101) }),
        "list" => list(word),
        "links" => links(word),
        "connect" => UnixStream::connect(word).map(done),
        "abstract" => UnixStream::connect_addr(&SocketAddr::from_abstract_name(word)?).map(done),
        "inet" => TcpStream::connect(word).map(done),
        "socket" => status(unsafe { socket(number(), 2, 0) }),
        "mount" => status(unsafe { mount(null, path, c"tmpfs".as_ptr(), 0, null) }),
        "remount" => status(unsafe { mount(null, path, null, 32, null) }),
        "umount" => status(unsafe { umount(path) }),
        "chroot" => status(unsafe { chroot(path) }),
        "unshare" => status(unsafe { unshare(number()) }),
        "setns" => status(unsafe { setns(number(), 0) }),
        "kill" => status(unsafe { kill(number(), 0) }),
        "attach" => status(unsafe { ptrace(0x4206, number(), 0, 0) as i32 }),
        "priority" => status(unsafe { setpriority(0, 0, number()) }),
        "groups" => Ok(unsafe { getgroups(0, std::ptr::null_mut()) }.to_string()),
        "root" => status(unsafe { setresuid(0, 0, 0) }),
        "whoami" => whoami(word),
        "kernel-whoami" => whoami(&passed(args, "-kernel")),
        "kernel-write" => File::options().write(true).open(passed(args, "-kernel")).map(done),
        "initramfs-write" => File::options().write(true).open(passed(args, "-initrd")).map(done),
        "image-write" => {
            let image = File::options().read(true).write(true).open(memory(args));
            image?.write_at(b"x", 0).map(done)
        }
        "image-map" => map(&memory(args)),
        "disk-grow" => grow(number_in(&args.join(" "), "-add-fd fd="), word),
        "dump" => dump(),
        "threads" => Ok(threads().to_string()),
        _ => panic!("no such command: {command}"),
    }
}

fn done<T>(_: T) -> String {
    "done".to_owned()
}

fn status(result: i32) -> Outcome {
    if result < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok("done".to_owned())
}

fn passed(args: &[String], name: &str) -> String {
    option(args, name)
}

fn memory(args: &[String]) -> String {
    let fd = number_in(&option(args, "-object"), "/proc/self/fd/");
    format!("/proc/self/fd/{fd}")
}

fn map(image: &str) -> Outcome {
    let file = File::options().read(true).write(true).open(image)?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    // PROT_READ | PROT_WRITE, MAP_SHARED.
    let base = unsafe { mmap(std::ptr::null_mut(), 4096, 3, 1, fd, 0) };
    status(if base.addr() == usize::MAX { -1 } else { 0 })
}

fn grow(disk: RawFd, to: &str) -> Outcome {
    let disk = std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(disk) });
    disk.write_at(b"x", to.parse().expect("a number")).map(done)
}

/// All files below a folder, without the contents of /proc.
fn list(folder: &str) -> Outcome {
    let mut found = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && entry.path() != std::path::Path::new("/proc") {
                folders.push(entry.path());
            } else {
                found.push(entry.path().display().to_string());
            }
        }
    }
    found.sort();
    Ok(found.join(" "))
}

/// The links in a folder whose names are numbers, with their targets.
fn links(folder: &str) -> Outcome {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().expect("a name");
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            let target = std::fs::read_link(entry.path()).unwrap_or_default();
            found.push(format!("{name}={}", target.display()));
        }
    }
    found.sort();
    Ok(found.join(" "))
}

/// The user that a program runs as when this program starts it.
fn whoami(program: &str) -> Outcome {
    let output = Command::new(program).arg("--whoami").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn dump() -> Outcome {
    let status = Command::new("/proc/self/exe").arg("--abort").status()?;
    Ok(format!("signal {:?} dumped {}", status.signal(), status.core_dumped()))
}

/// The number of threads that the program can have at once.
fn threads() -> usize {
    let gate = std::sync::Arc::new(std::sync::Barrier::new(usize::MAX));
    let mut count = 0;
    while count < 2000 {
        let gate = gate.clone();
        let small = std::thread::Builder::new().stack_size(16 * 1024);
        if small.spawn(move || gate.wait()).is_err() {
            break;
        }
        count += 1;
    }
    count
}

/// Greets, and answers every command with success.
fn answer(control: RawFd) {
    let listener = unsafe { UnixListener::from_raw_fd(control) };
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        let _ = writeln!(stream, r#"{{"QMP":{{}}}}"#);
        let lines = BufReader::new(stream.try_clone().expect("a second handle"));
        for line in lines.lines().map_while(Result::ok) {
            let id = number_in(&line, "\"id\":");
            let _ = writeln!(stream, r#"{{"return":{{}},"id":{id}}}"#);
            if line.contains("\"quit\"") {
                std::process::exit(0);
            }
        }
    }
}
