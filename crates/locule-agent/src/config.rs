//! What an operator decides about a host.

use std::path::PathBuf;

use locule_net::NetOptions;
use locule_vmm::{AcceleratorSetting, Shape};

use crate::admission::memory_mib;

/// What becomes of running sandboxes when the agent is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStop {
    /// Each is paused, with its memory, and reported.
    #[default]
    Pause,
    /// They run on and are adopted by the next agent.
    Keep,
}

/// Sizes beyond which a sandbox, or all together, are refused.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub vcpus_max: u32,
    pub memory_mib_max: u32,
    /// Memory promised to running sandboxes, as a multiple of what they may use together: they rarely use all of it.
    pub memory_overcommit: f64,
    /// What one sandbox may send, and receive, over the network in Mbit/s.
    pub bandwidth_mbit: u32,
    /// What all VMs together may really use, in mebibytes. Above it the longest idle sandbox is paused.
    pub memory_limit_mib: u64,
    /// A paused sandbox's memory image in more pieces than this is written anew.
    pub image_extents_max: u32,
}

impl Limits {
    /// Whether so much may be promised.
    pub(crate) fn fits(&self, promised_mib: u64) -> bool {
        #[expect(
            clippy::cast_precision_loss,
            reason = "mebibytes of memory are far below 2^52"
        )]
        let fits = promised_mib as f64 <= self.memory_limit_mib as f64 * self.memory_overcommit;
        fits
    }
}

/// The rest is the host's own: its programs, and the page cache that images live in.
const LIMIT_PERCENT: u64 = 80;

impl Default for Limits {
    fn default() -> Self {
        Self {
            vcpus_max: 8,
            memory_mib_max: 8192,
            memory_overcommit: 2.0,
            bandwidth_mbit: 1000,
            memory_limit_mib: memory_mib() * LIMIT_PERCENT / 100,
            image_extents_max: 8192,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Config {
    /// Everything the host keeps; private to the agent.
    pub data_dir: PathBuf,
    /// Sockets of this instance; short, because a socket's path may have 107 bytes.
    pub run_dir: PathBuf,
    /// Eight hex digits, made once per data directory; part of every machine-wide name.
    pub instance: String,
    /// The guest image bundle.
    pub images: PathBuf,
    pub accelerator: AcceleratorSetting,
    /// Another program than the installed QEMU.
    pub qemu: Option<PathBuf>,
    /// Size of the pool file where one is needed.
    pub pool_bytes: Option<u64>,
    pub on_stop: OnStop,
    /// Besides root, the user that may speak to the agent's socket, with its group.
    pub peer: Option<(u32, u32)>,
    pub limits: Limits,
    /// Machines of one kind that may wait to become sandboxes; 0 for none.
    pub warm_max: usize,
    /// Made ready before the agent says that it is.
    pub default_shape: Shape,
}

impl Config {
    pub fn socket(&self) -> PathBuf {
        self.run_dir.join("agent.sock")
    }

    pub(crate) fn net_options(&self) -> NetOptions {
        NetOptions {
            bandwidth_mbit: self.limits.bandwidth_mbit,
            ..NetOptions::default()
        }
    }

    pub(crate) fn control_dir(&self) -> PathBuf {
        self.run_dir.join("vmm")
    }
}
