//! Operations on sandboxes in the native dialect.

pub(crate) mod create;
pub(crate) mod lifecycle;
pub(crate) mod read;
