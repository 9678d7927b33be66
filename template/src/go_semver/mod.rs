//! Versions and constraints as `Masterminds/semver` 3.5 reads them, which decides for Helm what
//! `kubeVersion`, `dependencies[].version`, `semver` and `semverCompare` mean.
//!
//! ```
//! use cairn_template::go_semver::{Constraint, Version};
//!
//! let constraint = Constraint::parse(">=1.22-0 <2 || 3.x").unwrap();
//! assert!(constraint.check(&Version::parse("v1.30").unwrap()));
//! assert_eq!(
//!     constraint.validate(&Version::parse("2.1").unwrap()).unwrap_err(),
//!     [r#""2.1.0" is greater than or equal to "2""#, r#""2.1.0" is less than "3.x""#],
//! );
//! ```

mod check;
mod constraint;
mod object;
mod version;

pub use constraint::{Constraint, MAX_CONSTRAINT_BYTES, MAX_CONSTRAINT_GROUPS};
pub use version::{MAX_VERSION_BYTES, Version};
