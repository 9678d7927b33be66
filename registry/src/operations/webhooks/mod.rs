//! Tells others about changes: at least once each, and never before it can be told again.
//!
//! Events are records of the metadata store, written in the same batch as the change they announce
//! ([`outbox`]) and deleted once they were delivered ([`delivery`]). A crash between the two
//! delivers again; receivers know a repetition by its `webhook-id`.
//!
//! Events precede their change in the batch. On a store without transactions a crash or a lost
//! race between the two leaves an event whose change never came: receivers that act on content ask
//! the registry for it.

mod delivery;
mod endpoint;
mod event;
mod outbox;

#[cfg(test)]
mod tests;

pub(crate) use delivery::{Outbox, deliver_until};
pub(crate) use endpoint::{Endpoint, Message, Post, Refusal};
pub(crate) use outbox::AnnouncedMetadata;
