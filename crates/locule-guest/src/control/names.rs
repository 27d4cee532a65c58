//! The names of the machine: host name and `/etc/hosts`.

use crate::console;
use crate::paths::{read_small, write_small};

/// Sets every name. Best effort, each on its own: a template with a read-only or unusual /etc still works as a sandbox.
pub(super) fn set(hostname: &str) {
    let hosts = hosts_with(&read_small("/etc/hosts"), hostname);
    let names = [
        (
            "the host name",
            nix::unistd::sethostname(hostname).map_err(Into::into),
        ),
        (
            "/etc/hostname",
            write_small("/etc/hostname", &format!("{hostname}\n")),
        ),
        ("/etc/hosts", write_small("/etc/hosts", &hosts)),
    ];
    for (what, done) in names {
        if let Err(error) = done {
            console::log(&format!("cannot set {what}: {error}"));
        }
    }
}

/// The content of `/etc/hosts` with this machine's own line replaced. Lines that the user added stay.
fn hosts_with(hosts: &str, hostname: &str) -> String {
    const OWN: &str = "127.0.1.1";
    let mut lines: Vec<&str> = hosts
        .lines()
        .filter(|line| line.split_whitespace().next() != Some(OWN))
        .collect();
    if !lines.iter().any(|line| line.starts_with("127.0.0.1")) {
        lines.insert(0, "127.0.0.1\tlocalhost");
    }
    let own = format!("{OWN}\t{hostname}");
    lines.push(&own);
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::hosts_with;

    #[test]
    fn a_new_host_name_keeps_the_lines_that_the_user_added_to_hosts() {
        let first = hosts_with("", "sb-1");
        assert_eq!(first, "127.0.0.1\tlocalhost\n127.0.1.1\tsb-1\n");
        let second = hosts_with(&format!("{first}10.0.0.1 mine\n"), "sb-2");
        assert_eq!(
            second,
            "127.0.0.1\tlocalhost\n10.0.0.1 mine\n127.0.1.1\tsb-2\n"
        );
    }
}
