//! Checks what packs say of each other, of Kubernetes and of the platform (`spec/profile.md` §5).

mod pack;
mod profile;

use cairn_spec::{LayerName, Version};

use crate::{Session, profile::Stack, resolve::ResolvedLayer};

/// A layer that cannot work without another one, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirement {
    pub(crate) layer: LayerName,
    pub(crate) needs: LayerName,
    pub(crate) reason: String,
}

/// Reports every constraint that does not hold; returns the requirements that do.
pub(crate) fn check(
    stack: &Stack,
    layers: &[ResolvedLayer],
    kubernetes: Option<&Version>,
    session: &mut Session,
) -> Vec<Requirement> {
    profile::check_profile_type(stack, layers, session);
    profile::check_exclusive(layers, session);
    pack::check(layers, stack.is_complete(layers.len()), kubernetes, session)
}
