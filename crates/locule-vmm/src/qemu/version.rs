//! The version and the machine types that a VMM program reports.

use std::path::Path;
use std::time::Duration;

use locule_base::command::{Command, CommandError};

use crate::machine::{VmmError, VmmIdentity};

/// The installed QEMU.
pub(super) const PROGRAM: &str = "/usr/bin/qemu-system-x86_64";

/// Driver name, major and minor version.
pub(super) async fn version_of(program: &Path) -> Result<(String, u32, u32), VmmError> {
    let output = Command::new(program)
        .arg("--version")
        .timeout(Duration::from_secs(20))
        .run()
        .await;
    let output = output.map_err(|error| match error {
        CommandError::NotInstalled { program } if program == PROGRAM => {
            VmmError::NotInstalled { program }
        }
        other @ (CommandError::NotInstalled { .. }
        | CommandError::Spawn { .. }
        | CommandError::TimedOut { .. }
        | CommandError::Failed { .. }) => VmmError::Unusable(other.to_string()),
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_version(&text).ok_or_else(|| {
        let program = program.display();
        VmmError::Unusable(format!("{program} does not print its version"))
    })
}

/// Driver name, major and minor from `NAME emulator version MAJOR.MINOR…`.
fn parse_version(text: &str) -> Option<(String, u32, u32)> {
    let driver = text.split_whitespace().next()?.to_ascii_lowercase();
    let mut numbers = text
        .split("version ")
        .nth(1)?
        .split(|c: char| !c.is_ascii_digit());
    let (major, minor) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    let is_word = driver.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word.then_some((driver, major, minor))
}

/// The supported machine types. Empty where the program does not list them: it can then load its own snapshots only.
pub(super) async fn machines(program: &Path) -> Vec<String> {
    let output = Command::new(program)
        .args(["-machine", "help"])
        .timeout(Duration::from_secs(20))
        .run()
        .await;
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// QEMU guarantees that a newer version loads the device state of an older one, as long as it supports the machine type.
pub(super) fn can_load(own: &VmmIdentity, machines: &[String], saved: &VmmIdentity) -> bool {
    let number = |identity: &VmmIdentity| {
        let (major, minor) = identity.version.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    let same = |identity: &VmmIdentity| {
        let VmmIdentity {
            driver,
            cpu,
            accelerator,
            ..
        } = identity.clone();
        (driver, cpu, accelerator)
    };
    own == saved
        || same(own) == same(saved)
            && number(own)
                .zip(number(saved))
                .is_some_and(|(own, saved)| own >= saved)
            && machines.contains(&saved.machine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(text: &str) -> VmmIdentity {
        let identity: VmmIdentity = text.parse().unwrap();
        assert_eq!(identity.to_string(), text);
        identity
    }

    #[test]
    fn a_newer_qemu_loads_an_older_snapshot_while_it_supports_the_machine_type() {
        let own = identity("qemu-10.0 pc-q35-10.0 Nehalem-v1 tcg");
        let machines = ["pc-q35-10.0", "pc-q35-7.2"].map(str::to_owned);
        let can_load = |saved| can_load(&own, &machines, &identity(saved));
        assert!(can_load("qemu-10.0 pc-q35-10.0 Nehalem-v1 tcg"));
        assert!(can_load("qemu-7.2 pc-q35-7.2 Nehalem-v1 tcg"));
        assert!(can_load("qemu-9.2 pc-q35-7.2 Nehalem-v1 tcg"));
        assert!(
            !can_load("qemu-7.1 pc-q35-7.1 Nehalem-v1 tcg"),
            "unsupported machine type"
        );
        assert!(
            !can_load("qemu-10.1 pc-q35-7.2 Nehalem-v1 tcg"),
            "saved by a newer version"
        );
        assert!(
            !can_load("qemu-7.2 pc-q35-7.2 host kvm"),
            "another CPU and accelerator"
        );
        assert!(!can_load("stub-7.2 pc-q35-7.2 Nehalem-v1 tcg"));
        "qemu-7.2 pc-q35-7.2".parse::<VmmIdentity>().unwrap_err();
    }

    #[test]
    fn the_version_is_parsed_from_qemus_version_text() {
        let debian = "QEMU emulator version 7.2.19 (Debian 1:7.2+dfsg-7+deb12u16)\nCopyright (c)";
        let found = |name: &str, major, minor| Some((name.to_owned(), major, minor));
        assert_eq!(parse_version(debian), found("qemu", 7, 2));
        assert_eq!(
            parse_version("QEMU emulator version 10.0.2"),
            found("qemu", 10, 0)
        );
        assert_eq!(
            parse_version("stub emulator version 1.0\n"),
            found("stub", 1, 0)
        );
        assert_eq!(parse_version("../x emulator version 1.0"), None);
        assert_eq!(parse_version("no such thing"), None);
    }
}
