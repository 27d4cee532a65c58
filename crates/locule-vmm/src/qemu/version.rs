//! What a program says it is.

use std::path::Path;
use std::time::Duration;

use locule_base::command::{Command, CommandError};

use super::PROGRAM;
use crate::machine::{Identity, VmmError};

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
        VmmError::Unusable(format!("{program} does not say its version"))
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

/// None where the program does not say: then it loads what it saved itself, and nothing else.
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

/// A newer QEMU loads what an older one saved, as long as it keeps the versioned machine type: that is its promise.
pub(super) fn loads(own: &Identity, machines: &[String], saved: &Identity) -> bool {
    let number = |identity: &Identity| {
        let (major, minor) = identity.version.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    let same = |identity: &Identity| {
        let Identity {
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

    fn identity(text: &str) -> Identity {
        let identity: Identity = text.parse().unwrap();
        assert_eq!(identity.to_string(), text);
        identity
    }

    #[test]
    fn a_newer_qemu_loads_what_an_older_one_saved_as_long_as_it_keeps_the_machine() {
        let own = identity("qemu-10.0 pc-q35-10.0 Nehalem-v1 tcg");
        let machines = ["pc-q35-10.0", "pc-q35-7.2"].map(str::to_owned);
        let loads = |saved| loads(&own, &machines, &identity(saved));
        assert!(loads("qemu-10.0 pc-q35-10.0 Nehalem-v1 tcg"));
        assert!(loads("qemu-7.2 pc-q35-7.2 Nehalem-v1 tcg"));
        assert!(loads("qemu-9.2 pc-q35-7.2 Nehalem-v1 tcg"));
        assert!(!loads("qemu-7.1 pc-q35-7.1 Nehalem-v1 tcg"), "not kept");
        assert!(
            !loads("qemu-10.1 pc-q35-7.2 Nehalem-v1 tcg"),
            "from the future"
        );
        assert!(!loads("qemu-7.2 pc-q35-7.2 host kvm"), "never mixed");
        assert!(!loads("stub-7.2 pc-q35-7.2 Nehalem-v1 tcg"));
        "qemu-7.2 pc-q35-7.2".parse::<Identity>().unwrap_err();
    }

    #[test]
    fn the_version_is_read_from_what_qemu_prints() {
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
