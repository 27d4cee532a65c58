//! QEMU's command line. A snapshot loads only with the same devices, in the same order and at the same addresses.

use std::ffi::OsString;
use std::os::fd::{AsRawFd as _, RawFd};

use crate::accelerator::AcceleratorKind;
use crate::machine::{MemorySource, VmSpec, VmmIdentity};

pub(super) fn build(
    identity: &VmmIdentity,
    accelerator: AcceleratorKind,
    spec: &VmSpec,
    control: RawFd,
) -> Vec<OsString> {
    let mut args = [
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-display",
        "none",
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        // `xen-save-devices-state` writes no configuration section, so the load must not expect one.
        "-global",
        "migration.send-configuration=off",
    ]
    .map(str::to_owned)
    .to_vec();
    let options = board(identity, accelerator, spec)
        .into_iter()
        .chain(devices(spec, control))
        .chain(guest(spec));
    for (name, value) in options {
        args.extend([name.to_owned(), value]);
    }
    if spec.restore {
        args.extend(["-incoming", "defer", "-S"].map(str::to_owned));
    }
    args.into_iter().map(OsString::from).collect()
}

/// Machine, processor and memory.
fn board(
    identity: &VmmIdentity,
    accelerator: AcceleratorKind,
    spec: &VmSpec,
) -> [(&'static str, String); 7] {
    let (image, share) = match &spec.memory {
        MemorySource::Boot(file) => (file.as_raw_fd(), "on"),
        MemorySource::Private(file) => (file.as_raw_fd(), "off"),
        MemorySource::Sealed(memfd) => (memfd.as_raw_fd(), "off"),
    };
    let memory = spec.shape.memory_mib;
    let board = format!(
        "{},memory-backend=m0,usb=off,vmport=off,smbus=off,sata=off,suppress-vmdesc=on,mem-merge=off,dump-guest-core=off",
        spec.machine.as_ref().unwrap_or(&identity.machine)
    );
    // Reopened through the descriptor, because the file's folder is not in the jail.
    let backend = format!(
        "memory-backend-file,id=m0,size={memory}M,mem-path=/proc/self/fd/{image},share={share}"
    );
    [
        ("-name", spec.name.clone()),
        ("-M", board),
        ("-accel", accelerator.to_string()),
        ("-cpu", identity.cpu.clone()),
        ("-smp", spec.shape.vcpus.to_string()),
        ("-m", memory.to_string()),
        ("-object", backend),
    ]
}

/// Disk, network card, console and the control channel.
fn devices(spec: &VmSpec, control: RawFd) -> Vec<(&'static str, String)> {
    let (disk, tap, console) = (
        spec.disk.as_raw_fd(),
        spec.tap.as_raw_fd(),
        spec.console.as_raw_fd(),
    );
    let file =
        "driver=file,node-name=f0,filename=/dev/fdset/1,cache.direct=off,locking=off,discard=unmap";
    let card = format!(
        "virtio-net-pci,netdev=n0,addr=5,mac={},disable-legacy=on,romfile=",
        spec.mac
    );
    let socket = format!("socket,id=q0,fd={control},server=on,wait=off");
    vec![
        ("-add-fd", format!("fd={disk},set=1")),
        ("-add-fd", format!("fd={console},set=2")),
        ("-blockdev", file.to_owned()),
        (
            "-blockdev",
            "driver=raw,node-name=d0,file=f0,discard=unmap".to_owned(),
        ),
        (
            "-device",
            // A full pool stops the guest before the write completes. `cont` retries the write, so no data is lost.
            "virtio-blk-pci,drive=d0,addr=4,disable-legacy=on,werror=enospc".to_owned(),
        ),
        ("-netdev", format!("tap,id=n0,fd={tap}")),
        ("-device", card),
        (
            "-chardev",
            "file,id=c0,path=/dev/fdset/2,append=on".to_owned(),
        ),
        ("-serial", "chardev:c0".to_owned()),
        ("-chardev", socket),
        ("-mon", "chardev=q0,mode=control".to_owned()),
    ]
}

/// Kernel, initramfs and command line of the guest.
fn guest(spec: &VmSpec) -> [(&'static str, String); 3] {
    let (kernel, initramfs) = (spec.kernel.as_raw_fd(), spec.initramfs.as_raw_fd());
    [
        ("-kernel", format!("/proc/self/fd/{kernel}")),
        ("-initrd", format!("/proc/self/fd/{initramfs}")),
        ("-append", spec.cmdline.clone()),
    ]
}
