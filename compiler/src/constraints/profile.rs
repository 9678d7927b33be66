//! What holds for a profile as a whole: its type, and capabilities of which there can be only one.

use cairn_spec::{Diagnostic, LayerKind, ProfileType, Provides};

use crate::{Session, profile::Stack, resolve::ResolvedLayer};

/// A capability that one pack provides exclusively has no other provider.
pub(super) fn check_exclusive(layers: &[ResolvedLayer], session: &mut Session) {
    let mut seen: Vec<(&Provides, &ResolvedLayer)> = Vec::new();
    for layer in layers {
        for provided in layer
            .pack
            .iter()
            .flat_map(|pack| &pack.pack.manifest.spec.constraints.provides)
        {
            let rival = seen.iter().find(|(other, rival)| {
                other.capability == provided.capability
                    && (other.exclusive || provided.exclusive)
                    && rival.layer.name != layer.layer.name
            });
            if let Some((_, rival)) = rival {
                session.report(
                    Diagnostic::error("constraint-exclusive", format!("layers `{}` and `{}` both provide `{}`, of which there can be only one", rival.layer.name, layer.layer.name, provided.capability))
                        .at(layer.layer.span)
                        .label(rival.layer.span, "the other one is here")
                        .hint("remove one of the two layers"),
                );
            }
            seen.push((provided, layer));
        }
    }
}

/// A cluster profile is whole; an add-on profile has add-ons only.
pub(super) fn check_profile_type(stack: &Stack, layers: &[ResolvedLayer], session: &mut Session) {
    match stack.profile_type {
        ProfileType::Cluster => {
            for kind in [LayerKind::Os, LayerKind::Kubernetes] {
                if !layers.iter().any(|layer| layer.kind == kind) && stack.is_complete(layers.len())
                {
                    session.report(
                        Diagnostic::error(
                            "profile-incomplete",
                            format!("a profile of type `cluster` needs a layer of kind `{kind}`"),
                        )
                        .at(stack.span)
                        .hint("add the layer, or make the type `addon`"),
                    );
                }
            }
        }
        ProfileType::Infra => {
            refuse_kinds(layers, |kind| kind == LayerKind::Addon, "infra", session);
        }
        ProfileType::Addon => {
            refuse_kinds(layers, |kind| kind != LayerKind::Addon, "addon", session);
        }
    }
    for kind in [LayerKind::Os, LayerKind::Kubernetes] {
        let mut of_kind = layers.iter().filter(|layer| layer.kind == kind);
        if let (Some(first), Some(second)) = (of_kind.next(), of_kind.next()) {
            session.report(
                Diagnostic::error(
                    "layer-kind",
                    format!("there are two layers of kind `{kind}`"),
                )
                .at(second.layer.span)
                .label(first.layer.span, "the other one is here")
                .hint("remove one of the two layers"),
            );
        }
    }
}

fn refuse_kinds(
    layers: &[ResolvedLayer],
    refused: fn(LayerKind) -> bool,
    profile_type: &str,
    session: &mut Session,
) {
    for layer in layers.iter().filter(|layer| refused(layer.kind)) {
        session.report(
            Diagnostic::error(
                "layer-kind",
                format!(
                    "a profile of type `{profile_type}` cannot have layer `{}` of kind `{}`",
                    layer.layer.name, layer.kind
                ),
            )
            .at(layer.layer.span)
            .hint("make the type `cluster`, or move the layer to another profile"),
        );
    }
}
