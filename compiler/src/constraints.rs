//! Checks what packs say of each other, of Kubernetes and of the platform (`spec/profile.md` §5).

use cairn_spec::{
    Diagnostic, LayerKind, LayerName, PackRequirement, ProfileType, Span, Version, suggest,
};

use crate::{
    Session,
    profile::Stack,
    resolve::{ResolvedLayer, ResolvedPack},
};

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
    let mut met = Vec::new();
    check_profile_type(stack, layers, session);
    check_exclusive(layers, session);
    for layer in layers {
        let Some(resolved) = &layer.pack else {
            continue;
        };
        let checker = Checker {
            layers,
            layer,
            resolved,
        };
        checker.kubernetes(kubernetes, session);
        checker.requires(&mut met, session);
        checker.constrains(session);
        checker.conflicts(session);
        checker.platform(session);
    }
    met
}

struct Checker<'a> {
    layers: &'a [ResolvedLayer],
    layer: &'a ResolvedLayer,
    resolved: &'a ResolvedPack,
}

impl Checker<'_> {
    fn place(&self, pointer: &str, session: &Session) -> Option<Span> {
        session.span_at(
            &self.resolved.pack.manifest_node,
            &format!("/spec/constraints{pointer}"),
        )
    }

    fn title(&self) -> String {
        let metadata = &self.resolved.pack.manifest.metadata;
        format!("pack `{}` {}", metadata.name, metadata.version)
    }

    fn others(&self) -> impl Iterator<Item = (&ResolvedLayer, &ResolvedPack)> {
        self.layers
            .iter()
            .filter(|other| !std::ptr::eq(*other, self.layer))
            .filter_map(|other| other.pack.as_ref().map(|pack| (other, pack)))
    }

    fn kubernetes(&self, target: Option<&Version>, session: &mut Session) {
        let Some((target, range)) = target.zip(
            self.resolved
                .pack
                .manifest
                .spec
                .constraints
                .kubernetes
                .as_ref(),
        ) else {
            return;
        };
        if !range.matches_platform(target) {
            session.report(
                Diagnostic::error(
                    "constraint-kubernetes",
                    format!(
                        "{} works on Kubernetes `{range}`, not on {target}",
                        self.title()
                    ),
                )
                .at(self.layer.layer.span)
                .label(self.place("/kubernetes", session), "the pack says so here")
                .hint("choose another version of the pack, or another Kubernetes layer"),
            );
        }
    }

    fn requires(&self, met: &mut Vec<Requirement>, session: &mut Session) {
        for (index, requirement) in self
            .resolved
            .pack
            .manifest
            .spec
            .constraints
            .requires
            .iter()
            .enumerate()
        {
            let place = self.place(&format!("/requires/{index}"), session);
            match self.find(requirement) {
                Ok((layer, reason)) => {
                    met.push(Requirement {
                        layer: self.layer.layer.name.clone(),
                        needs: layer,
                        reason,
                    });
                }
                Err((message, hint)) => session.report(
                    Diagnostic::error("constraint-requires", format!("{} {message}", self.title()))
                        .at(self.layer.layer.span)
                        .label(place, "the pack says so here")
                        .maybe_hint(hint),
                ),
            }
        }
    }

    /// The layer that meets a requirement, or what is wrong.
    fn find(
        &self,
        requirement: &PackRequirement,
    ) -> Result<(LayerName, String), (String, Option<String>)> {
        let wanted = |range: &Option<_>| {
            range
                .as_ref()
                .map_or(String::new(), |range| format!(" `{range}`"))
        };
        match (&requirement.pack, &requirement.capability) {
            (Some(name), None) => {
                let Some((layer, pack)) = self
                    .others()
                    .find(|(_, other)| other.pack.manifest.metadata.name == *name)
                else {
                    let known = self
                        .others()
                        .map(|(_, other)| other.pack.manifest.metadata.name.as_str())
                        .collect::<Vec<_>>();
                    let hint = suggest(name.as_str(), known.iter().copied())
                        .filter(|hint| hint.starts_with("did"));
                    return Err((
                        format!(
                            "needs pack `{name}`{}, which the profile does not have",
                            wanted(&requirement.version)
                        ),
                        hint.or_else(|| Some(format!("add a layer with `pack: {name}`"))),
                    ));
                };
                let version = &pack.pack.manifest.metadata.version;
                match requirement
                    .version
                    .as_ref()
                    .filter(|range| !range.matches(version))
                {
                    Some(range) => Err((
                        format!(
                            "needs pack `{name}` `{range}`, but layer `{}` has {version}",
                            layer.layer.name
                        ),
                        Some(format!(
                            "change the `version` of layer `{}`",
                            layer.layer.name
                        )),
                    )),
                    None => Ok((layer.layer.name.clone(), format!("requires pack {name}"))),
                }
            }
            (None, Some(capability)) => {
                let provider = self.others().find(|(_, other)| {
                    other
                        .pack
                        .manifest
                        .spec
                        .constraints
                        .provides
                        .iter()
                        .any(|provided| {
                            let version = provided
                                .version
                                .as_ref()
                                .unwrap_or(&other.pack.manifest.metadata.version);
                            provided.capability == *capability
                                && requirement
                                    .version
                                    .as_ref()
                                    .is_none_or(|range| range.matches_platform(version))
                        })
                });
                match provider {
                    Some((layer, _)) => Ok((
                        layer.layer.name.clone(),
                        format!("requires capability {capability}"),
                    )),
                    None => Err((
                        format!(
                            "needs the capability `{capability}`{}, which no pack of the profile provides",
                            wanted(&requirement.version)
                        ),
                        Some(format!("add a layer whose pack provides `{capability}`")),
                    )),
                }
            }
            _ => Err((
                "has a requirement that does not name exactly one of `pack` and `capability`"
                    .to_owned(),
                None,
            )),
        }
    }

    fn constrains(&self, session: &mut Session) {
        for (index, constraint) in self
            .resolved
            .pack
            .manifest
            .spec
            .constraints
            .constrains
            .iter()
            .enumerate()
        {
            for (layer, other) in self
                .others()
                .filter(|(_, other)| other.pack.manifest.metadata.name == constraint.pack)
            {
                let version = &other.pack.manifest.metadata.version;
                if !constraint.version.matches(version) {
                    session.report(
                        Diagnostic::error(
                            "constraint-constrains",
                            format!(
                                "{} works with `{}` `{}`, but layer `{}` has {version}",
                                self.title(),
                                constraint.pack,
                                constraint.version,
                                layer.layer.name
                            ),
                        )
                        .at(self.layer.layer.span)
                        .label(
                            self.place(&format!("/constrains/{index}"), session),
                            "the pack says so here",
                        )
                        .hint(format!(
                            "change the `version` of layer `{}`",
                            layer.layer.name
                        )),
                    );
                }
            }
        }
    }

    fn conflicts(&self, session: &mut Session) {
        for (index, conflict) in self
            .resolved
            .pack
            .manifest
            .spec
            .constraints
            .conflicts
            .iter()
            .enumerate()
        {
            for (layer, other) in self
                .others()
                .filter(|(_, other)| other.pack.manifest.metadata.name == conflict.pack)
            {
                let version = &other.pack.manifest.metadata.version;
                if conflict
                    .version
                    .as_ref()
                    .is_none_or(|range| range.matches(version))
                {
                    session.report(
                        Diagnostic::error(
                            "constraint-conflicts",
                            format!(
                                "{} does not go with `{}` {version}",
                                self.title(),
                                conflict.pack
                            ),
                        )
                        .at(self.layer.layer.span)
                        .label(layer.layer.span, format!("`{}` is here", conflict.pack))
                        .label(
                            self.place(&format!("/conflicts/{index}"), session),
                            "the pack says so here",
                        )
                        .hint("remove one of the two layers"),
                    );
                }
            }
        }
    }

    fn platform(&self, session: &mut Session) {
        let wanted = &self.resolved.pack.manifest.spec.constraints.platform.os;
        let Some((layer, os)) = self.others().find(|(other, _)| other.kind == LayerKind::Os) else {
            return;
        };
        let name = os.pack.manifest.metadata.name.as_str();
        if !wanted.is_empty() && !wanted.iter().any(|allowed| allowed == name) {
            session.report(
                Diagnostic::error(
                    "constraint-platform",
                    format!(
                        "{} runs on `{}`, not on `{name}`",
                        self.title(),
                        wanted.join("`, `")
                    ),
                )
                .at(self.layer.layer.span)
                .label(layer.layer.span, "the operating system is here")
                .hint("choose another operating system, or another pack"),
            );
        }
    }
}

/// A capability that one pack provides exclusively has no other provider.
fn check_exclusive(layers: &[ResolvedLayer], session: &mut Session) {
    let mut seen: Vec<(&cairn_spec::Provides, &ResolvedLayer)> = Vec::new();
    for layer in layers {
        for provided in layer
            .pack
            .iter()
            .flat_map(|pack| &pack.pack.manifest.spec.constraints.provides)
        {
            let rival = seen.iter().find(|(other, _)| {
                other.capability == provided.capability && (other.exclusive || provided.exclusive)
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
fn check_profile_type(stack: &Stack, layers: &[ResolvedLayer], session: &mut Session) {
    match stack.profile_type {
        ProfileType::Cluster => {
            for kind in [LayerKind::Os, LayerKind::Kubernetes] {
                if !layers.iter().any(|layer| layer.kind == kind)
                    && layers.len() == stack.layers.len()
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
            refuse_kinds(layers, |kind| kind == LayerKind::Addon, "infra", session)
        }
        ProfileType::Addon => {
            refuse_kinds(layers, |kind| kind != LayerKind::Addon, "addon", session)
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
