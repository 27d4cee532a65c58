//! The reasons for which a sandbox ends, or is paused without an order. They are shown to users, stored in the row, and written to the
//! audit log.

use std::fmt;
use std::str::FromStr;

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == text).ok_or(())
            }
        }
    };
}

reasons! {
    /// The reason for which a sandbox is `stopped`.
    StopReason {
        /// By a request.
        Destroyed = "destroyed",
        /// `expires_at` was reached.
        Expired = "expired",
        /// The guest powered off or rebooted.
        GuestShutdown = "guest_shutdown",
        /// The VM is gone from its host. Inferred from absence: a report of the sandbox undoes it.
        VmLost = "vm_lost",
        /// The host was deleted, with all of its sandboxes.
        HostDeleted = "host_deleted",
    }
}

reasons! {
    /// The reason for which a host paused a sandbox without an order. A pause by an order has no reason.
    PauseReason {
        /// The idle timeout passed.
        Idle = "idle",
        /// `expires_at` was reached.
        Expired = "expired",
        /// The memory of the host ran short.
        MemoryPressure = "memory_pressure",
        /// The host agent stopped.
        HostStopping = "host_stopping",
        /// The host is being drained. The control plane pauses its sandboxes.
        HostDrained = "host_drained",
        /// The host agent had no contact with the control plane.
        ControlPlaneLost = "control_plane_lost",
    }
}

reasons! {
    /// The reason for which a sandbox is in `error`.
    ErrorReason {
        /// The sandbox never ran.
        CreateFailed = "create_failed",
        /// The snapshot of the paused sandbox is gone from its host. Inferred from absence: a report of the sandbox undoes it.
        SnapshotLost = "image_lost",
    }
}
