//! What a program says it is.

use std::path::Path;
use std::time::Duration;

use locule_base::command::{Command, CommandError};

use super::PROGRAM;
use crate::machine::VmmError;

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

#[cfg(test)]
mod tests {
    use super::*;

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
