//! What people do about their own accounts, one use case a file.

mod delete;
mod login;
mod me;
mod password;
mod reset;
mod search;
mod sign_up;

pub use me::Me;
pub use sign_up::SignedUp;
