//! Why hosts do not get a sandbox.

use std::collections::BTreeMap;
use std::fmt;

/// The reason why a sandbox cannot be placed on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum NotEligible {
    #[error("the host runs sandboxes of other teams")]
    OtherTeam,
    #[error("the host is not online")]
    NotOnline,
    #[error("the host is cordoned")]
    Cordoned,
    #[error("the host does not have the template")]
    NoTemplate,
    #[error("the host has too little free memory")]
    NoMemory,
    #[error("the host has too little free disk space")]
    NoDisk,
}

impl NotEligible {
    /// What is said about one host, and about several. `None`: nothing, because the hosts of other teams are not the caller's concern.
    const fn phrases(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::OtherTeam => None,
            Self::NotOnline => Some(("is not online", "are not online")),
            Self::Cordoned => Some(("is cordoned", "are cordoned")),
            Self::NoTemplate => Some(("does not have the template", "do not have the template")),
            Self::NoMemory => Some(("has too little free memory", "have too little free memory")),
            Self::NoDisk => Some((
                "has too little free disk space",
                "have too little free disk space",
            )),
        }
    }
}

/// The hosts that did not get a sandbox, counted by reason. As text: one sentence for the client that asked for the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusals(BTreeMap<NotEligible, usize>);

impl Refusals {
    /// Counts one more host, such as one that was eligible when the candidates were read, and under its lock is not.
    pub fn add(&mut self, reason: NotEligible) {
        *self.0.entry(reason).or_default() += 1;
    }

    /// How many hosts have this reason.
    pub fn count(&self, reason: NotEligible) -> usize {
        self.0.get(&reason).copied().unwrap_or_default()
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |(reason, count): (&NotEligible, &usize)| {
            let (one, several) = reason.phrases()?;
            Some(match count {
                1 => format!("1 host {one}"),
                count => format!("{count} hosts {several}"),
            })
        };
        let reasons: Vec<String> = self.0.iter().filter_map(told).collect();
        if reasons.is_empty() {
            return f.write_str("no host runs sandboxes of this team");
        }
        write!(f, "no host can take the sandbox: {}", reasons.join(", "))
    }
}
