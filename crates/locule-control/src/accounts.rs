//! What people do about their own accounts, one use case a file.

mod delete;
mod login;
mod me;
mod oauth;
mod password;
mod reset;
mod search;
mod sign_up;

pub use me::Me;
pub use oauth::{Finished, OauthRefusal, Returned, STATE_SECONDS, SentAway};
pub use sign_up::SignedUp;
