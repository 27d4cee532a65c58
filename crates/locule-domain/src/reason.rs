//! Why a sandbox ended. The reason is never lost: the API shows it, the row keeps it, the audit log records it.

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
    /// Why a sandbox is `stopped`.
    StopReason {
        /// A request or a job destroyed the sandbox.
        Destroyed = "destroyed",
        /// The sandbox expired.
        Expired = "expired",
        /// The guest powered off or rebooted.
        GuestShutdown = "guest_shutdown",
        /// The host does not have the VM any more. Inferred from absence: a later report of the host may undo it.
        VmLost = "vm_lost",
        /// Its host was removed.
        HostDeleted = "host_deleted",
    }
}

reasons! {
    /// Why a sandbox is in `error`.
    ErrorReason {
        /// It never came to run.
        CreateFailed = "create_failed",
        /// Its paused image was not there any more. Inferred from absence: evidence may undo it.
        SnapshotLost = "image_lost",
    }
}
