//! Which Helm is followed.

/// A generation of Helm. They differ in a few places, each of which names the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Dialect {
    /// Helm 4.2.3.
    #[default]
    Helm4,
    /// Helm 3.21.4.
    Helm3,
}
