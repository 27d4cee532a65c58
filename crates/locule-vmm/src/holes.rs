//! Keeps a guest's writes out of memory that many VMMs map.
//!
//! A template snapshot's memory is a memfd with holes: pages that the guest of the template never used. A page of a hole that a
//! VMM touches through its private mapping becomes a page of the memfd, in addition to the VMM's own copy, and stays there until
//! the memfd ends. No seal prevents that. Therefore the large holes of the mapping are covered with anonymous memory before the
//! guest runs: what the guest writes there is the VMM's alone, once, and ends with the VMM.
//!
//! The VMM maps its memory itself, so the agent has the VMM make the calls, as a debugger does: it stops the main thread, lets
//! it execute one `mmap` for each hole, and lets it go on where it was. At this moment the VMM has run no instruction of a guest.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::ptr::null_mut;

use rustix::fs::{SeekFrom, seek};

use crate::capture::{MemoryFile, guest_memory};

/// Smaller holes stay: each covered hole is a mapping of its own. Together they are a small part of the memory.
const HOLE_BYTES_MIN: u64 = 512 * 1024;
/// The instruction `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// Covers the large holes of `file`, which the process `pid` maps as `memory`. Returns the bytes that are covered. Blocks.
pub(crate) fn cover(pid: u32, memory: MemoryFile, file: &OwnedFd) -> io::Result<u64> {
    let holes = holes(file, memory.bytes)?;
    let addresses = guest_memory(pid, memory).map_err(io::Error::other)?;
    let instruction = find_instruction(pid)?;
    let tracee = Tracee::stop(pid, instruction)?;
    let covered = tracee.cover(addresses.start, &holes);
    tracee.go_on()?;
    covered?;
    Ok(holes.iter().map(|hole| hole.end - hole.start).sum())
}

/// The large holes of a memory file.
fn holes(file: &OwnedFd, bytes: u64) -> io::Result<Vec<Range<u64>>> {
    let mut holes = Vec::new();
    let mut at = 0;
    while at < bytes {
        let start = seek(file, SeekFrom::Hole(at))?;
        let end = match seek(file, SeekFrom::Data(start)) {
            Ok(data) => data,
            // The rest of the file is a hole.
            Err(rustix::io::Errno::NXIO) => bytes,
            Err(error) => return Err(error.into()),
        };
        if end - start >= HOLE_BYTES_MIN {
            holes.push(start..end);
        }
        at = end;
    }
    // A mapping without a page of the file could not be found any more.
    if holes.first().is_some_and(|hole| *hole == (0..bytes)) {
        holes.clear();
    }
    Ok(holes)
}

/// The address of a `syscall` instruction: the kernel maps one into every process.
fn find_instruction(pid: u32) -> io::Result<u64> {
    let absent = || io::Error::other("the process has no system call instruction");
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let line = maps.lines().find(|line| line.ends_with("[vdso]"));
    let (start, rest) = line
        .and_then(|line| line.split_once('-'))
        .ok_or_else(absent)?;
    let end = rest.split(' ').next().ok_or_else(absent)?;
    let address = |text| u64::from_str_radix(text, 16).map_err(io::Error::other);
    let (start, end) = (address(start)?, address(end)?);
    let mut code = vec![0; usize::try_from(end - start).map_err(io::Error::other)?];
    File::open(format!("/proc/{pid}/mem"))?.read_exact_at(&mut code, start)?;
    let at = code.windows(2).position(|bytes| bytes == SYSCALL);
    Ok(start + at.ok_or_else(absent)? as u64)
}

/// The main thread of a process, stopped. Only the thread that stopped it may use the value. Dropped, the thread goes on.
struct Tracee {
    pid: libc::pid_t,
    instruction: u64,
    /// To go on with.
    registers: libc::user_regs_struct,
    is_stopped: bool,
}

impl Tracee {
    fn stop(pid: u32, instruction: u64) -> io::Result<Self> {
        let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
        request(libc::PTRACE_SEIZE, pid, null_mut())?;
        let mut tracee = Self {
            pid,
            instruction,
            registers: no_registers(),
            is_stopped: true,
        };
        request(libc::PTRACE_INTERRUPT, pid, null_mut())?;
        tracee.wait()?;
        tracee.registers = tracee.read()?;
        tracee.repeat_interrupted_call();
        Ok(tracee)
    }

    /// A call that the stop interrupted is made again.
    fn repeat_interrupted_call(&mut self) {
        const RESTART: [i64; 3] = [512, 513, 514];
        const RESTART_BLOCK: i64 = 516;
        let registers = &mut self.registers;
        if registers.orig_rax.cast_signed() < 0 {
            return;
        }
        let error = -registers.rax.cast_signed();
        if RESTART.contains(&error) {
            registers.rax = registers.orig_rax;
            registers.rip -= SYSCALL.len() as u64;
        } else if error == RESTART_BLOCK {
            registers.rax = libc::SYS_restart_syscall.cast_unsigned();
            registers.rip -= SYSCALL.len() as u64;
        }
        // None of it is a call any more that the kernel would repeat by itself.
        registers.orig_rax = u64::MAX;
    }

    fn cover(&self, base: u64, holes: &[Range<u64>]) -> io::Result<()> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
        let argument = |flags: libc::c_int| u64::from(flags.cast_unsigned());
        for hole in holes {
            let (address, length) = (base + hole.start, hole.end - hole.start);
            let no_file = u64::MAX;
            let mapped = self.call(
                libc::SYS_mmap,
                [
                    address,
                    length,
                    argument(protection),
                    argument(flags),
                    no_file,
                    0,
                ],
            )?;
            if mapped != address {
                return Err(io::Error::other("a hole could not be covered"));
            }
            // Huge pages would make one written byte two mebibytes. A kernel without huge pages refuses the call.
            let advice = argument(libc::MADV_NOHUGEPAGE);
            self.call(libc::SYS_madvise, [address, length, advice, 0, 0, 0])?;
        }
        Ok(())
    }

    /// Has the thread make a system call.
    fn call(&self, number: libc::c_long, arguments: [u64; 6]) -> io::Result<u64> {
        let mut registers = self.registers;
        registers.rip = self.instruction;
        registers.rax = number.cast_unsigned();
        registers.orig_rax = u64::MAX;
        [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r10,
            registers.r8,
            registers.r9,
        ] = arguments;
        self.write(&registers)?;
        request(libc::PTRACE_SINGLESTEP, self.pid, null_mut())?;
        self.wait()?;
        let after = self.read()?;
        if after.rip != self.instruction + SYSCALL.len() as u64 {
            return Err(io::Error::other("the VMM did not make the call"));
        }
        Ok(after.rax)
    }

    /// Waits until the thread has stopped.
    fn wait(&self) -> io::Result<()> {
        let mut status = 0;
        // SAFETY: waits for a thread that this thread traces; the status outlives the call.
        #[expect(unsafe_code, reason = "waitpid of a traced thread")]
        let waited = unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WALL) };
        if waited < 0 {
            return Err(io::Error::last_os_error());
        }
        if libc::WIFSTOPPED(status) {
            Ok(())
        } else {
            Err(io::Error::other("the VMM exited"))
        }
    }

    fn read(&self) -> io::Result<libc::user_regs_struct> {
        let mut registers = no_registers();
        request(libc::PTRACE_GETREGS, self.pid, (&raw mut registers).cast())?;
        Ok(registers)
    }

    fn write(&self, registers: &libc::user_regs_struct) -> io::Result<()> {
        let registers = std::ptr::from_ref(registers).cast_mut();
        request(libc::PTRACE_SETREGS, self.pid, registers.cast())
    }

    fn go_on(mut self) -> io::Result<()> {
        self.write(&self.registers)?;
        self.is_stopped = false;
        request(libc::PTRACE_DETACH, self.pid, null_mut())
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        if self.is_stopped {
            // A process that has exited needs neither.
            let _ = self.write(&self.registers);
            let _ = request(libc::PTRACE_DETACH, self.pid, null_mut());
        }
    }
}

fn no_registers() -> libc::user_regs_struct {
    // SAFETY: a structure of integers, for which zero is a value.
    #[expect(unsafe_code, reason = "the structure has no other constructor")]
    unsafe {
        std::mem::zeroed()
    }
}

/// A request about a thread that the calling thread traces. `data` is the address of registers where the request reads or
/// writes them.
fn request(request: libc::c_uint, pid: libc::pid_t, data: *mut libc::c_void) -> io::Result<()> {
    // SAFETY: the requests of this module change the traced process only; registers outlive the call.
    #[expect(unsafe_code, reason = "ptrace")]
    let result = unsafe { libc::ptrace(request, pid, null_mut::<libc::c_void>(), data) };
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
    fn large_holes_are_found_and_small_ones_stay() {
        let memory = rustix::fs::memfd_create(c"test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let bytes = 8 << 20;
        rustix::fs::ftruncate(&memory, bytes).unwrap();
        assert!(
            holes(&memory, bytes).unwrap().is_empty(),
            "no page would be left"
        );
        for at in [1 << 20, (1 << 20) + HOLE_BYTES_MIN, 4 << 20] {
            rustix::io::pwrite(&memory, &[1], at).unwrap();
        }
        let after = |at: u64| at + 4096;
        let expected = [
            0..1 << 20,
            after((1 << 20) + HOLE_BYTES_MIN)..4 << 20,
            after(4 << 20)..bytes,
        ];
        assert_eq!(holes(&memory, bytes).unwrap(), expected);
    }
}
