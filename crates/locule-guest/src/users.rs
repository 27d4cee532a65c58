//! Who a name is, from `/etc/passwd` and `/etc/group` read by hand.

use std::fs;
use std::path::PathBuf;

/// A user of the guest, with every group it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) home: PathBuf,
}

/// Looks a user up by name.
pub(crate) fn find(name: &str) -> Option<User> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let group = fs::read_to_string("/etc/group").unwrap_or_default();
    parse(name, &passwd, &group)
}

/// The name of a user or group id, or its number.
pub(crate) fn name_of(file: &str, id: u32) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| id.to_string())
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
    fn unknown_and_empty_names_are_nobody() {
        assert_eq!(parse("nobody", PASSWD, GROUP), None);
        assert_eq!(parse("", PASSWD, GROUP), None);
    }
}
