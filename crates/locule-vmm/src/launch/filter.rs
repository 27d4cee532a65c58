//! A system call filter under QEMU's own: what no VMM has any business with, whatever its program installs.
//!
//! QEMU's `-sandbox` comes into force late in its start and leaves out much (new user namespaces, `io_uring`, vsock,
//! which no network namespace contains). This one is there from the first instruction. Everything else is allowed: a list of
//! what QEMU needs would break with each release.

use libc::sock_filter;

const AUDIT_ARCH: u32 = if cfg!(target_arch = "aarch64") {
    0xc000_00b7
} else {
    0xc000_003e
};
/// Offsets in `struct seccomp_data`. Only the low half of an argument is looked at: the kernel takes an int there.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;
/// The x32 calls, the same ones under other numbers.
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

/// Those that an empty network namespace makes harmless. Netlink, packets, vsock and the rest are not needed.
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
    // parts of the kernel with a long list of past faults
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
    // the machine itself
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

/// The filter as the kernel takes it.
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
    // Its flags are behind a pointer: the C library then takes `clone`, whose flags can be seen.
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
        // The codes are small numbers, of a type that is wider than the field.
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

/// A call's number; the table has no negative ones.
fn low(number: libc::c_long) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter answers to one call.
    fn answer(architecture: u32, number: u32, argument: u32) -> u32 {
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
        answer(AUDIT_ARCH, low(number), argument.cast_unsigned())
    }

    #[test]
    fn every_call_of_the_list_is_refused_and_every_other_allowed() {
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
    fn a_thread_may_be_made_and_a_namespace_may_not() {
        let thread = libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND;
        assert_eq!(call(libc::SYS_clone, thread), libc::SECCOMP_RET_ALLOW);
        for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNET, libc::CLONE_NEWNS] {
            assert_eq!(call(libc::SYS_clone, flag | thread), refusal(libc::EPERM).k);
        }
        assert_eq!(call(libc::SYS_clone3, 0), refusal(libc::ENOSYS).k);
    }

    #[test]
    fn only_families_that_the_namespace_holds_back_have_sockets() {
        for family in 0..50 {
            let allowed = SOCKET_FAMILIES.contains(&family);
            let answer = call(libc::SYS_socket, family);
            assert_eq!(answer == libc::SECCOMP_RET_ALLOW, allowed, "{family}");
        }
    }

    #[test]
    fn no_other_door_leads_to_the_same_calls() {
        let i386 = 0x4000_0003;
        let killed = libc::SECCOMP_RET_KILL_PROCESS;
        assert_eq!(answer(i386, low(libc::SYS_getpid), 0), killed);
        let x32 = X32 | low(libc::SYS_mount);
        assert_eq!(answer(AUDIT_ARCH, x32, 0), refusal(libc::EPERM).k);
    }
}
