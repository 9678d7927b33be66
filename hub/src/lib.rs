//! The hub that agents speak to (`spec/agent.md`): who may join, what each cluster is to run, and
//! what clusters say of themselves.
//!
//! A hub decides nothing about clusters. It passes on what was signed elsewhere, and only what the
//! keyring's keys have signed comes in. [`Config`], [`build`] and [`App::run`] make a server of it;
//! a larger server takes [`Hub`] and [`router`] instead. What must last goes through [`HubStore`];
//! [`MemoryStore`] is one for a single process.
#![warn(missing_docs)]

mod app;
mod authentication;
mod authority;
mod clock;
mod config;
mod content;
mod error;
mod fleet;
mod http;
mod hub;
mod joining;
mod offers;
mod once;
mod rate;
mod renewal;
mod roster;
mod store;
mod sync;
mod tls;

pub use app::{App, build};
pub use authority::Authority;
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{Config, Limits, Settings, TlsConfig};
pub use content::{ContentError, ContentSource, RegistryContent};
pub use error::Error;
pub use fleet::{AgentView, Knowledge};
pub use http::router;
pub use hub::Hub;
pub use joining::NewToken;
pub use offers::{Offered, Rotated};
pub use store::{
    AgentRecord, AgentState, Changes, Contact, HubStore, KeyringRecord, MemoryStore, Offer, Report,
    StoreError, TokenRecord,
};
