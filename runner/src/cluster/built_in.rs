//! Whose kinds have no definitions that could be read.

use cairn_spec::is_built_in_group;

/// True if a group's kinds come with Kubernetes, as those of all groups without a dot do.
pub(crate) fn is_built_in(group: &str) -> bool {
    !group.contains('.') || is_built_in_group(group)
}
