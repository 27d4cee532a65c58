//! What a VMM that a guest has taken over might try. Compiled by the test that uses it.
//!
//! Started as a VMM it follows the orders in its guest's command line, one a line, prints a line `ORDER<TAB>RESULT` for
//! each, and then answers on the control channel until it is told to quit. `--try ORDERS` does the same outside a jail:
//! that shows that an attempt is not refused for some other reason.

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
        Some("--try") => follow(&args, &args[2]),
        _ => {
            follow(&args, &option(&args, "-append"));
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

fn follow(args: &[String], orders: &str) {
    // The first line is for the guest's kernel.
    for order in orders.lines().skip(1) {
        let result = match attempt(args, order) {
            Ok(said) => said,
            Err(error) => format!("errno {}", error.raw_os_error().unwrap_or(0)),
        };
        println!("{order}\t{result}");
    }
}

fn attempt(args: &[String], order: &str) -> Outcome {
    let (verb, word) = order.split_once(' ').unwrap_or((order, ""));
    let number = || word.parse::<i32>().expect("a number");
    let path = CString::new(word).expect("no zero");
    let path = path.as_ptr();
    let null = std::ptr::null();
    match verb {
        "read" => File::open(word)?.read(&mut [0]).map(said),
        "write" => File::options().write(true).open(word).map(said),
        "create" => File::create_new(word).map(said),
        "folder" => std::fs::create_dir(word).map(said),
        "remove" => std::fs::remove_file(word).map(said),
        "device" => status(unsafe { mknod(path, 0o020_666, 0x0101) }),
        "list" => list(word),
        "links" => links(word),
        "connect" => UnixStream::connect(word).map(said),
        "abstract" => UnixStream::connect_addr(&SocketAddr::from_abstract_name(word)?).map(said),
        "inet" => TcpStream::connect(word).map(said),
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
        "kernel-whoami" => whoami(&handed(args, "-kernel")),
        "kernel-write" => File::options().write(true).open(handed(args, "-kernel")).map(said),
        "initramfs-write" => File::options().write(true).open(handed(args, "-initrd")).map(said),
        "image-write" => {
            let image = File::options().read(true).write(true).open(memory(args));
            image?.write_at(b"x", 0).map(said)
        }
        "image-map" => map(&memory(args)),
        "disk-grow" => grow(number_in(&args.join(" "), "-add-fd fd="), word),
        "dump" => dump(),
        "threads" => Ok(threads().to_string()),
        _ => panic!("no such order: {order}"),
    }
}

fn said<T>(_: T) -> String {
    "done".to_owned()
}

fn status(result: i32) -> Outcome {
    if result < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok("done".to_owned())
}

fn handed(args: &[String], name: &str) -> String {
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
    disk.write_at(b"x", to.parse().expect("a number")).map(said)
}

/// Everything under a folder but /proc, files of folders that hold more than a few left out.
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

/// Names in a folder of links, with what they point to. Numbers only.
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

/// Who a program runs as when this one starts it.
fn whoami(program: &str) -> Outcome {
    let output = Command::new(program).arg("--whoami").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn dump() -> Outcome {
    let status = Command::new("/proc/self/exe").arg("--abort").status()?;
    Ok(format!("signal {:?} dumped {}", status.signal(), status.core_dumped()))
}

/// How many threads it can have at once.
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

/// Greets and agrees to everything.
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
