//! The imports that may close a cycle, each with its reason. Without them no cycle is left. The list may only shrink.

/// One file of a crate that may import another one although that one reaches it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) krate: &'static str,
    /// Both from the folder of the crate.
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) reason: &'static str,
}

#[rustfmt::skip]
pub(crate) const ACCEPTED: &[Accepted] = &[
    Accepted { krate: "locule-edge", from: "src/guest/attached.rs", to: "src/guest/processes.rs",
        reason: "a stream that lost its connection attaches to its process again" },
    Accepted { krate: "locule-http", from: "src/router.rs", to: "src/spec.rs",
        reason: "the router serves the document that is made from the router" },
    Accepted { krate: "locule-http", from: "src/router.rs", to: "src/docs.rs",
        reason: "the router serves the page of the document that is made from the router" },
];
