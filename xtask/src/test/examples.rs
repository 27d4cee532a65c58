//! Which crates have examples in their documentation comments. The others need no run: rustdoc would compile each of them anew to find
//! nothing.

use std::fs;

use anyhow::{Context as _, Result};

use crate::{places, source};

/// The fence of a block of text that rustdoc does not run.
const TEXT: &str = "text";

/// The packages of the workspace with an example.
pub(super) fn packages() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for package in places::metadata()?.packages {
        let folder = package.manifest_path.with_file_name("src");
        for path in source::files(folder.as_std_path(), &["rs"])? {
            let shown = || format!("cannot read {}", path.display());
            if has_example(&fs::read_to_string(&path).with_context(shown)?) {
                found.push(package.name.to_string());
                break;
            }
        }
    }
    Ok(found)
}

fn has_example(source: &str) -> bool {
    let comments = source.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("///")
            .or_else(|| line.strip_prefix("//!"))
    });
    let fences = comments.filter_map(|line| line.trim_start().strip_prefix("```"));
    // Every second fence ends a block.
    fences.step_by(2).any(|language| language.trim() != TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_text_is_no_example() {
        assert!(!has_example("//! ```text\n//! a → b\n//! ```\nfn f() {}\n"));
        assert!(!has_example("let fence = \"```\";\n"));
        assert!(has_example("    /// ```\n    /// f();\n    /// ```\n"));
        assert!(has_example(
            "/// ```text\n/// a\n/// ```\n/// ```rust\n/// f();\n/// ```\n"
        ));
    }
}
