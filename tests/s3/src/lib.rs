//! An S3 server in memory, for tests: conditions are atomic, requests are counted and must be
//! signed, and faults, latency and the quirks of other stores come to order.
//!
//! It is no store for anybody's data, and knows only the operations that Cairn uses.

mod faults;
mod objects;
mod quirks;
mod server;
mod service;
mod traffic;

pub use faults::{Death, Fault};
pub use quirks::Quirks;
pub use server::S3Server;
pub use traffic::{Operation, Request};

/// The only bucket.
pub const BUCKET: &str = "cairn";
/// The only user's access key.
pub const ACCESS_KEY_ID: &str = "AKIDTEST";
/// The only user's secret.
pub const SECRET_ACCESS_KEY: &str = "not-a-secret";
