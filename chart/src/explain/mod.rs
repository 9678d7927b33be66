//! Where the fields of rendered objects came from: which values, which places in templates, and
//! which conditions.
//!
//! [`crate::Release::find_object`] finds an object, [`Fields`] reads it, a [`FieldPath`] leads to a
//! field, and [`Explanation`] says what is known of its bytes.

mod explanation;
mod fields;
mod lines;
mod objects;
mod path;
mod value_paths;

pub use cairn_template::{Cause, CauseKind};
pub use explanation::{Explanation, OriginKind, Written, missing_in};
pub use fields::{Child, Fields};
pub use lines::{FieldLeaf, Line};
pub use objects::{ObjectName, find_object};
pub use path::FoundNode;
pub use path::{FieldPath, Found, NoField};
pub use value_paths::ValuePaths;
