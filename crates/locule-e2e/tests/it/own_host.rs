//! The host of the machine on which `locule up` runs is deleted, and is a row like every other host (B-110).

use crate::platform::{Platform, stub_vmm, until};

fn hosts(platform: &Platform) -> String {
    let listed = platform.succeeds(&["host", "ls", "-q"]).stdout;
    listed.trim().to_owned()
}

#[test]
fn the_platform_goes_on_without_its_own_host_and_the_next_start_adds_it_again() {
    let mut platform = Platform::start_with(&["--qemu", &stub_vmm(), "--warm", "0"]);
    platform.succeeds(&["login"]);
    let (id, host) = (platform.create(), hosts(&platform));
    platform.succeeds(&["host", "rm", "--force", &host]);
    until("`up` says that the host was deleted", || {
        platform
            .said()
            .contains("the host of this machine was deleted")
    });
    assert_eq!(platform.part("agent"), None);
    assert_eq!(hosts(&platform), "");
    assert_eq!(platform.shown(&id)["status"], "stopped");
    let refused = platform.locule(&["sandbox", "create"], "");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("host"), "{refused:?}");

    platform.interrupt();
    platform.start_again();
    let again = hosts(&platform);
    assert!(!again.is_empty() && again != host, "{again}");
    platform.create();
    platform.stop();
}
