//! A control group per VMM, where the agent was given a place to make some: version 2 only.
//!
//! The place is beside the agent's own group, under a group that was delegated to it (systemd: `Delegate=yes` with
//! `DelegateSubgroup=`), or the root of the hierarchy. A group that holds processes cannot have limited children, so a
//! service without a subgroup has no such place; it is said once, and VMMs run without.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::machine::Shape;

const WANTED: [&str; 3] = ["cpu", "memory", "pids"];
/// What a VMM may use beside its guest's memory: its own, and one GiB of translated code at most.
const OVERHEAD_MIB: u64 = 1536;
const PREFIX: &str = "vmm-";

/// Where groups are made.
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    folder: PathBuf,
    controllers: Vec<&'static str>,
}

impl Groups {
    /// Looks for the place. The error says in words why there is none.
    pub(crate) fn find() -> Result<Self, String> {
        let read = |path| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        let mounts = read("/proc/self/mountinfo")?;
        let mount = mount_point(&mounts).ok_or("cgroup version 2 is not mounted")?;
        let own = read("/proc/self/cgroup")?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
        let own = own.ok_or("this process is in no group of version 2")?;
        let folder = place(&mount, own, is_delegated)
            .ok_or("the agent's group has no delegated parent (systemd: DelegateSubgroup=)")?;
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
        let controllers: Vec<_> = WANTED.into_iter().filter(usable).collect();
        if controllers.is_empty() {
            let folder = folder.display();
            return Err(format!("{folder} hands on none of cpu, memory and pids"));
        }
        Ok(Self {
            folder,
            controllers,
        })
    }

    /// Groups whose VMM ended while no agent looked. One with processes stays: the kernel refuses to remove it.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }

    /// A group for the VMM `name`, with limits that fit its shape.
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

    /// The group that a running VMM is in, when it is one of these.
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
    /// Whoever writes `0` to it is in the group.
    pub(crate) fn entrance(&self) -> io::Result<File> {
        File::options()
            .write(true)
            .open(self.0.join("cgroup.procs"))
    }

    /// For when its VMM has ended; a VMM that has not keeps it.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Runs in a child between fork and exec: no allocation.
pub(crate) fn enter(mut entrance: &File) -> io::Result<()> {
    entrance.write_all(b"0")
}

/// Where version 2 is mounted whole.
fn mount_point(mountinfo: &str) -> Option<PathBuf> {
    let mut lines = mountinfo.lines();
    lines.find_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (root == "/" && kind.starts_with("cgroup2 ")).then(|| PathBuf::from(point))
    })
}

fn place(mount: &Path, own: &str, is_delegated: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    if own.is_empty() {
        return Some(mount.to_owned());
    }
    let parent = mount.join(own).parent()?.to_owned();
    (parent != mount && is_delegated(&parent)).then_some(parent)
}

/// How systemd marks a group that it leaves alone.
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
    fn a_place_is_a_delegated_parent_or_the_root() {
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
                place(mount, own, yes).as_deref(),
                expected.map(Path::new),
                "{own}"
            );
        }
    }

    #[test]
    fn only_a_whole_mount_of_version_2_counts() {
        let first = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";
        let part = "40 31 0:38 /docker/1 /part rw - cgroup2 cgroup2 rw";
        let whole = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw";
        assert_eq!(mount_point(first), None);
        let found = mount_point(&[first, part, whole].join("\n"));
        assert_eq!(found.as_deref(), Some(Path::new("/sys/fs/cgroup/unified")));
    }

    #[test]
    fn limits_follow_the_shape_and_only_what_is_handed_on_is_set() {
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

    /// Version 2 as the kernel has it, mounted where only this thread sees it: as root.
    #[test]
    fn a_group_holds_its_process_and_goes_after_it() {
        let mount = tempfile::tempdir().unwrap();
        // SAFETY: changes which mounts this test's own thread sees, and nothing else.
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
        let name = format!("test-{}", std::process::id());
        let group = groups.make(&name, SHAPE, 9).unwrap();
        let entrance = group.entrance().unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "the child of this test is what is moved"
        )]
        let mut command = std::process::Command::new("cat");
        command.stdin(std::process::Stdio::piped());
        // SAFETY: one write to an open file.
        #[expect(unsafe_code, reason = "pre_exec")]
        unsafe {
            std::os::unix::process::CommandExt::pre_exec(&mut command, move || enter(&entrance));
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
