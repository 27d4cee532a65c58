//! Kills every part of a platform with SIGKILL while a command runs and sandboxes are created.

use std::io::{BufRead as _, BufReader};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::platform::{Platform, until};

/// Far longer than any wait takes.
const PATIENCE: Duration = Duration::from_mins(1);

const COUNT: &str = "i=0; while sleep 0.05; do i=$((i+1)); echo $i; done";

/// A command in a sandbox that counts, followed by `locule sandbox exec`.
struct Counter {
    lines: Receiver<u64>,
    last: u64,
    child: std::process::Child,
}

impl Counter {
    fn start(platform: &Platform, id: &str) -> Self {
        Self::read(platform.spawn(&["sandbox", "exec", id, "--", "sh", "-c", COUNT]))
    }

    /// The same in a terminal.
    fn start_in_terminal(platform: &Platform, id: &str) -> Self {
        Self::read(
            platform.spawn_in_terminal(&["sandbox", "exec", "-it", id, "--", "sh", "-c", COUNT]),
        )
    }

    fn read(mut child: std::process::Child) -> Self {
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            // `locule` says on the same terminal that it connects again.
            let is_number = |line: &String| !line.trim().is_empty() && !line.contains("[locule:");
            for line in lines.filter(is_number) {
                let number = line.trim().parse().unwrap_or_else(|_| panic!("{line:?}"));
                if sender.send(number).is_err() {
                    return;
                }
            }
        });
        Self {
            lines,
            last: 0,
            child,
        }
    }

    /// Reads on, and checks that no number is lost or repeated.
    fn goes_on(&mut self) {
        for _ in 0..10 {
            let next = self.lines.recv_timeout(PATIENCE).unwrap();
            assert_eq!(next, self.last + 1, "a line is missing or came twice");
            self.last = next;
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn no_acknowledged_change_is_lost_when_any_part_is_killed() {
    let mut platform = Platform::start();
    let id = platform.create();
    platform.keep(&id);

    // The host agent: the VM and the stream continue.
    let mut counter = Counter::start(&platform, &id);
    let mut terminal = Counter::start_in_terminal(&platform, &id);
    counter.goes_on();
    terminal.goes_on();
    platform.kill_part("agent");
    counter.goes_on();
    terminal.goes_on();
    drop(counter);
    until("commands run again", || {
        platform
            .locule(&["sandbox", "exec", &id, "--", "true"], "")
            .code
            == 0
    });
    assert_eq!(platform.reads(&id, "/dev/shm/f"), "kept\n");

    // The control plane, PostgreSQL and Redis: each restarts by itself, and the sandbox is not affected.
    for part in ["serve", "postgres", "redis-server"] {
        platform.kill_part(part);
        until("the platform is healthy", || platform.is_healthy());
        // The control plane carries the connection, which `locule` makes again.
        terminal.goes_on();
        assert_eq!(platform.reads(&id, "/dev/shm/f"), "kept\n", "{part}");
        let made = platform.create();
        platform.succeeds(&["sandbox", "kill", &made]);
    }

    drop(terminal);

    // A VMM: its sandbox is stopped with a reason, the others are not affected.
    let lost = platform.create();
    platform.kill_vmm_of(&lost);
    let killed = Duration::from_secs(5);
    platform.within(killed, "the loss is told", || {
        platform.shown(&lost)["status"] == "stopped"
    });
    assert_eq!(platform.shown(&lost)["status_reason"], "vm_lost");
    assert_eq!(platform.reads(&id, "/dev/shm/f"), "kept\n");

    // The supervisor: the VM runs on, and the next start adopts it.
    platform.kill_up();
    platform.start_again();
    assert_eq!(platform.shown(&id)["status"], "running");
    assert_eq!(platform.reads(&id, "/dev/shm/f"), "kept\n");
    platform.succeeds(&["sandbox", "kill", &id]);
    platform.stop();
}
