//! What the parts of a platform can read of each other, and what the control plane may do in the database.

#![expect(
    clippy::disallowed_methods,
    reason = "a test runs programs as the users of the parts"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::platform::{Platform, stub_vmm};

/// The user of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct User {
    uid: u32,
    gid: u32,
}

impl User {
    fn of(pid: i32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let id = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let ids = line.unwrap().split_whitespace().next();
            ids.unwrap().parse().unwrap()
        };
        Self {
            uid: id("Uid:"),
            gid: id("Gid:"),
        }
    }

    /// Runs a program as this user, and returns whether it succeeded.
    fn runs(self, program: &str, args: &[&str]) -> bool {
        let mut command = Command::new(program);
        command.args(args).current_dir("/");
        let output = command.uid(self.uid).gid(self.gid).output().unwrap();
        output.status.success()
    }

    fn connects(self, socket: &str) -> bool {
        let script = "exit(IO::Socket::UNIX->new(Peer => $ARGV[0]) ? 0 : 1)";
        self.runs("perl", &["-MIO::Socket::UNIX", "-e", script, socket])
    }
}

#[test]
fn no_part_reads_the_secrets_of_another_and_the_control_plane_cannot_change_the_audit_log() {
    let platform = Platform::start_with(&["--qemu", &stub_vmm()]);
    let parts = ["serve", "postgres", "redis-server"].map(|name| platform.part(name).unwrap());
    let users @ [serve, postgres, redis] = parts.map(User::of);
    let uids: BTreeSet<u32> = users.iter().map(|user| user.uid).collect();
    assert!(uids.len() == 3 && !uids.contains(&0), "{uids:?}");

    let environ = format!("/proc/{}/environ", parts[0]);
    let secrets = fs::read(&environ).unwrap();
    assert!(String::from_utf8_lossy(&secrets).contains("LOCULE__SECRETS__JWT_SECRET"));
    let agent = platform.run_dir().join("agent.sock");
    let agent = agent.to_str().unwrap();
    assert!(serve.connects(agent));
    for other in [postgres, redis] {
        assert!(!other.runs("cat", &[&environ]), "{other:?}");
        assert!(!other.connects(agent), "{other:?}");
    }

    let sockets = platform.run_dir().join("postgres");
    let may = |user: User, role: &str, sql: &str| {
        let url = format!("host={} dbname=locule user={role}", sockets.display());
        user.runs("psql", &["-v", "ON_ERROR_STOP=1", "-w", "-c", sql, &url])
    };
    assert!(may(
        serve,
        "locule_serve",
        "SELECT count(*) FROM audit_logs"
    ));
    for (user, role, sql) in [
        (serve, "locule", "SELECT 1"),
        (serve, "locule_serve", "DELETE FROM audit_logs"),
        (
            serve,
            "locule_serve",
            "ALTER TABLE audit_logs DISABLE TRIGGER ALL",
        ),
        (redis, "locule_serve", "SELECT 1"),
        (redis, "locule", "SELECT 1"),
    ] {
        assert!(!may(user, role, sql), "{user:?} as {role}: {sql}");
    }
    // The platform has the rights that it needs.
    let id = platform.create();
    platform.succeeds(&["sandbox", "pause", &id]);
    platform.succeeds(&["sandbox", "kill", &id]);
    let log = fs::read_to_string(format!("{}/logs/serve.log", platform.data_dir())).unwrap();
    assert!(!log.contains("permission denied"), "{log}");
    assert!(!log.contains("as the owner of its tables"), "{log}");
    platform.stop();
}
