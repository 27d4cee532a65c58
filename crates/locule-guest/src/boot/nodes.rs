//! Device nodes of modules that are not loaded yet: a program that opens such a node makes the kernel load the module.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::console;

/// A line of `modules.devname`: `fuse fuse c10:229`.
#[derive(Debug, PartialEq, Eq)]
struct Node<'a> {
    path: &'a str,
    kind: SFlag,
    major: u64,
    minor: u64,
}

fn node(line: &str) -> Option<Node<'_>> {
    let mut words = line.split_whitespace();
    let (_module, path, device) = (words.next()?, words.next()?, words.next()?);
    let kind = match device.chars().next()? {
        'c' => SFlag::S_IFCHR,
        'b' => SFlag::S_IFBLK,
        _ => return None,
    };
    let (major, minor) = device.get(1..)?.split_once(':')?;
    let is_inside = !path.starts_with('/') && path.split('/').all(|part| part != "..");
    is_inside.then_some(Node {
        path,
        kind,
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    })
}

/// Every user may use FUSE and tunnels, as on a desktop: the kernel checks the rights of what follows.
fn mode(path: &str) -> u32 {
    match path {
        "fuse" | "net/tun" => 0o666,
        _ => 0o660,
    }
}

/// Best effort: a template without modules of this kernel boots too.
pub(super) fn create() {
    let Ok(system) = nix::sys::utsname::uname() else {
        return;
    };
    let modules = Path::new("/lib/modules").join(system.release());
    let Ok(names) = fs::read_to_string(modules.join("modules.devname")) else {
        return;
    };
    for node in names.lines().filter_map(node) {
        let path = Path::new("/dev").join(node.path);
        if let Some(folder) = path.parent() {
            let _ = fs::create_dir_all(folder);
        }
        let device = makedev(node.major, node.minor);
        let created = mknod(&path, node.kind, Mode::empty(), device);
        let permissions = fs::Permissions::from_mode(mode(node.path));
        let created = created
            .map_err(Into::into)
            .and_then(|()| fs::set_permissions(&path, permissions));
        match created {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => console::log(&format!("cannot create {}: {error}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_device_inside_of_dev() {
        let fuse = Node {
            path: "fuse",
            kind: SFlag::S_IFCHR,
            major: 10,
            minor: 229,
        };
        assert_eq!(node("fuse fuse c10:229"), Some(fuse));
        assert_eq!(node("tun net/tun c10:200").unwrap().path, "net/tun");
        assert_eq!(node("md md b9:0").unwrap().kind, SFlag::S_IFBLK);
        for line in [
            "# Device nodes to trigger on-demand module loading.",
            "a ../../etc/a c1:1",
            "a /etc/a c1:1",
            "a b x1:1",
            "a b c1",
            "a b c:1",
            "",
        ] {
            assert_eq!(node(line), None, "{line}");
        }
    }
}
