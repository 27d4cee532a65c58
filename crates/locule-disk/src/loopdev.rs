//! The loop device of the pool, which makes a file usable as a block device.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

const CONTROL: &str = "/dev/loop-control";
const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4c82;
const LOOP_CONFIGURE: libc::c_ulong = 0x4c0a;
const LOOP_CLR_FD: libc::c_ulong = 0x4c01;
const LO_FLAGS_DIRECT_IO: u32 = 16;

/// The kernel's `struct loop_config`. The fields of its `loop_info64` that this module sets have names.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info_head: [u64; 5],
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    info_tail: [u64; 22],
    reserved: [u64; 8],
}

/// The loop device that `file` is attached to, if any.
pub(crate) fn find(file: &Path) -> Option<PathBuf> {
    let file = fs::canonicalize(file).ok()?;
    let devices = fs::read_dir("/sys/block").ok()?.flatten();
    let names = devices.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.starts_with("loop"))
        .find_map(|name| {
            let backing =
                fs::read_to_string(format!("/sys/block/{name}/loop/backing_file")).ok()?;
            (Path::new(backing.trim_end()) == file).then(|| PathBuf::from(format!("/dev/{name}")))
        })
}

/// Attaches `file` to a free loop device with direct I/O.
pub(crate) fn attach(file: &Path) -> io::Result<PathBuf> {
    let backing = File::options().read(true).write(true).open(file)?;
    // Another program may take the free device between the two calls; then the next free device is tried.
    for _ in 0..16 {
        let (device, path) = free_device()?;
        match configure(&device, &backing, LO_FLAGS_DIRECT_IO) {
            // A filesystem without direct I/O for loop devices works with buffered I/O.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                configure(&device, &backing, 0)?;
            }
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => continue,
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        return Ok(path);
    }
    Err(io::Error::other(
        "other programs took every free loop device",
    ))
}

/// Detaches a device. A detached device is no error: the kernel completes an earlier request once the device is unused.
pub(crate) fn detach(device: &Path) -> io::Result<()> {
    let device = File::options().read(true).write(true).open(device)?;
    // SAFETY: takes no argument.
    #[expect(unsafe_code, reason = "ioctl")]
    let result = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CLR_FD) };
    match io::Error::last_os_error() {
        error if result < 0 && error.raw_os_error() != Some(libc::ENXIO) => Err(error),
        _ => Ok(()),
    }
}

/// Opens the device that hands out loop devices. The kernel module `loop` makes it.
fn open_control(path: &Path) -> io::Result<File> {
    let opened = File::options().read(true).write(true).open(path);
    opened.map_err(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            return error;
        }
        let message = format!(
            "{} does not exist; run `modprobe loop`, which loads the kernel module for loop devices",
            path.display()
        );
        io::Error::new(error.kind(), message)
    })
}

fn free_device() -> io::Result<(File, PathBuf)> {
    let control = open_control(CONTROL.as_ref())?;
    // SAFETY: takes no argument and returns a number.
    #[expect(unsafe_code, reason = "ioctl")]
    let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    let path = PathBuf::from(format!("/dev/loop{number}"));
    if !path.exists() {
        // Without udev a new loop device has no device node.
        let device = rustix::fs::makedev(7, number.unsigned_abs());
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::BlockDevice,
            0o600.into(),
            device,
        )?;
    }
    Ok((File::options().read(true).write(true).open(&path)?, path))
}

fn configure(device: &File, backing: &File, flags: u32) -> io::Result<()> {
    let fd = u32::try_from(backing.as_raw_fd()).map_err(io::Error::other)?;
    let config = LoopConfig {
        fd,
        block_size: 4096,
        info_head: [0; 5],
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags,
        info_tail: [0; 22],
        reserved: [0; 8],
    };
    // SAFETY: `config` has the layout of the kernel's loop_config and outlives the call.
    #[expect(unsafe_code, reason = "ioctl")]
    let result = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_configuration_has_the_size_of_the_kernels_structure() {
        // fd, block size, struct loop_info64 (232 bytes), eight reserved words.
        assert_eq!(size_of::<LoopConfig>(), 8 + 232 + 64);
    }

    #[test]
    fn without_the_kernel_module_the_error_names_the_command_that_loads_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = open_control(&folder.path().join("loop-control")).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("loop-control does not exist; run `modprobe loop`"),
            "{message}"
        );
    }
}
