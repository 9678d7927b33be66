//! Applies a profile's patches to the rendered objects.

use cairn_spec::Node;

use crate::{
    Session,
    object::{self, Object},
    patch::{self, MergeKeys, ObjectRef, Patch},
    profile::Stack,
    resolve::ResolvedLayer,
    values::interpolate::Interpolator,
};

/// Applies all patches in order; references in them are resolved first.
pub(crate) fn apply(
    stack: &Stack,
    layers: &[&ResolvedLayer],
    objects: &mut Vec<Object>,
    interpolator: &mut Interpolator<'_>,
    session: &mut Session,
) {
    if stack.patches.is_empty() {
        return;
    }
    let mut merge_keys = MergeKeys::new();
    for object in &*objects {
        merge_keys.learn(&object.node);
    }
    for (spec, node) in &stack.patches {
        let body = node
            .get("patch")
            .cloned()
            .unwrap_or_else(|| Node::generated(cairn_spec::Value::Null));
        let Some(body) = interpolator.tree(&body, session) else {
            continue;
        };
        let target = node
            .get("target")
            .map_or(node.origin, |target| target.origin);
        let patch = Patch::new(spec, body, target);
        let mut references: Vec<ObjectRef<'_>> = objects
            .iter_mut()
            .map(|object| ObjectRef {
                layer: layers[object.layer].layer.name.as_str(),
                pack: layers[object.layer]
                    .pack
                    .as_ref()
                    .map(|resolved| resolved.pack.manifest.metadata.name.as_str()),
                node: &mut object.node,
            })
            .collect();
        let outcome = patch::apply(&patch, &mut references, &merge_keys, &mut session.origins);
        session.diagnostics.extend(outcome.diagnostics);
        let removed: Vec<usize> = outcome
            .removed
            .into_iter()
            .map(|(index, _)| index)
            .collect();
        let mut index = 0;
        objects.retain(|_| {
            index += 1;
            !removed.contains(&(index - 1))
        });
    }
    for object in objects {
        object.id = object::identify(&object.node);
    }
}
