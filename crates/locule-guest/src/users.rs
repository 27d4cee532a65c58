//! Users and groups, parsed from `/etc/passwd` and `/etc/group`: a static glibc cannot call the system's name service.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::paths::read_small;

/// A user of the guest, with every group that the user belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) home: PathBuf,
}

/// Looks up a user by name.
pub(crate) fn find(name: &str) -> Option<User> {
    parse(name, &read_small("/etc/passwd"), &read_small("/etc/group"))
}

/// The names of users and groups by id, read once for many files.
#[derive(Debug)]
pub(crate) struct Names {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
}

impl Names {
    pub(crate) fn read() -> Self {
        Self {
            users: names_in(&read_small("/etc/passwd")),
            groups: names_in(&read_small("/etc/group")),
        }
    }

    /// The name of the user, or the id as text if it has no name.
    pub(crate) fn user(&self, id: u32) -> String {
        self.users
            .get(&id)
            .cloned()
            .unwrap_or_else(|| id.to_string())
    }

    pub(crate) fn group(&self, id: u32) -> String {
        self.groups
            .get(&id)
            .cloned()
            .unwrap_or_else(|| id.to_string())
    }
}

/// The first name that is listed for each id, as `getpwuid` finds it.
fn names_in(text: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(Ok(id))) = (fields.next(), fields.nth(1).map(str::parse)) {
            names.entry(id).or_insert_with(|| name.to_owned());
        }
    }
    names
}

fn parse(name: &str, passwd: &str, group: &str) -> Option<User> {
    let mut user = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [found, _, uid, gid, _, home, ..] = fields.as_slice() else {
            return None;
        };
        (*found == name && !name.is_empty()).then_some(())?;
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        Some(User {
            name: name.to_owned(),
            uid,
            gid,
            groups: vec![gid],
            home: PathBuf::from(home),
        })
    })?;
    for line in group.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if let [_, _, gid, members, ..] = fields.as_slice()
            && members.split(',').any(|member| member == name)
            && let Ok(gid) = gid.parse()
            && !user.groups.contains(&gid)
        {
            user.groups.push(gid);
        }
    }
    Some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\nbroken\nuser:x:1000:1000::/home/user:/bin/bash\n";
    const GROUP: &str = "sudo:x:27:user,other\nuser:x:1000:\naudio:x:29:users\nbad:x:y:user\n";

    #[test]
    fn a_user_has_its_supplementary_groups() {
        let user = parse("user", PASSWD, GROUP).unwrap();
        assert_eq!((user.uid, user.gid), (1000, 1000));
        assert_eq!(user.groups, [1000, 27]);
    }

    #[test]
    fn an_id_resolves_to_the_first_name_that_is_listed_for_it() {
        let names = names_in(&format!("{PASSWD}toor:x:0:0:::\n"));
        assert_eq!(names.get(&0).map(String::as_str), Some("root"));
        assert_eq!(names.get(&1).map(String::as_str), None);
    }

    #[test]
    fn an_unknown_or_empty_name_finds_no_user() {
        assert_eq!(parse("unknown", PASSWD, GROUP), None);
        assert_eq!(parse("", PASSWD, GROUP), None);
    }
}
