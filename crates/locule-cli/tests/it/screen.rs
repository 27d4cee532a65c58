//! A terminal of this machine, with the program under test in it: a real pseudo-terminal, which is its controlling terminal.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests run the program as users run it"
)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::{OpenptyResult as Pty, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::platform::Platform;

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
struct Shown {
    text: Mutex<Vec<u8>>,
    more: Condvar,
}

pub(crate) struct Screen {
    master: File,
    /// Held open, so that the terminal can be looked at when the program has exited.
    slave: OwnedFd,
    child: Child,
    shown: Arc<Shown>,
    before: Termios,
}

impl Screen {
    /// Runs `locule` in a new terminal of 100 columns and 30 rows.
    pub(crate) fn run(platform: &Platform, args: &[&str]) -> Self {
        let Pty { master, slave } = openpty(None, None).unwrap();
        // The program must not inherit the other end: the end of this test would not be seen.
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC).unwrap();
        let master = File::from(master);
        resize(&master, 100, 30);
        let before = tcgetattr(&slave).unwrap();
        let program = platform.command(args);
        // `setsid` makes the terminal the controlling one, and becomes the program.
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(program.get_program())
            .args(program.get_args())
            .env("TERM", "xterm-test")
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave.try_clone().unwrap());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let child = command.spawn().unwrap();
        let shown = Arc::new(Shown::default());
        let (mut screen, seen) = (master.try_clone().unwrap(), shown.clone());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = screen.read(&mut buffer) {
                seen.text.lock().unwrap().extend(&buffer[..count]);
                seen.more.notify_all();
            }
        });
        Self {
            master,
            slave,
            child,
            shown,
            before,
        }
    }

    /// All that the terminal has shown.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.text.lock().unwrap()).into_owned()
    }

    /// Waits until the terminal shows a text.
    pub(crate) fn shows(&self, text: &str) {
        let lacks = |shown: &mut Vec<u8>| !String::from_utf8_lossy(shown).contains(text);
        let shown = self.shown.text.lock().unwrap();
        let waited = self.shown.more.wait_timeout_while(shown, PATIENCE, lacks);
        let (shown, late) = waited.unwrap();
        let shown = String::from_utf8_lossy(&shown);
        assert!(!late.timed_out(), "not shown: {text:?} in {shown:?}");
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn resize(&self, cols: u16, rows: u16) {
        resize(&self.master, cols, rows);
    }

    /// Whether keys such as Ctrl-C are bytes for the program.
    pub(crate) fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.slave).unwrap().local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits for the exit, after which the terminal must be as it was. Returns the exit code.
    pub(crate) fn finish(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "still runs: {:?}", self.text());
            thread::sleep(LOOK_EVERY);
        };
        let after = tcgetattr(&self.slave).unwrap();
        let modes = |of: &Termios| {
            (
                of.input_modes,
                of.output_modes,
                of.control_modes,
                of.local_modes,
            )
        };
        assert_eq!(modes(&after), modes(&self.before), "{:?}", self.text());
        status.code().unwrap_or(-1)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A program that exited already needs no signal.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn resize(master: &File, cols: u16, rows: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(master, size).unwrap();
}
