//! The retired words: what is not written any more, and what is written instead. The reasons are in docs/GLOSSARY.md.

/// Where a retired word is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Find {
    /// A word or a phrase, in any case: in prose, and as the parts of an identifier (`golden image` finds `GoldenImage`).
    Words(&'static str),
    /// A whole identifier in the code of Rust files, in this case.
    Name(&'static str),
}

/// One retired word.
#[derive(Debug)]
pub(crate) struct Retired {
    pub(crate) find: Find,
    pub(crate) say: &'static str,
    /// Only in files whose path begins with one of these; in all files when empty.
    pub(crate) only_in: &'static [&'static str],
    /// Lines that contain one of these texts are allowed to.
    pub(crate) except: &'static [&'static str],
}

const fn words(find: &'static str, say: &'static str) -> Retired {
    Retired {
        find: Find::Words(find),
        say,
        only_in: &[],
        except: &[],
    }
}

const fn name(find: &'static str, say: &'static str) -> Retired {
    Retired {
        find: Find::Name(find),
        say,
        only_in: &[],
        except: &[],
    }
}

impl Retired {
    const fn within(mut self, only_in: &'static [&'static str]) -> Self {
        self.only_in = only_in;
        self
    }

    const fn except(mut self, except: &'static [&'static str]) -> Self {
        self.except = except;
        self
    }
}

const AGENT: &[&str] = &["crates/locule-agent/"];
const CONTROL: &[&str] = &["crates/locule-control/"];
const GUEST: &[&str] = &["crates/locule-guest/"];
const HTTP: &[&str] = &["crates/locule-http/"];
const GUESTS: &[&str] = &[
    "crates/locule-agent/",
    "crates/locule-edge/",
    "crates/locule-guest/",
];
const EVENTS: &[&str] = &[
    "crates/locule-control/",
    "crates/locule-domain/",
    "crates/locule-guest/",
];
const MIB: &[&str] = &[
    "crates/locule-agent/",
    "crates/locule-agent-api/",
    "crates/locule-control/",
    "crates/locule-domain/",
    "crates/locule-testkit/",
];

#[rustfmt::skip]
pub(crate) const RETIRED: &[Retired] = &[
    // What a template leaves on a host, and what a pause leaves.
    words("golden image", "template snapshot"),
    words("golden images", "template snapshots"),
    words("golden memory", "memory of the template snapshot"),
    words("golden disk", "disk of the template snapshot"),
    words("goldens", "template snapshots; of tests: golden files"),
    name("Golden", "TemplateSnapshot").within(AGENT),
    name("from_golden", "from_template_snapshot"),
    words("memory image", "snapshot").except(&["file format"]),
    words("saved image", "snapshot"),
    words("image lost", "snapshot lost").except(&["image_lost"]),
    // The warm pool.
    words("machines that wait", "warm pool"),
    words("machine that waits", "pooled VM"),
    words("waiting machine", "pooled VM"),
    words("waiting machines", "warm pool"),
    name("Waiting", "PooledVm").within(AGENT),
    name("Stock", "PoolLevel").within(AGENT),
    words("warm stock", "pool level"),
    words("keep one", "min warm"),
    name("Rest", "RefillPause").within(AGENT),
    name("Busy", "CreateInProgress").within(AGENT),
    // Creating.
    words("come to be", "create"),
    words("comes to be", "is created"),
    words("came to be", "was created"),
    name("begin", "create").within(AGENT),
    words("awaken", "start_guest"),
    words("practise", "warm up"),
    // Destroying.
    words("bury", "write a tombstone"),
    words("buries", "writes a tombstone"),
    words("buried", "has a tombstone"),
    words("stone", "tombstone"),
    words("grave", "tombstone"),
    name("Held", "ManifestState (agent), HostInventory (control)"),
    // Orders.
    words("obey", "handle"),
    words("obeys", "handles"),
    words("obeyed", "handled"),
    name("Go", "Continue").within(AGENT),
    name("Gone", "Exit").within(AGENT),
    words("heed", "record mark"),
    words("wish", "request; desired state"),
    words("wishes", "requests; desired states"),
    words("wished", "desired"),
    name("want", "desired"),
    name("wanted", "desired, expected"),
    name("Wanted", "SpawnSpec, WatchSpec: the noun"),
    // Time limits.
    words("clocks", "timeouts").except(&["rules of the system call filter"]),
    name("look_at_the_clocks", "check_timeouts"),
    name("tell_clocks", "send_timeouts"),
    // Defragmentation.
    name("pieces", "defragment").within(AGENT),
    words("in pieces", "fragmented"),
    words("leave the image", "stop defragmenting"),
    // A host that stops or runs short of memory.
    name("park", "pause_for_shutdown").within(AGENT),
    words("relieve", "pause for memory"),
    name("let_go", "detach").within(AGENT),
    name("take_up", "adopt").within(AGENT),
    name("take_over", "adopt").within(AGENT),
    words("revive", "adopt"),
    name("Database", "WriteMarkStore").within(AGENT),
    name("Changes", "Events").within(AGENT),
    // The guest.
    name("kept", "scrollback").within(GUEST),
    words("new life", "session reset"),
    name("hold", "standby").within(GUEST),
    name("held", "standby").within(GUEST),
    // The control plane.
    name("settle", "reconcile_row").within(CONTROL),
    name("forget", "destroy_remains: the precise verb").within(CONTROL),
    name("learn", "refresh_from_host").within(CONTROL),
    name("hear", "apply_event").within(CONTROL),
    name("take_report", "apply_report").within(CONTROL),
    name("observe", "apply_event").within(CONTROL),
    name("conclude", "apply_if_unchanged").within(CONTROL),
    name("absent", "apply_absence").within(CONTROL),
    words("trail", "audit log"),
    name("Letter", "EmailTemplate"),
    name("Why", "DestroyReason"),
    name("words", "AuditRecord").within(CONTROL),
    // Connections.
    words("leash", "kill on drop"),
    words("patiently", "retry while the agent restarts"),
    words("see off", "lingering close"),
    words("farewell", "lingering close"),
    name("Quiet", "IdleLimit").within(HTTP),
    name("Room", "IdleLimit: the precise noun").within(HTTP),
    name("Place", "IdleLimit: the precise noun").within(HTTP),
    // Types whose name said too little.
    name("Guest", "GuestClient, GuestState").within(GUESTS),
    name("Identity", "VmmIdentity, OauthProfile: whose identity"),
    name("Event", "ProcessEvent, AuditEvent, SandboxEvent").within(EVENTS),
    name("Refused", "TransitionRefused: what was refused"),
    name("AcceleratorWish", "AcceleratorSetting"),
    name("AcceleratorChoice", "Accelerator"),
    name("memory_mb", "memory_mib").within(MIB),
    // Prose.
    words("room", "capacity, free space, free slot"),
    words("by way of", "with, through"),
    words("doors", "the precise noun"),
    words("at rest", "the precise state"),
    words("birth", "creation"),
    words("death", "exit, end"),
    words("whoever", "the noun"),
    words("somebody", "the noun"),
    words("nobody", "no, and the noun").except(&["NOBODY", "`nobody`", "nobody:"]),
];
