//! A control group (version 2) for each VMM, where the agent may create groups.
//!
//! The agent creates them beside its own group, under a parent that was delegated to it (systemd: `Delegate=yes` with
//! `DelegateSubgroup=`), or at the root of the hierarchy. A group that contains processes cannot have children with limits,
//! so a service without a subgroup has no parent for them; the agent logs that once, and VMMs run without groups.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::machine::Shape;

const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];
/// The memory that a VMM may use beside its guest's memory: its own, and at most one GiB of translated code.
const OVERHEAD_MIB: u64 = 1536;
const PREFIX: &str = "vmm-";

/// The folder for the groups of VMMs.
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    folder: PathBuf,
    controllers: Vec<&'static str>,
}

impl Groups {
    /// Finds the folder. The error is the reason why this agent cannot create groups.
    pub(crate) fn find() -> Result<Self, String> {
        let read = |path| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        let mounts = read("/proc/self/mountinfo")?;
        let mount = mount_point(&mounts).ok_or("cgroup version 2 is not mounted")?;
        let own = read("/proc/self/cgroup")?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
        let own = own.ok_or("this process is in no group of cgroup version 2")?;
        let folder = parent_for(&mount, own, is_delegated)
            .ok_or("the agent's group has no delegated parent; set Delegate=yes and DelegateSubgroup= in its systemd unit")?;
        let groups = Self::open(folder)?;
        groups.sweep();
        Ok(groups)
    }

    fn open(folder: PathBuf) -> Result<Self, String> {
        let offered = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
        let usable = |name: &&str| {
            let offered = offered.split_whitespace().any(|offer| offer == *name);
            offered && fs::write(folder.join("cgroup.subtree_control"), format!("+{name}")).is_ok()
        };
        let controllers: Vec<_> = CONTROLLERS.into_iter().filter(usable).collect();
        if controllers.is_empty() {
            let folder = folder.display();
            return Err(format!("{folder} delegates none of cpu, memory and pids"));
        }
        Ok(Self {
            folder,
            controllers,
        })
    }

    /// Removes the groups of VMMs that exited while no agent ran. The kernel refuses to remove a group with processes.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }

    /// Creates the group of the VMM `name` with limits for its shape.
    pub(crate) fn make(&self, name: &str, shape: Shape, threads_max: u64) -> io::Result<Group> {
        let folder = self.folder.join(format!("{PREFIX}{name}"));
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let group = Group(folder);
        for controller in &self.controllers {
            let (file, value) = match *controller {
                "cpu" => ("cpu.weight", u64::from(shape.vcpus).clamp(1, 100) * 100),
                "memory" => (
                    "memory.max",
                    (u64::from(shape.memory_mib) + OVERHEAD_MIB) << 20,
                ),
                _ => ("pids.max", threads_max),
            };
            fs::write(group.0.join(file), value.to_string())?;
        }
        Ok(group)
    }

    /// The group of a running VMM, if this agent created it.
    pub(crate) fn of(&self, pid: u32) -> Option<Group> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
        let name = Path::new(path).file_name()?;
        let folder = self.folder.join(name);
        (name.to_string_lossy().starts_with(PREFIX) && folder.is_dir()).then_some(Group(folder))
    }
}

/// One VMM's group.
#[derive(Debug)]
pub(crate) struct Group(PathBuf);

impl Group {
    /// Moves every process that writes `0` to it into the group.
    pub(crate) fn membership_file(&self) -> io::Result<File> {
        File::options()
            .write(true)
            .open(self.0.join("cgroup.procs"))
    }

    /// Removes the group of a VMM that has exited. The group of a running VMM stays.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Moves the calling process into a group. Runs in a child between fork and exec, so it must not allocate.
pub(crate) fn enter(mut membership_file: &File) -> io::Result<()> {
    membership_file.write_all(b"0")
}

/// The mount point of the whole hierarchy of cgroup version 2.
fn mount_point(mountinfo: &str) -> Option<PathBuf> {
    let mut lines = mountinfo.lines();
    lines.find_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (root == "/" && kind.starts_with("cgroup2 ")).then(|| PathBuf::from(point))
    })
}

/// The folder for groups beside `own`, the group of this process.
fn parent_for(mount: &Path, own: &str, is_delegated: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    if own.is_empty() {
        return Some(mount.to_owned());
    }
    let parent = mount.join(own).parent()?.to_owned();
    (parent != mount && is_delegated(&parent)).then_some(parent)
}

/// Whether systemd marked the group as delegated.
fn is_delegated(folder: &Path) -> bool {
    ["trusted.delegate", "user.delegate"].iter().any(|name| {
        let mut value = [0; 8];
        let length = rustix::fs::getxattr(folder, *name, &mut value);
        length.is_ok_and(|length| &value[..length] == b"1")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        vcpus: 2,
        memory_mib: 512,
    };

    #[test]
    fn groups_are_created_under_a_delegated_parent_or_the_root() {
        let mount = Path::new("/sys/fs/cgroup");
        let yes = |path: &Path| path.ends_with("locule.service");
        let cases = [
            ("", Some("/sys/fs/cgroup")),
            (
                "system.slice/locule.service/agent",
                Some("/sys/fs/cgroup/system.slice/locule.service"),
            ),
            ("system.slice/locule.service", None),
            ("user.slice", None),
        ];
        for (own, expected) in cases {
            assert_eq!(
                parent_for(mount, own, yes).as_deref(),
                expected.map(Path::new),
                "{own}"
            );
        }
    }

    #[test]
    fn only_a_mount_of_the_whole_version_2_hierarchy_is_used() {
        let first = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";
        let part = "40 31 0:38 /docker/1 /part rw - cgroup2 cgroup2 rw";
        let whole = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw";
        assert_eq!(mount_point(first), None);
        let found = mount_point(&[first, part, whole].join("\n"));
        assert_eq!(found.as_deref(), Some(Path::new("/sys/fs/cgroup/unified")));
    }

    #[test]
    fn limits_follow_the_shape_and_are_set_for_delegated_controllers_only() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Groups::open(folder.path().to_owned());
        fs::write(folder.path().join("cgroup.controllers"), "hugetlb io\n").unwrap();
        assert!(open().unwrap_err().contains("none of cpu"));
        fs::write(folder.path().join("cgroup.controllers"), "cpu memory\n").unwrap();
        let group = open().unwrap().make("a", SHAPE, 9).unwrap();
        let read = |name: &str| fs::read_to_string(group.0.join(name)).unwrap();
        assert_eq!(
            (&*read("memory.max"), &*read("cpu.weight")),
            ("2147483648", "200")
        );
        assert!(!group.0.join("pids.max").exists());
    }
}

#[cfg(test)]
mod needs_setup {
    use super::*;

    /// Uses the kernel's own hierarchy, mounted in a namespace of this thread.
    #[test]
    fn a_group_with_a_process_stays_and_an_empty_one_is_removed() {
        let mount = tempfile::tempdir().unwrap();
        // SAFETY: changes only which mounts the thread of this test sees.
        #[expect(unsafe_code, reason = "unshare")]
        let unshared = unsafe { libc::unshare(libc::CLONE_NEWNS) };
        assert_eq!(unshared, 0, "needs root");
        let private = rustix::mount::MountPropagationFlags::PRIVATE;
        let recursive = rustix::mount::MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private | recursive).unwrap();
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("cgroup2", mount.path(), "cgroup2", flags, None).unwrap();
        let groups = Groups {
            folder: mount.path().to_owned(),
            controllers: Vec::new(),
        };
        let shape = Shape {
            vcpus: 2,
            memory_mib: 512,
        };
        let name = format!("test-{}", std::process::id());
        let group = groups.make(&name, shape, 9).unwrap();
        let membership_file = group.membership_file().unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "the test moves its child into the group"
        )]
        let mut command = std::process::Command::new("cat");
        command.stdin(std::process::Stdio::piped());
        // SAFETY: one write to an open file.
        #[expect(unsafe_code, reason = "pre_exec")]
        unsafe {
            std::os::unix::process::CommandExt::pre_exec(&mut command, move || {
                enter(&membership_file)
            });
        }
        let mut child = command.spawn().unwrap();
        let found = groups.of(child.id()).unwrap();
        assert_eq!(found.0, group.0);
        assert!(groups.of(std::process::id()).is_none());
        found.remove();
        groups.sweep();
        assert!(group.0.exists(), "a group in use stays");
        child.kill().unwrap();
        child.wait().unwrap();
        group.remove();
        assert!(!group.0.exists());
    }
}
