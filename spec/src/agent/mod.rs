//! What agents and their hub say to each other (`spec/agent.md`): the desired state that is signed,
//! the keys that sign it, the messages of the protocol, and what an agent reports of its cluster.
//!
//! What is signed refuses unknown keys, for nobody signs what is then left out. Messages ignore
//! them, so that either side may be newer than the other.

mod command;
mod desired;
mod keyring;
pub mod limits;
mod message;
mod policy;
mod problem;
mod status;
mod sync;
mod token;
mod window;

pub use command::{Command, CommandKind};
pub use desired::{Audience, BundleSource, DesiredState, DesiredStateError};
pub use keyring::{Keyring, KeyringError};
pub use message::{Intervals, Register, Registered, RegistrationPending, Renew, Renewed};
pub use policy::{
    Adoption, Drift, DriftAction, IgnoreRule, IgnoreTarget, ObjectKey, OnFailure, Pause, Policy,
};
pub use problem::{Problem, ProblemCode};
pub use status::*;
pub use sync::{Applied, Next, Phase, Refused, Sync, SyncAnswer, Transition};
pub use token::{JoinToken, JoinTokenError, RequestClaims, TokenHeader};
pub use window::{Day, Window, Windows};

/// The payload type of an envelope that holds a [`DesiredState`].
pub const DESIRED_STATE_TYPE: &str = "application/vnd.cairn.desired-state.v1+json";
/// The payload type of an envelope that holds a [`Keyring`].
pub const KEYRING_TYPE: &str = "application/vnd.cairn.keyring.v1+json";
