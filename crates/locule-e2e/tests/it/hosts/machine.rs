//! Machines beside this one: each has a network, mounts and a host agent of its own, and reaches this machine through a bridge.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests run the programs as users run them"
)]

use std::fmt;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use locule_e2e::host;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::platform::{until, variable};

/// A network that RFC 5737 keeps for examples: no real machine has such an address.
const NETWORK: [u8; 3] = [198, 51, 100];
const AGENT_PORT: u16 = 50_051;
/// The name of a bridge begins so, and ends with the id of the process of its test.
const BRIDGES: &str = "locule-";
/// The network card of a machine.
const CARD: &str = "card";

/// The bridge to which the machines are connected, with an address of this machine.
pub(crate) struct Bridge {
    name: String,
}

const fn address(number: u8) -> Ipv4Addr {
    let [first, second, third] = NETWORK;
    Ipv4Addr::new(first, second, third, number)
}

fn run(program: &str, arguments: &str) {
    let ran = Command::new(program)
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{program} {arguments}: {said}");
}

impl Bridge {
    /// The address of this machine for the others.
    pub(crate) const ADDRESS: Ipv4Addr = address(1);

    pub(crate) fn new() -> Self {
        Self::remove_abandoned();
        let name = format!("{BRIDGES}{}", std::process::id());
        run("ip", &format!("link add {name} type bridge"));
        run("ip", &format!("addr add {}/24 dev {name}", Self::ADDRESS));
        run("ip", &format!("link set {name} up"));
        Self { name }
    }

    /// Removes the bridges of tests that were killed: they have the network of the others.
    fn remove_abandoned() {
        for link in fs::read_dir("/sys/class/net").unwrap() {
            let name = link.unwrap().file_name().into_string().unwrap();
            let process = name.strip_prefix(BRIDGES);
            let process = process.and_then(|process| process.parse::<u32>().ok());
            let is_abandoned = |process| !Path::new("/proc").join(format!("{process}")).exists();
            if process.is_some_and(is_abandoned) {
                run("ip", &format!("link delete {name}"));
            }
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["link", "delete", &self.name])
            .output();
    }
}

/// The guest images in a folder that every user may read, as those of an installed program are.
pub(crate) struct Images(tempfile::TempDir);

impl Images {
    pub(crate) fn installed() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for file in fs::read_dir(variable("LOCULE_IMAGES")).unwrap() {
            let from = file.unwrap().path();
            let to = folder.path().join(from.file_name().unwrap());
            if fs::hard_link(&from, &to).is_err() {
                let (from, to) = (from.display(), to.display());
                run("cp", &format!("--sparse=always {from} {to}"));
            }
        }
        Self(folder)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }
}

/// Where the agent of a machine has its images from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImagesOf {
    /// From the control plane: the machine has the program only.
    ControlPlane,
    /// From a folder of the machine.
    Machine,
}

pub(crate) struct Machine {
    folder: tempfile::TempDir,
    address: Ipv4Addr,
    instance: String,
    /// Keeps the namespaces of the machine. They end with this process and those of the agent.
    holder: Child,
    agent: Option<Child>,
    /// The id of the host.
    pub(crate) id: String,
    images: ImagesOf,
    server: String,
}

impl Machine {
    /// Starts a machine and its agent, with the answer to the request that created the host. The agent is not online yet.
    pub(crate) fn start(bridge: &Bridge, number: u8, created: &Value, images: ImagesOf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // What is mounted here is seen by the processes of this machine only. Cgroups and devices are those of the real machine.
        let script = format!(
            "mkdir {0} && mount --rbind /sys/fs/cgroup {0} && mount -t sysfs sysfs /sys && mount --rbind {0} /sys/fs/cgroup \
             && echo ready && exec sleep infinity",
            folder.path().join("cgroup").display()
        );
        let mut holder = Command::new("unshare")
            .args(["--net", "--mount", "--propagation", "slave", "--"])
            .args(["sh", "-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        let mut lines = std::io::BufReader::new(holder.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut lines, &mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        let text = |name: &str| created[name].as_str().unwrap().to_owned();
        let mut machine = Self {
            folder,
            address: address(number),
            instance: format!("{:08x}", rand::random::<u32>()),
            holder,
            agent: None,
            id: created["host"]["id"].as_str().unwrap().to_owned(),
            images,
            server: text("hosts_url"),
        };
        machine.connect(bridge, number);
        let (token, hash) = (text("registration_token"), text("ca_hash"));
        machine.start_agent_with(&["--register", &token, "--ca-hash", &hash]);
        machine
    }

    fn connect(&self, bridge: &Bridge, number: u8) {
        let (outer, pid) = (format!("{}m{number}", bridge.name), self.holder.id());
        run(
            "ip",
            &format!("link add {outer} type veth peer name {CARD} netns {pid}"),
        );
        run("ip", &format!("link set {outer} master {} up", bridge.name));
        self.run("ip link set lo up");
        self.run(&format!("ip addr add {}/24 dev {CARD}", self.address));
        self.run(&format!("ip link set {CARD} up"));
        self.run(&format!("ip route add default via {}", Bridge::ADDRESS));
    }

    /// A program that runs on the machine.
    fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--net", "--mount", "--target"])
            .arg(self.holder.id().to_string())
            .arg("--");
        command
    }

    fn run(&self, line: &str) {
        let ran = self
            .command()
            .args(line.split_whitespace())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{line}: {said}");
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("agent.log")
    }

    fn start_agent_with(&mut self, more: &[&str]) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let mut command = self.command();
        command
            .arg(variable("LOCULE_BINARY"))
            .args(["agent", "--server", &self.server])
            .args(["--address", &format!("{}:{AGENT_PORT}", self.address)])
            .arg("--data-dir")
            .arg(self.folder.path().join("agent"))
            .args(["--instance", &self.instance])
            .env_remove("LOCULE_IMAGES");
        if self.images == ImagesOf::Machine {
            command.arg("--images").arg(variable("LOCULE_IMAGES"));
        }
        command
            .args(["--accel", "tcg", "--pool-size", "2048", "--warm", "0"])
            .args(more);
        // `nsenter` becomes the program: the child is the agent itself.
        let agent = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.agent = Some(agent);
    }

    /// Starts the agent again, with the credentials that it has.
    pub(crate) fn start_agent(&mut self) {
        self.start_agent_with(&[]);
    }

    pub(crate) fn kill_agent(&mut self) {
        let mut agent = self.agent.take().unwrap();
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    /// Waits until the agent has ended by itself.
    pub(crate) fn agent_ends(&mut self) -> ExitStatus {
        let mut agent = self.agent.take().unwrap();
        agent.wait().unwrap()
    }

    /// The processes of the virtual machines.
    pub(crate) fn vmms(&self) -> Vec<u32> {
        host::vmms(&self.instance).into_values().collect()
    }

    /// Kills the agent and every virtual machine at once, as when the machine loses its power.
    pub(crate) fn lose_power(&mut self) {
        let vmms = self.vmms();
        self.kill_agent();
        for vmm in vmms {
            kill(Pid::from_raw(vmm.try_into().unwrap()), Signal::SIGKILL).unwrap();
        }
        until("the virtual machines are gone", || self.vmms().is_empty());
    }

    /// Drops every packet from and to the machine.
    pub(crate) fn part(&self) {
        self.run("nft add table inet parted");
        for (chain, hook, side) in [("in", "input", "iifname"), ("out", "output", "oifname")] {
            self.run(&format!(
                "nft add chain inet parted {chain} {{ type filter hook {hook} priority -300 ; }}"
            ));
            self.run(&format!(
                "nft add rule inet parted {chain} {side} {CARD} drop"
            ));
        }
    }

    pub(crate) fn heal(&self) {
        self.run("nft delete table inet parted");
    }

    /// The files that the agent has fetched.
    pub(crate) fn fetched(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path().join("agent/images"));
        let files = files.into_iter().flatten();
        files.map(|file| file.unwrap().path()).collect()
    }

    /// The folder of the sandboxes' files, as this process reaches it.
    pub(crate) fn pool(&self) -> PathBuf {
        let root = Path::new("/proc")
            .join(self.holder.id().to_string())
            .join("root");
        let pool = self.folder.path().join("agent/pool");
        root.join(pool.strip_prefix("/").unwrap())
    }
}

/// What the agent of the machine has logged.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&fs::read_to_string(self.log()).unwrap_or_default())
    }
}

impl Drop for Machine {
    /// Nothing of the machine stays on the real one: the namespaces end with their last process, and the mounts with them.
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.take()
            && let Ok(pid) = i32::try_from(agent.id())
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            let _ = agent.wait();
        }
        for vmm in self.vmms() {
            let _ = kill(Pid::from_raw(vmm.cast_signed()), Signal::SIGKILL);
        }
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        let _ = fs::remove_dir_all(format!("/run/locule-{}", self.instance));
    }
}
