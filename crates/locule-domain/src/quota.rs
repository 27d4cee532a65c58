//! The quota of a team: how many sandboxes it may run and keep at a time, and how much they may use.
//!
//! A running sandbox that the platform pauses at a timeout occupies a place among the paused sandboxes from its creation: the pause
//! cannot be refused then, because the memory of the sandbox would be lost. A sandbox that ends at its timeout occupies none.
//!
//! | operation | is refused |
//! |---|---|
//! | create | when the limits of running sandboxes, of places, or of stored bytes do not allow one more |
//! | pause by a client | when no place is free for the sandbox, or the stored bytes have reached their limit |
//! | a timeout that pauses a running sandbox, for one without | when no place is free for the sandbox |
//! | pause by the platform | never |
//! | resume | when the limits of running sandboxes do not allow one more |
//! | destroy, read | never |
//!
//! A team can therefore exceed the limit of paused sandboxes only by sandboxes that have no place and that the platform pauses all
//! the same, because the host stops or needs memory. They are running sandboxes of the team, and while the limit is exceeded the team
//! creates no sandbox: it never has more sandboxes than both limits together allow.

use std::fmt;

use crate::timeouts::Timeouts;

const MIB: u64 = 1 << 20;

/// What the sandboxes of a team use of its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Sandboxes that are desired to run; their vCPUs and memory.
    pub sandboxes: u32,
    pub vcpus: u32,
    pub memory_mib: u32,
    /// Sandboxes that are desired to be paused.
    pub paused: u32,
    /// Running sandboxes with a place among the paused ones.
    pub places: u32,
    /// Bytes of disks and saved memory, as hosts reported them last.
    pub stored_bytes: u64,
}

/// The limits of one team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub sandboxes_max: u32,
    pub vcpus_max: u32,
    pub memory_mib_max: u32,
    pub creates_per_minute_max: u32,
    /// Paused sandboxes, and running ones that the platform pauses at a timeout.
    pub paused_max: u32,
    pub storage_mib_max: u32,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            sandboxes_max: 1000,
            vcpus_max: 4000,
            memory_mib_max: 4 * 1024 * 1024,
            creates_per_minute_max: 12_000,
            paused_max: 2000,
            storage_mib_max: 512 * 1024,
        }
    }
}

/// What a sandbox needs while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SandboxNeed {
    pub vcpus: u32,
    pub memory_mib: u32,
    /// The platform pauses the sandbox at a timeout.
    pub place: bool,
}

impl SandboxNeed {
    pub fn new(vcpus: u32, memory_mib: u32, timeouts: &Timeouts) -> Self {
        Self {
            vcpus,
            memory_mib,
            place: timeouts.may_pause(),
        }
    }
}

/// A limit of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaLimit {
    Sandboxes,
    Vcpus,
    Memory,
    Paused,
    Storage,
}

impl QuotaLimit {
    /// What the limit counts, and what frees a part of it.
    const fn texts(self) -> (&'static str, &'static str) {
        const END: &str = "destroy or pause a sandbox";
        match self {
            Self::Sandboxes => ("running sandboxes", END),
            Self::Vcpus => ("vCPUs", END),
            Self::Memory => ("MiB of memory", END),
            Self::Paused => (
                "paused sandboxes, running ones that pause at a timeout included,",
                "destroy one of these sandboxes",
            ),
            Self::Storage => ("MiB of disks and saved memory", "destroy a sandbox"),
        }
    }
}

/// The limit that an operation would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Exceeded {
    pub what: QuotaLimit,
    pub limit: u32,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, remedy) = self.what.texts();
        let limit = self.limit;
        write!(
            f,
            "the team's limit of {limit} {what} is reached: {remedy}, or ask an administrator for a higher limit"
        )
    }
}

impl Quota {
    /// Fails if the team may not create this sandbox.
    pub fn check_create(&self, used: &Usage, new: SandboxNeed) -> Result<(), Exceeded> {
        self.check_resume(used, new)?;
        self.check_storage(used)?;
        // Also for a sandbox without a place: while the limit is exceeded, the team creates no sandbox.
        self.check_places(used, u32::from(new.place))
    }

    /// Fails if the team may not let this sandbox run again. A team that has reached the limits of paused sandboxes and of stored bytes
    /// still gets at its data.
    pub fn check_resume(&self, used: &Usage, paused: SandboxNeed) -> Result<(), Exceeded> {
        let rows = [
            (
                QuotaLimit::Sandboxes,
                self.sandboxes_max,
                used.sandboxes.saturating_add(1),
            ),
            (
                QuotaLimit::Vcpus,
                self.vcpus_max,
                used.vcpus.saturating_add(paused.vcpus),
            ),
            (
                QuotaLimit::Memory,
                self.memory_mib_max,
                used.memory_mib.saturating_add(paused.memory_mib),
            ),
        ];
        let exceeded = rows.into_iter().find(|(_, limit, after)| after > limit);
        exceeded.map_or(Ok(()), |(what, limit, _)| Err(Exceeded { what, limit }))
    }

    /// Fails if a client may not pause this running sandbox, which `used` contains.
    pub fn check_pause(&self, used: &Usage, running: SandboxNeed) -> Result<(), Exceeded> {
        self.check_storage(used)?;
        self.check_places(used, u32::from(!running.place))
    }

    /// Fails if no place is free for a running sandbox that gets one, which `used` contains without a place.
    pub fn check_place(&self, used: &Usage) -> Result<(), Exceeded> {
        self.check_places(used, 1)
    }

    fn check_places(&self, used: &Usage, more: u32) -> Result<(), Exceeded> {
        let after = used.paused.saturating_add(used.places).saturating_add(more);
        if after > self.paused_max {
            let (what, limit) = (QuotaLimit::Paused, self.paused_max);
            return Err(Exceeded { what, limit });
        }
        Ok(())
    }

    fn check_storage(&self, used: &Usage) -> Result<(), Exceeded> {
        if used.stored_bytes >= u64::from(self.storage_mib_max) * MIB {
            let (what, limit) = (QuotaLimit::Storage, self.storage_mib_max);
            return Err(Exceeded { what, limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: Quota = Quota {
        sandboxes_max: 2,
        vcpus_max: 4,
        memory_mib_max: 1024,
        creates_per_minute_max: 1,
        paused_max: 2,
        storage_mib_max: 100,
    };

    fn sized(place: bool) -> SandboxNeed {
        SandboxNeed {
            vcpus: 2,
            memory_mib: 512,
            place,
        }
    }

    #[test]
    fn usage_up_to_the_limit_is_allowed_and_usage_above_it_is_refused() {
        let used = |sandboxes, vcpus, memory_mib| Usage {
            sandboxes,
            vcpus,
            memory_mib,
            ..Usage::default()
        };
        SMALL.check_create(&used(1, 2, 512), sized(true)).unwrap();
        for (used, what) in [
            (used(2, 0, 0), QuotaLimit::Sandboxes),
            (used(1, 3, 0), QuotaLimit::Vcpus),
            (used(1, 2, u32::MAX), QuotaLimit::Memory),
        ] {
            for check in [Quota::check_create, Quota::check_resume] {
                let exceeded = check(&SMALL, &used, sized(false)).unwrap_err();
                assert_eq!(exceeded.what, what);
            }
        }
    }

    #[test]
    fn a_reached_limit_of_what_is_kept_refuses_creates_and_pauses_and_no_resume() {
        let kept = |paused, places, mib: u64| Usage {
            paused,
            places,
            stored_bytes: mib * MIB,
            ..Usage::default()
        };
        // Whether a create with and without a place, and a pause with and without a place, are allowed.
        for (used, allowed) in [
            (kept(0, 1, 99), [true, true, true, true]),
            (kept(1, 1, 0), [false, true, true, false]),
            (kept(2, 0, 0), [false, true, true, false]),
            (kept(2, 1, 0), [false, false, false, false]),
            (kept(0, 0, 100), [false, false, false, false]),
        ] {
            let found = [
                SMALL.check_create(&used, sized(true)).is_ok(),
                SMALL.check_create(&used, sized(false)).is_ok(),
                SMALL.check_pause(&used, sized(true)).is_ok(),
                SMALL.check_pause(&used, sized(false)).is_ok(),
            ];
            assert_eq!(found, allowed, "{used:?}");
            SMALL.check_resume(&used, sized(true)).unwrap();
        }
    }

    #[test]
    fn the_error_names_the_limit_and_what_frees_a_part_of_it() {
        let exceeded = Exceeded {
            what: QuotaLimit::Paused,
            limit: 7,
        };
        let text = "the team's limit of 7 paused sandboxes, running ones that pause at a timeout included, is reached: destroy one of \
                    these sandboxes, or ask an administrator for a higher limit";
        assert_eq!(exceeded.to_string(), text);
    }

    /// One sandbox of a team in the law below.
    #[derive(Debug, Clone, Copy)]
    struct Kept {
        place: bool,
        is_running: bool,
        bytes: u64,
    }

    #[derive(Debug, Clone, Copy)]
    enum Act {
        Create {
            place: bool,
        },
        Pause(usize),
        Resume(usize),
        Destroy(usize),
        /// A timeout of the sandbox passes: it is paused if it has a place, and ends if not.
        TimeOut(usize),
        /// The host stops, or needs memory: the sandbox is paused whatever its timeouts say.
        PauseForHost(usize),
        Write(usize),
        /// A timeout that pauses is set.
        TakePlace(usize),
    }

    /// The most that one sandbox stores: its disk and its memory.
    const SANDBOX_BYTES_MAX: u64 = 60 * MIB;

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => any::<bool>().prop_map(|place| Act::Create { place }),
            2 => any::<usize>().prop_map(Act::Pause),
            1 => any::<usize>().prop_map(Act::Resume),
            1 => any::<usize>().prop_map(Act::Destroy),
            3 => any::<usize>().prop_map(Act::TimeOut),
            2 => any::<usize>().prop_map(Act::PauseForHost),
            2 => any::<usize>().prop_map(Act::Write),
            2 => any::<usize>().prop_map(Act::TakePlace),
        ]
    }

    fn usage(kept: &[Kept]) -> Usage {
        let count = |counted: fn(&Kept) -> bool| {
            u32::try_from(kept.iter().filter(|one| counted(one)).count()).unwrap()
        };
        Usage {
            sandboxes: count(|one| one.is_running),
            paused: count(|one| !one.is_running),
            places: count(|one| one.is_running && one.place),
            stored_bytes: kept.iter().map(|one| one.bytes).sum(),
            ..Usage::default()
        }
    }

    /// As [`perform`], for an act that changes one sandbox.
    fn change(quota: &Quota, used: &Usage, kept: &mut Kept, act: Act) -> bool {
        match act {
            Act::Pause(_) => {
                let allowed = quota.check_pause(used, need(*kept)).is_ok();
                kept.is_running &= !allowed;
            }
            Act::Resume(_) => {
                let runs = quota.check_resume(used, need(*kept)).is_ok();
                assert!(
                    kept.is_running || runs || used.sandboxes >= quota.sandboxes_max,
                    "a team that may run one more sandbox can always resume"
                );
                kept.is_running |= runs;
            }
            Act::TakePlace(_) => {
                let allowed = kept.place || !kept.is_running || quota.check_place(used).is_ok();
                kept.place |= allowed;
            }
            Act::PauseForHost(_) => {
                let without_place = kept.is_running && !kept.place;
                kept.is_running = false;
                return without_place;
            }
            Act::Write(_) => kept.bytes = SANDBOX_BYTES_MAX,
            Act::Create { .. } | Act::Destroy(_) | Act::TimeOut(_) => {}
        }
        false
    }

    fn need(one: Kept) -> SandboxNeed {
        SandboxNeed {
            vcpus: 0,
            memory_mib: 0,
            place: one.place,
        }
    }

    /// Does what the quota allows, and returns whether the act was a pause without a place.
    fn perform(quota: &Quota, kept: &mut Vec<Kept>, act: Act) -> bool {
        let used = usage(kept);
        let at = |number: usize, kept: &[Kept]| number.checked_rem(kept.len());
        match act {
            Act::Create { place } => {
                let new = Kept {
                    place,
                    is_running: true,
                    bytes: 0,
                };
                if quota.check_create(&used, need(new)).is_ok() {
                    kept.push(new);
                }
            }
            Act::Destroy(number) => {
                if let Some(at) = at(number, kept) {
                    kept.swap_remove(at);
                }
            }
            Act::TimeOut(number) => {
                let Some(at) = at(number, kept) else {
                    return false;
                };
                if kept[at].is_running && !kept[at].place {
                    kept.swap_remove(at);
                } else {
                    kept[at].is_running = false;
                }
            }
            Act::Pause(number)
            | Act::Resume(number)
            | Act::PauseForHost(number)
            | Act::Write(number)
            | Act::TakePlace(number) => {
                let Some(at) = at(number, kept) else {
                    return false;
                };
                return change(quota, &used, &mut kept[at], act);
            }
        }
        false
    }

    proptest! {
        /// Whatever a team does, and in whatever order timeouts pass: "create, let it time out, create" gains nothing.
        #[test]
        fn no_sequence_of_creates_timeouts_and_pauses_exceeds_the_limits(
            acts in prop::collection::vec(act(), 0..120),
            sandboxes_max in 0_u32..5,
            paused_max in 0_u32..5,
        ) {
            let quota = Quota { sandboxes_max, paused_max, storage_mib_max: 200, ..Quota::default() };
            let (mut kept, mut paused_for_host) = (Vec::new(), false);
            for act in acts {
                let before = kept.len();
                let stored = usage(&kept).stored_bytes;
                paused_for_host |= perform(&quota, &mut kept, act);
                let used = usage(&kept);
                prop_assert!(used.sandboxes <= sandboxes_max);
                if !paused_for_host {
                    prop_assert!(used.paused + used.places <= paused_max, "{used:?} after {act:?}");
                }
                prop_assert!(kept.len() <= usize::try_from(sandboxes_max + paused_max).unwrap());
                if kept.len() > before {
                    prop_assert!(stored < 200 * MIB, "created above the limit of stored bytes");
                }
            }
        }
    }
}
