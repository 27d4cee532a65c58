//! What other users of the host can reach of a running platform: no secret, no socket, no port but that of the API.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use locule_e2e::host;

use crate::platform::{Platform, stub_vmm};

/// The bits of a mode that are for users who are neither the owner nor in the group.
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_ENTER: u32 = 0o001;

/// An entry below a folder, and whether other users come as far as its parent.
struct Found {
    path: PathBuf,
    meta: fs::Metadata,
    open_way: bool,
}

fn below(folder: &Path, open_way: bool, found: &mut Vec<Found>) {
    // Files come and go while the platform runs.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        if meta.is_dir() {
            let enters = meta.permissions().mode() & OTHERS_ENTER != 0;
            below(&path, open_way && enters, found);
        }
        found.push(Found {
            path,
            meta,
            open_way,
        });
    }
}

/// The ports of TCP on which a process and its descendants listen.
fn ports(pid: u32) -> Vec<u16> {
    let own: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?;
            Some(inode.strip_suffix(']')?.to_owned())
        })
        .collect();
    let tables = ["tcp", "tcp6"].map(|name| fs::read_to_string(format!("/proc/net/{name}")));
    let mut ports: Vec<u16> = tables
        .iter()
        .flatten()
        .flat_map(|table| table.lines())
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            // State 0A: it listens.
            let listens = *fields.get(3)? == "0A" && own.iter().any(|inode| inode == fields[9]);
            let port = fields[1].rsplit_once(':')?.1;
            listens
                .then(|| u16::from_str_radix(port, 16).ok())
                .flatten()
        })
        .collect();
    ports.extend(host::children(pid).into_iter().flat_map(self::ports));
    ports
}

#[test]
fn other_users_of_the_host_reach_no_secret_and_no_socket_of_a_platform() {
    let platform = Platform::start_with(&["--qemu", &stub_vmm()]);
    platform.create();
    let (credentials, data) = (platform.credentials(), PathBuf::from(platform.data_dir()));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut secrets = vec![
        text(&credentials["password"]),
        text(&credentials["api_key"]),
        text(&platform.login()["token"]),
    ];
    for entry in fs::read_dir(data.join("secrets")).unwrap().flatten() {
        secrets.push(fs::read_to_string(entry.path()).unwrap().trim().to_owned());
    }
    assert!(secrets.len() >= 5 && secrets.iter().all(|secret| secret.len() >= 8));
    let mut found = Vec::new();
    below(&data, true, &mut found);
    let mut holders = 0;
    for Found {
        path,
        meta,
        open_way,
    } in found
        .iter()
        .filter(|found| found.meta.is_file() && found.meta.len() < 1 << 20)
    {
        let content = fs::read(path).unwrap_or_default();
        let content = String::from_utf8_lossy(&content);
        let holds = secrets
            .iter()
            .any(|secret| content.contains(secret.as_str()));
        holders += u32::from(holds);
        let readable = *open_way && meta.permissions().mode() & OTHERS_READ != 0;
        assert!(!(holds && readable), "other users read {}", path.display());
        let is_log = path.starts_with(data.join("logs"));
        assert!(!(holds && is_log), "a secret is in {}", path.display());
    }
    assert!(
        holders >= 3,
        "credentials and secrets are kept in files: {holders}"
    );
    let mut found = Vec::new();
    below(&platform.run_dir(), true, &mut found);
    let sockets: Vec<_> = found
        .iter()
        .filter(|found| found.meta.file_type().is_socket())
        .collect();
    assert!(sockets.len() >= 2, "of the database and of the agent");
    for socket in sockets {
        let open = socket.open_way && socket.meta.permissions().mode() & OTHERS_WRITE != 0;
        assert!(!open, "other users connect to {}", socket.path.display());
    }
    assert_eq!(ports(platform.pid()), [platform.port()], "all ports");
    platform.stop();
}
