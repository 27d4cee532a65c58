//! Decides where a copy is written: the rules of `docker cp`, as a pure function.

use anyhow::bail;

/// The source of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A file, or a symbolic link.
    File,
    Directory {
        /// `SOURCE/.`: the contents of the directory, not the directory itself.
        contents: bool,
    },
}

/// What exists at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Directory,
    File,
    /// No entry; the parent is a directory.
    Free,
    /// No entry, and no parent directory.
    NoParent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Landing {
    /// The source becomes this entry of that directory.
    As { directory: String, name: String },
    /// The contents of the source become the contents of that directory, which is created when `new`.
    Contents { directory: String, new: bool },
}

/// The last component of a path; none for `.`, `..` and `/`.
pub(super) fn name(path: &str) -> Option<&str> {
    let name = path.trim_end_matches('/').rsplit('/').next()?;
    (!matches!(name, "" | "." | "..")).then_some(name)
}

/// The parent directory and the last component.
pub(super) fn split(path: &str) -> (String, String) {
    let whole = path.trim_end_matches('/');
    match whole.rsplit_once('/') {
        Some(("", name)) => ("/".to_owned(), name.to_owned()),
        Some((directory, name)) => (directory.to_owned(), name.to_owned()),
        None => (".".to_owned(), whole.to_owned()),
    }
}

fn join(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

pub(super) fn landing(
    source: Source,
    name: Option<&str>,
    target: &str,
    there: Target,
) -> anyhow::Result<Landing> {
    let slash = target.ends_with('/');
    Ok(match (source, there) {
        (_, Target::NoParent) => {
            bail!("the parent directory of {target} does not exist: create it first")
        }
        (Source::File, Target::Free) if slash => {
            bail!(
                "the directory {target} does not exist: create it first, or leave out the last slash"
            )
        }
        (Source::File, Target::File) if slash => bail!("{target} is a file, not a directory"),
        (Source::Directory { .. }, Target::File) => {
            bail!("{target} is a file: a directory cannot replace it")
        }
        (Source::File, Target::File | Target::Free) => {
            let (directory, name) = split(target);
            Landing::As { directory, name }
        }
        (Source::File, Target::Directory) => match name {
            Some(name) => Landing::As {
                directory: target.to_owned(),
                name: name.to_owned(),
            },
            None => bail!(
                "the last component of the source is not a name: give a path that ends in a name"
            ),
        },
        (Source::Directory { .. }, Target::Free) => Landing::Contents {
            directory: target.to_owned(),
            new: true,
        },
        (Source::Directory { contents }, Target::Directory) => match name {
            Some(name) if !contents => Landing::Contents {
                directory: join(target, name),
                new: true,
            },
            _ => Landing::Contents {
                directory: target.to_owned(),
                new: false,
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: Source = Source::Directory { contents: false };
    const CONTENTS: Source = Source::Directory { contents: true };

    fn lands(source: Source, target: &str, there: Target) -> String {
        match landing(source, Some("src"), target, there) {
            Ok(Landing::As { directory, name }) => format!("{directory} + {name}"),
            Ok(Landing::Contents {
                directory,
                new: true,
            }) => format!("new {directory}"),
            Ok(Landing::Contents { directory, .. }) => format!("into {directory}"),
            Err(_) => "refused".to_owned(),
        }
    }

    #[test]
    fn a_copy_is_written_where_docker_cp_writes_it() {
        use Target::{Directory, File, Free, NoParent};
        let table = [
            (Source::File, "/d", Directory, "/d + src"),
            (Source::File, "/d/", Directory, "/d/ + src"),
            (Source::File, "/d", File, "/ + d"),
            (Source::File, "/a/d", Free, "/a + d"),
            (Source::File, "d", Free, ". + d"),
            (Source::File, "/d/", Free, "refused"),
            (Source::File, "/d/", File, "refused"),
            (Source::File, "/a/d", NoParent, "refused"),
            (FOLDER, "/d", Directory, "new /d/src"),
            (FOLDER, "/", Directory, "new /src"),
            (FOLDER, "/d", Free, "new /d"),
            (FOLDER, "/d", File, "refused"),
            (FOLDER, "/a/d", NoParent, "refused"),
            (CONTENTS, "/d", Directory, "into /d"),
            (CONTENTS, "/d", Free, "new /d"),
        ];
        for (source, target, there, expected) in table {
            assert_eq!(
                lands(source, target, there),
                expected,
                "{source:?} {target} {there:?}"
            );
        }
    }

    #[test]
    fn the_name_of_a_path_is_its_last_component() {
        assert_eq!(name("/a/b/"), Some("b"));
        assert_eq!(name("a"), Some("a"));
        for nameless in ["/", ".", "..", "a/.", ""] {
            assert_eq!(name(nameless), None, "{nameless}");
        }
    }
}
