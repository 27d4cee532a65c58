//! Why a sandbox ended. Never lost: shown, kept in the row, written to the audit trail.

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
        /// Somebody asked for it.
        Destroyed = "destroyed",
        /// Its time was over.
        Expired = "expired",
        /// The guest powered off or rebooted.
        GuestShutdown = "guest_shutdown",
        /// Its VM was not there any more. Inferred from absence: evidence may undo it.
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
