//! Moves OCI content between registries, layouts and memory, and signs and verifies it.
//!
//! A [`Client`] speaks to registries. A repository of a registry ([`Repository`]), an image layout
//! ([`LayoutStore`]) and a [`MemoryStore`] implement the same small traits of [`store`], so
//! [`copy`](copy()) moves whole graphs between any two of them, and [`sign`] and [`trust`] work
//! wherever content is. Content is read only through a [`VerifyReader`], which checks size and
//! digest to the end.
//!
//! The crate does not know what a pack or a bundle is, and never looks at the environment.
#![warn(missing_docs)]

pub mod charts;
mod copy;
pub mod envelope;
mod error;
pub mod key;
pub mod keyring;
pub mod limits;
pub mod network;
mod progress;
mod remote;
pub mod request_token;
pub mod sign;
pub mod store;
pub mod sync;
pub mod trust;

pub use copy::{Copied, CopyOptions, copy};
pub use error::{Error, RequestError, chain};
pub use key::{PrivateKey, PublicKey};
pub use progress::{Event, Progress};
pub use remote::{
    Client, Credential, Credentials, Options, PullLimits, Pushed, Repository, Upload, docker_config,
};
pub use store::{Name, VerifyReader, layout::LayoutStore, memory::MemoryStore};
