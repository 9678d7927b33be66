//! With a hub: joins it, tells it how the cluster is, and takes from it what was signed elsewhere.
//!
//! The hub is believed nothing but what the keyring has signed. While it is away, what was accepted last
//! stays enforced, and what happens is kept for later.

mod content;
mod haste;
mod identity;
mod join;
mod news;
mod session;
mod sync;
mod wire;

pub use content::fetch;
pub use identity::{Identity, is_renewal_due};
pub use join::Introduction;
pub use session::{Report, Session};
pub use sync::{HubFollower, SyncError};
pub use wire::{Wire, WireError};
