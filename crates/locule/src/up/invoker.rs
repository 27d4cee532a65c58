//! The user behind `sudo`, and the one file that `up` writes below the home of that user.
//!
//! The user controls each folder of the home, and may put a symbolic link where `up` expects a file. `up` therefore takes the
//! identity of the user for each access to the home: what the user may not do, `up` does not do for the user.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use nix::unistd::{self, Gid, Uid};

use crate::environment;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SystemUser {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The system users of the parts that do not run as root. None of them can read the memory or the environment of another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Users {
    pub(super) database: SystemUser,
    pub(super) redis: SystemUser,
    pub(super) serve: SystemUser,
}

/// The user that called `sudo`.
pub(super) fn invoker() -> Option<SystemUser> {
    environment::invoking_user().map(|(uid, gid)| SystemUser { uid, gid })
}

/// Makes the user behind `sudo` the owner of a file that this process has just created.
pub(super) fn give_to_invoker(file: &File) -> io::Result<()> {
    match invoker() {
        Some(user) => fchown(file, Some(user.uid), Some(user.gid)),
        None => Ok(()),
    }
}

/// The file in the home of the user, behind `sudo` too, that says where the last local platform keeps its credentials.
fn pointer() -> Option<PathBuf> {
    let home_of = |user: SystemUser| {
        unistd::User::from_uid(Uid::from_raw(user.uid))
            .ok()
            .flatten()
    };
    let home = invoker()
        .and_then(home_of)
        .map(|user| user.dir)
        .or_else(environment::home);
    Some(home?.join(".config/locule/credentials.json"))
}

/// Writes the path of the credentials into the home of the user, where the `locule` commands look for it. Returns the path of
/// the file, or `None` where the user has no home.
pub(super) fn point_home(credentials: &Path) -> Option<(PathBuf, io::Result<()>)> {
    let path = pointer()?;
    let text = serde_json::json!({ "credentials": credentials }).to_string();
    let written = write_as(invoker(), &path, text.as_bytes());
    Some((path, written))
}

/// The data directory of the last platform that this user started.
pub(crate) fn last_data_dir() -> Option<PathBuf> {
    let path = pointer()?;
    data_dir_of(&as_user(invoker(), || fs::read(&path)).ok()?)
}

fn data_dir_of(pointer: &[u8]) -> Option<PathBuf> {
    let pointer: serde_json::Value = serde_json::from_slice(pointer).ok()?;
    let credentials = Path::new(pointer["credentials"].as_str()?);
    credentials.parent().map(Path::to_owned)
}

fn write_as(user: Option<SystemUser>, path: &Path, text: &[u8]) -> io::Result<()> {
    as_user(user, || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text)
    })
}

/// Runs `work` with the rights of a user. Every thread of the process has these rights meanwhile.
fn as_user<T>(user: Option<SystemUser>, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let own = SystemUser {
        uid: unistd::geteuid().as_raw(),
        gid: unistd::getegid().as_raw(),
    };
    let Some(user) = user.filter(|_| own.uid == 0) else {
        return work();
    };
    let own_groups = unistd::getgroups()?;
    unistd::setgroups(&[Gid::from_raw(user.gid)])?;
    unistd::setegid(Gid::from_raw(user.gid))?;
    // The last of the three: without root's identity the process may change neither groups nor identity but back.
    unistd::seteuid(Uid::from_raw(user.uid))?;
    let result = work();
    unistd::seteuid(Uid::from_raw(own.uid))?;
    unistd::setegid(Gid::from_raw(own.gid))?;
    unistd::setgroups(&own_groups)?;
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointer_in_the_home_leads_to_the_data_directory() {
        let pointer = br#"{ "credentials": "/srv/locule/credentials.json" }"#;
        assert_eq!(data_dir_of(pointer).unwrap(), Path::new("/srv/locule"));
        for damaged in [&b""[..], b"{}", br#"{ "credentials": 1 }"#] {
            assert_eq!(data_dir_of(damaged), None);
        }
    }

    mod needs_setup {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};

        use super::*;

        const NOBODY: SystemUser = SystemUser {
            uid: 65534,
            gid: 65534,
        };

        /// A home that belongs to a user, in a folder of root.
        fn home(folder: &Path) -> PathBuf {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
            let home = folder.join("home");
            fs::create_dir(&home).unwrap();
            chown(&home, Some(NOBODY.uid), Some(NOBODY.gid)).unwrap();
            home
        }

        #[test]
        fn a_link_in_the_home_of_the_invoker_leads_to_no_file_of_root() {
            let folder = tempfile::tempdir().unwrap();
            let home = home(folder.path());
            let secret = folder.path().join("secret");
            fs::write(&secret, "of root").unwrap();
            symlink(&secret, home.join("pointer")).unwrap();
            let error = write_as(Some(NOBODY), &home.join("pointer"), b"x").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert_eq!(fs::read_to_string(&secret).unwrap(), "of root");
            assert_eq!(fs::metadata(&secret).unwrap().uid(), 0);

            let of_root = folder.path().join("of_root");
            fs::create_dir(&of_root).unwrap();
            symlink(&of_root, home.join("config")).unwrap();
            write_as(Some(NOBODY), &home.join("config/pointer"), b"x").unwrap_err();
            assert_eq!(fs::metadata(&of_root).unwrap().uid(), 0);
            assert_eq!(fs::read_dir(&of_root).unwrap().count(), 0);
            assert!(unistd::geteuid().is_root());
        }

        #[test]
        fn the_pointer_belongs_to_the_invoker_and_is_readable_for_no_other_user() {
            let folder = tempfile::tempdir().unwrap();
            let path = home(folder.path()).join("a/b/pointer");
            write_as(Some(NOBODY), &path, b"x").unwrap();
            let made = fs::metadata(&path).unwrap();
            assert_eq!((made.uid(), made.gid()), (NOBODY.uid, NOBODY.gid));
            assert_eq!(made.permissions().mode() & 0o777, 0o600);
            let as_invoker = || as_user(Some(NOBODY), || fs::read(&path));
            assert_eq!(as_invoker().unwrap(), b"x");
        }
    }
}
