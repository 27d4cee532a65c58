//! Where a copy lands: the rules of `docker cp`, as a function.

use anyhow::bail;

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A file, or a link.
    File,
    Folder {
        /// `SOURCE/.`: what is in it, not itself.
        contents: bool,
    },
}

/// What is there where it shall go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Folder,
    File,
    /// Nothing; its parent is a folder.
    Free,
    /// Nothing, and no place for it.
    NoParent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Landing {
    /// One entry, under this name in that folder.
    As { folder: String, name: String },
    /// What is in the source becomes what is in that folder, which may have to be made.
    Contents { folder: String, new: bool },
}

/// The last part of a path; none for `.`, `..` and `/`.
pub(super) fn name(path: &str) -> Option<&str> {
    let name = path.trim_end_matches('/').rsplit('/').next()?;
    (!matches!(name, "" | "." | "..")).then_some(name)
}

/// A folder and the name in it.
pub(super) fn split(path: &str) -> (String, String) {
    let whole = path.trim_end_matches('/');
    match whole.rsplit_once('/') {
        Some(("", name)) => ("/".to_owned(), name.to_owned()),
        Some((folder, name)) => (folder.to_owned(), name.to_owned()),
        None => (".".to_owned(), whole.to_owned()),
    }
}

fn join(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
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
            bail!("the folder that {target} would be in does not exist: make it first")
        }
        (Source::File, Target::Free) if slash => {
            bail!("the folder {target} does not exist: make it first, or leave out the last slash")
        }
        (Source::File, Target::File) if slash => bail!("{target} is a file, not a folder"),
        (Source::Folder { .. }, Target::File) => {
            bail!("{target} is a file: a folder cannot be copied over it")
        }
        (Source::File, Target::File | Target::Free) => {
            let (folder, name) = split(target);
            Landing::As { folder, name }
        }
        (Source::File, Target::Folder) => match name {
            Some(name) => Landing::As {
                folder: target.to_owned(),
                name: name.to_owned(),
            },
            None => bail!("the source has no name"),
        },
        (Source::Folder { .. }, Target::Free) => Landing::Contents {
            folder: target.to_owned(),
            new: true,
        },
        (Source::Folder { contents }, Target::Folder) => match name {
            Some(name) if !contents => Landing::Contents {
                folder: join(target, name),
                new: true,
            },
            _ => Landing::Contents {
                folder: target.to_owned(),
                new: false,
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: Source = Source::Folder { contents: false };
    const CONTENTS: Source = Source::Folder { contents: true };

    fn lands(source: Source, target: &str, there: Target) -> String {
        match landing(source, Some("src"), target, there) {
            Ok(Landing::As { folder, name }) => format!("{folder} + {name}"),
            Ok(Landing::Contents { folder, new: true }) => format!("new {folder}"),
            Ok(Landing::Contents { folder, .. }) => format!("into {folder}"),
            Err(_) => "refused".to_owned(),
        }
    }

    #[test]
    fn a_copy_lands_where_docker_cp_would_put_it() {
        use Target::{File, Folder, Free, NoParent};
        let table = [
            (Source::File, "/d", Folder, "/d + src"),
            (Source::File, "/d/", Folder, "/d/ + src"),
            (Source::File, "/d", File, "/ + d"),
            (Source::File, "/a/d", Free, "/a + d"),
            (Source::File, "d", Free, ". + d"),
            (Source::File, "/d/", Free, "refused"),
            (Source::File, "/d/", File, "refused"),
            (Source::File, "/a/d", NoParent, "refused"),
            (FOLDER, "/d", Folder, "new /d/src"),
            (FOLDER, "/", Folder, "new /src"),
            (FOLDER, "/d", Free, "new /d"),
            (FOLDER, "/d", File, "refused"),
            (FOLDER, "/a/d", NoParent, "refused"),
            (CONTENTS, "/d", Folder, "into /d"),
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
    fn a_name_is_the_last_part_that_is_one() {
        assert_eq!(name("/a/b/"), Some("b"));
        assert_eq!(name("a"), Some("a"));
        for nameless in ["/", ".", "..", "a/.", ""] {
            assert_eq!(name(nameless), None, "{nameless}");
        }
    }
}
