//! What the agent tells of its cluster: nodes, what pods ask for and use, what does not run as it should,
//! warnings, certificates, and the agent itself.
//!
//! Of each object as much is kept as the report needs, page by page, and watches bring what changes. So an agent
//! that has nothing to do asks for nothing. What computes is pure: views of objects in, a document out.

mod certificate;
mod cut;
mod itself;
mod layers;
mod metadata;
mod node;
mod observed;
mod pod;
mod pressing;
mod quantity;
mod reporter;
mod usage;
mod warning;
mod workload;

pub use cut::fitted;
pub use layers::describe_drift;
pub use pressing::Pressing;
pub use reporter::{Reporter, Syncing};
