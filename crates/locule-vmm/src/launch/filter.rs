//! A system call filter below QEMU's own. It refuses calls that no VMM needs, whichever filter the program itself installs.
//!
//! QEMU's `-sandbox` takes effect late in its start and does not cover everything (new user namespaces, `io_uring`, and
//! vsock, which network namespaces do not isolate). This filter is active from the first instruction. It allows all other
//! calls: a list of the calls that QEMU needs would break with each release.

use libc::sock_filter;

const AUDIT_ARCH: u32 = if cfg!(target_arch = "aarch64") {
    0xc000_00b7
} else {
    0xc000_003e
};
/// Offsets in `struct seccomp_data`. The filter checks the low half of an argument only, because the kernel reads an int.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;
/// Marks the numbers of the x32 interface, which offers the same calls.
const X32: u32 = 0x4000_0000;

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const ANY_BIT: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

const NEW_NAMESPACE: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// The families that an empty network namespace makes harmless. A VMM needs no other (netlink, packet, vsock).
const SOCKET_FAMILIES: [libc::c_int; 3] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];

const DENIED: &[libc::c_long] = &[
    // mounts and namespaces
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    // other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // parts of the kernel with a long record of vulnerabilities
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_fanotify_init,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    // the host itself
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// The filter in the kernel's format.
pub(super) fn build() -> Vec<sock_filter> {
    let refuse = refusal(libc::EPERM);
    let mut filter = vec![
        step(LOAD, ARCHITECTURE),
        jump(EQUAL, AUDIT_ARCH, 1, 0),
        step(RETURN, libc::SECCOMP_RET_KILL_PROCESS),
        step(LOAD, NUMBER),
        jump(AT_LEAST, X32, 0, 1),
        refuse,
    ];
    for denied in DENIED {
        filter.extend([jump(EQUAL, low(*denied), 0, 1), refuse]);
    }
    // The flags of `clone3` are behind a pointer. The C library falls back to `clone`, whose flags the filter can check.
    let absent = refusal(libc::ENOSYS);
    filter.extend([jump(EQUAL, low(libc::SYS_clone3), 0, 1), absent]);
    filter.extend([
        jump(EQUAL, low(libc::SYS_clone), 0, 4),
        step(LOAD, FIRST_ARGUMENT),
        jump(ANY_BIT, NEW_NAMESPACE.cast_unsigned(), 0, 1),
        refuse,
        allow(),
    ]);
    filter.extend([
        jump(EQUAL, low(libc::SYS_socket), 0, 5),
        step(LOAD, FIRST_ARGUMENT),
    ]);
    for (family, past) in SOCKET_FAMILIES.into_iter().zip([3, 2, 1]) {
        filter.push(jump(EQUAL, family.cast_unsigned(), past, 0));
    }
    filter.extend([refuse, allow()]);
    filter
}

fn step(code: u32, value: u32) -> sock_filter {
    jump(code, value, 0, 0)
}

fn jump(code: u32, value: u32, when_true: u8, when_false: u8) -> sock_filter {
    sock_filter {
        // The codes are small numbers in a type that is wider than the field.
        code: u16::try_from(code).unwrap_or(u16::MAX),
        jt: when_true,
        jf: when_false,
        k: value,
    }
}

fn refusal(error: libc::c_int) -> sock_filter {
    step(RETURN, libc::SECCOMP_RET_ERRNO | error.cast_unsigned())
}

fn allow() -> sock_filter {
    step(RETURN, libc::SECCOMP_RET_ALLOW)
}

/// The number of a system call, which is never negative.
fn low(number: libc::c_long) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict of the filter for one call.
    fn verdict(architecture: u32, number: u32, argument: u32) -> u32 {
        let filter = build();
        let (mut at, mut loaded) = (0, 0);
        loop {
            let now = filter[at];
            at += 1;
            let holds = match u32::from(now.code) {
                LOAD => {
                    loaded = match now.k {
                        NUMBER => number,
                        ARCHITECTURE => architecture,
                        FIRST_ARGUMENT => argument,
                        other => panic!("loads offset {other}"),
                    };
                    continue;
                }
                RETURN => return now.k,
                EQUAL => loaded == now.k,
                AT_LEAST => loaded >= now.k,
                ANY_BIT => loaded & now.k != 0,
                other => panic!("unknown instruction {other}"),
            };
            at += usize::from(if holds { now.jt } else { now.jf });
        }
    }

    fn call(number: libc::c_long, argument: libc::c_int) -> u32 {
        verdict(AUDIT_ARCH, low(number), argument.cast_unsigned())
    }

    #[test]
    fn listed_calls_are_refused_and_all_other_calls_are_allowed() {
        let special = [libc::SYS_clone, libc::SYS_clone3, libc::SYS_socket];
        for number in 0..600 {
            if special.contains(&number) {
                continue;
            }
            let expected = if DENIED.contains(&number) {
                refusal(libc::EPERM).k
            } else {
                libc::SECCOMP_RET_ALLOW
            };
            assert_eq!(call(number, -1), expected, "call {number}");
        }
    }

    #[test]
    fn clone_may_create_a_thread_but_no_namespace() {
        let thread = libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND;
        assert_eq!(call(libc::SYS_clone, thread), libc::SECCOMP_RET_ALLOW);
        for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNET, libc::CLONE_NEWNS] {
            assert_eq!(call(libc::SYS_clone, flag | thread), refusal(libc::EPERM).k);
        }
        assert_eq!(call(libc::SYS_clone3, 0), refusal(libc::ENOSYS).k);
    }

    #[test]
    fn sockets_are_limited_to_families_that_a_network_namespace_isolates() {
        for family in 0..50 {
            let allowed = SOCKET_FAMILIES.contains(&family);
            let verdict = call(libc::SYS_socket, family);
            assert_eq!(verdict == libc::SECCOMP_RET_ALLOW, allowed, "{family}");
        }
    }

    #[test]
    fn calls_through_another_architecture_are_refused() {
        let i386 = 0x4000_0003;
        let killed = libc::SECCOMP_RET_KILL_PROCESS;
        assert_eq!(verdict(i386, low(libc::SYS_getpid), 0), killed);
        let x32 = X32 | low(libc::SYS_mount);
        assert_eq!(verdict(AUDIT_ARCH, x32, 0), refusal(libc::EPERM).k);
    }
}
