//! What agents and hubs say to each other (`spec/agent.md`).

mod status;

pub use status::*;
