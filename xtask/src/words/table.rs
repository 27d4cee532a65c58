//! The retired words: what is not written any more, and what is written instead. The reasons are in docs/GLOSSARY.md.

/// Where a retired word is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Find {
    /// A word or a phrase, in any case: in prose, and as the parts of an identifier (`golden image` finds `GoldenImage`).
    Words(&'static str),
    /// A whole identifier in the code of Rust files, in this case.
    Name(&'static str),
    /// The declaration of a type with this name: a variant of an enum, whose enum is named beside it, may be called so.
    Type(&'static str),
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

const fn type_name(find: &'static str, say: &'static str) -> Retired {
    Retired {
        find: Find::Type(find),
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
/// Where a type says what a host holds.
const INVENTORIES: &[&str] = &[
    "crates/locule-agent/src/ledger",
    "crates/locule-agent/src/manifest",
    "crates/locule-control/",
    "crates/locule-testkit/",
];
/// The identity of a caller is one, and the control plane's.
const IDENTITIES: &[&str] = &[
    "crates/locule-agent/",
    "crates/locule-domain/",
    "crates/locule-guest/",
    "crates/locule-http/",
    "crates/locule-store/",
    "crates/locule-vmm/",
];
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
/// Where a state can be desired. Elsewhere a number of bytes may be wanted.
const DESIRED: &[&str] = &[
    "crates/locule-agent/src/",
    "crates/locule-agent-api/src/",
    "crates/locule-control/src/",
    "crates/locule-domain/src/",
    "crates/locule-store/src/",
];
/// Not the host messages: the fields of the wire are `memory_mb`.
const MIB: &[&str] = &[
    "crates/locule-agent/",
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
    type_name("Golden", "TemplateSnapshot").within(AGENT),
    name("from_golden", "from_template_snapshot"),
    words("memory image", "snapshot").except(&["file format"]),
    words("saved image", "snapshot"),
    words("image lost", "snapshot lost").except(&["image_lost"]),
    // The warm pool.
    words("machines that wait", "warm pool"),
    words("machine that waits", "pooled VM"),
    words("waiting machine", "pooled VM"),
    words("waiting machines", "warm pool"),
    type_name("Waiting", "PooledVm").within(AGENT),
    type_name("Stock", "PoolLevel").within(AGENT),
    words("warm stock", "pool level").except(&["WarmStock"]),
    words("keep one", "min warm"),
    type_name("Rest", "RefillPause").within(AGENT),
    type_name("Busy", "CreateInProgress").within(AGENT),
    // Creating.
    words("come to be", "create"),
    words("comes to be", "is created"),
    words("came to be", "was created"),
    name("begin", "create").within(&["crates/locule-agent/src/driver"]),
    words("awaken", "start_guest"),
    words("practise", "warm up"),
    // Destroying.
    words("bury", "write a tombstone"),
    words("buries", "writes a tombstone"),
    words("buried", "has a tombstone"),
    words("stone", "tombstone"),
    words("grave", "tombstone"),
    type_name("Held", "ManifestState (agent), HostInventory (control)").within(INVENTORIES),
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
    name("want", "desired").within(DESIRED),
    name("wanted", "desired").within(DESIRED),
    type_name("Wanted", "SpawnSpec, WatchSpec: the noun"),
    // Time limits.
    words("clocks", "timeouts").except(&["system clocks", "clocks of the operating system", "reads the clocks"]),
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
    type_name("Database", "WriteMarkStore").within(AGENT),
    type_name("Changes", "Events").within(AGENT),
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
    name("absent", "apply_absence").within(&["crates/locule-control/src/"]),
    words("trail", "audit log"),
    type_name("Letter", "EmailTemplate"),
    type_name("Why", "DestroyReason"),
    name("words", "AuditRecord").within(CONTROL),
    // Connections.
    words("leash", "kill on drop"),
    words("patiently", "retry while the agent restarts"),
    words("see off", "lingering close"),
    words("farewell", "lingering close"),
    type_name("Quiet", "IdleLimit").within(HTTP),
    type_name("Room", "IdleLimit: the precise noun").within(HTTP),
    type_name("Place", "IdleLimit: the precise noun").within(HTTP),
    // Types whose name said too little.
    type_name("Guest", "GuestClient, GuestState").within(GUESTS),
    type_name("Identity", "VmmIdentity, OauthProfile: whose identity").within(IDENTITIES),
    type_name("Event", "ProcessEvent, AuditEvent, SandboxEvent").within(EVENTS),
    type_name("Refused", "TransitionRefused: what was refused"),
    type_name("AcceleratorWish", "AcceleratorSetting"),
    type_name("AcceleratorChoice", "Accelerator"),
    // The registration of a host agent has the fields of the wire, too.
    name("memory_mb", "memory_mib")
        .within(MIB)
        .except(&["memory_mb: number"]),
    // Prose.
    words("room", "capacity, free space, free slot"),
    words("by way of", "with, through"),
    words("doors", "the precise noun"),
    words("at rest", "the precise state"),
    words("birth", "creation"),
    words("death", "exit, end").except(&["pdeathsig", "death signal", "death_signal"]),
    words("whoever", "the noun"),
    words("somebody", "the noun"),
    words("nobody", "no, and the noun").except(&["NOBODY", "`nobody`", "nobody:"]),
];
