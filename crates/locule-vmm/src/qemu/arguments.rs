//! QEMU's command line. The device list, its order and its addresses are part of what a snapshot can be loaded by.

use std::ffi::OsString;
use std::os::fd::{AsRawFd as _, RawFd};

use crate::accelerator::Accelerator;
use crate::machine::{Identity, MemorySource, VmSpec};

pub(super) fn build(
    identity: &Identity,
    accelerator: Accelerator,
    spec: &VmSpec,
    control: RawFd,
) -> Vec<OsString> {
    let (disk, tap, console) = (
        spec.disk.as_raw_fd(),
        spec.tap.as_raw_fd(),
        spec.console.as_raw_fd(),
    );
    let (kernel, initramfs) = (spec.kernel.as_raw_fd(), spec.initramfs.as_raw_fd());
    let (image, share) = match &spec.memory {
        MemorySource::Boot(file) => (file.as_raw_fd(), "on"),
        MemorySource::Private(file) => (file.as_raw_fd(), "off"),
        MemorySource::Sealed(memfd) => (memfd.as_raw_fd(), "off"),
    };
    let memory = spec.shape.memory_mib;
    let mut args: Vec<String> = Vec::new();
    let mut option = |name: &str, value: String| args.extend([name.to_owned(), value]);
    option("-name", spec.name.clone());
    option(
        "-M",
        format!(
            "{},memory-backend=m0,usb=off,vmport=off,smbus=off,sata=off,suppress-vmdesc=on,mem-merge=off,dump-guest-core=off",
            identity.machine
        ),
    );
    option("-accel", accelerator.to_string());
    option("-cpu", identity.cpu.clone());
    option("-smp", spec.shape.vcpus.to_string());
    option("-m", memory.to_string());
    option("-display", "none".to_owned());
    option("-global", "migration.send-configuration=off".to_owned());
    // Reopened through the descriptor: works whatever folder the file is in.
    option(
        "-object",
        format!(
            "memory-backend-file,id=m0,size={memory}M,mem-path=/proc/self/fd/{image},share={share}"
        ),
    );
    option("-add-fd", format!("fd={disk},set=1"));
    option("-add-fd", format!("fd={console},set=2"));
    option(
        "-blockdev",
        "driver=file,node-name=f0,filename=/dev/fdset/1,cache.direct=off,locking=off,discard=unmap"
            .to_owned(),
    );
    option(
        "-blockdev",
        "driver=raw,node-name=d0,file=f0,discard=unmap".to_owned(),
    );
    option(
        "-device",
        "virtio-blk-pci,drive=d0,addr=4,disable-legacy=on".to_owned(),
    );
    option("-netdev", format!("tap,id=n0,fd={tap}"));
    option(
        "-device",
        format!(
            "virtio-net-pci,netdev=n0,addr=5,mac={},disable-legacy=on,romfile=",
            spec.mac
        ),
    );
    option("-chardev", "file,id=c0,path=/dev/fdset/2".to_owned());
    option("-serial", "chardev:c0".to_owned());
    option(
        "-chardev",
        format!("socket,id=q0,fd={control},server=on,wait=off"),
    );
    option("-mon", "chardev=q0,mode=control".to_owned());
    option("-kernel", format!("/proc/self/fd/{kernel}"));
    option("-initrd", format!("/proc/self/fd/{initramfs}"));
    option("-append", spec.cmdline.clone());
    option(
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny".to_owned(),
    );
    args.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(str::to_owned));
    if spec.restore {
        args.extend(["-incoming", "defer", "-S"].map(str::to_owned));
    }
    args.into_iter().map(OsString::from).collect()
}
