//! The processes of this machine, by their user.

use std::fs;
use std::ops::Range;

/// The pids of the processes with a user id in this range that have not exited. A process can change its name, its argument list
/// and the owner of its files in `/proc`, but without a privilege not its user ids.
pub fn of_users(uids: &Range<u32>) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        // A process that exited meanwhile has no file.
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        !has_exited(&status) && user_ids(&status).any(|uid| uids.contains(&uid))
    })
    .collect()
}

/// The words of a line. Of all lines a process chooses only the first one, its name.
fn line<'a>(status: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let mut lines = status.lines();
    let found = lines.find_map(|line| line.strip_prefix(name));
    found.unwrap_or_default().split_whitespace()
}

/// The real, effective, saved and file system user id.
fn user_ids(status: &str) -> impl Iterator<Item = u32> {
    line(status, "Uid:").filter_map(|id| id.parse().ok())
}

/// A zombie: only its parent can remove it.
fn has_exited(status: &str) -> bool {
    matches!(line(status, "State:").next(), None | Some("Z" | "X"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_four_user_ids_count() {
        let status = "Name:\tUid: 5\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t1000\t1001\t1002\t1003\nGid:\t7\t7\t7\t7\n";
        assert_eq!(
            user_ids(status).collect::<Vec<_>>(),
            [1000, 1001, 1002, 1003]
        );
        assert!(!has_exited(status));
        assert!(has_exited(
            "Name:\tx\nState:\tZ (zombie)\nUid:\t1\t1\t1\t1\n"
        ));
        assert_eq!(user_ids("").count(), 0);
    }

    #[test]
    fn this_process_is_found_by_its_user() {
        let own = rustix::process::geteuid().as_raw();
        let found = of_users(&(own..own + 1));
        assert!(found.contains(&std::process::id()), "{found:?}");
        assert!(of_users(&(own..own)).is_empty());
    }
}
