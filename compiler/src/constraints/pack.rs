//! What one pack says of other packs, of Kubernetes and of the operating system.

use cairn_spec::{
    CapabilityName, Constraints, Diagnostic, LayerKind, LayerName, PackName, PackRequirement, Span,
    Version, VersionRange, nearest,
};

use super::Requirement;
use crate::{
    Session,
    resolve::{ResolvedLayer, ResolvedPack},
};

/// Checks the constraints of all packs; `complete` says that no layer is missing.
pub(super) fn check(
    layers: &[ResolvedLayer],
    complete: bool,
    kubernetes: Option<&Version>,
    session: &mut Session,
) -> Vec<Requirement> {
    let mut met = Vec::new();
    for layer in layers {
        let Some(resolved) = &layer.pack else {
            continue;
        };
        let checker = Checker {
            layers,
            layer,
            resolved,
            complete,
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
    /// `layers` are all layers of the profile.
    complete: bool,
}

/// What was found for a requirement.
enum Found {
    Layer {
        needs: LayerName,
        reason: String,
    },
    Nothing {
        message: String,
        hint: Option<String>,
    },
    Unfit {
        message: String,
        hint: String,
    },
}

fn wanted(range: Option<&VersionRange>) -> String {
    range.map_or(String::new(), |range| format!(" `{range}`"))
}

impl Checker<'_> {
    fn place(&self, pointer: &str, session: &Session) -> Option<Span> {
        session.span_at(
            &self.resolved.pack.manifest_node,
            &format!("/spec/constraints{pointer}"),
        )
    }

    fn constraints(&self) -> &Constraints {
        &self.resolved.pack.manifest.spec.constraints
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
        let Some((target, range)) = target.zip(self.constraints().kubernetes.as_ref()) else {
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
        let requires = &self.constraints().requires;
        for (index, requirement) in requires.iter().enumerate() {
            match self.find(requirement) {
                Ok(Found::Layer { needs, reason }) => met.push(Requirement {
                    layer: self.layer.layer.name.clone(),
                    needs,
                    reason,
                }),
                // It may be a layer that could not be resolved, which is reported already.
                Ok(Found::Nothing { .. }) if !self.complete => {}
                Ok(Found::Nothing { message, hint }) => {
                    self.report_requirement(index, &message, hint, session);
                }
                Ok(Found::Unfit { message, hint }) => {
                    self.report_requirement(index, &message, Some(hint), session);
                }
                Err(message) => self.report_requirement(index, &message, None, session),
            }
        }
    }

    fn report_requirement(
        &self,
        index: usize,
        message: &str,
        hint: Option<String>,
        session: &mut Session,
    ) {
        let place = self.place(&format!("/requires/{index}"), session);
        session.report(
            Diagnostic::error("constraint-requires", format!("{} {message}", self.title()))
                .at(self.layer.layer.span)
                .label(place, "the pack says so here")
                .maybe_hint(hint),
        );
    }

    /// The layer that meets a requirement, or what is wrong.
    fn find(&self, requirement: &PackRequirement) -> Result<Found, String> {
        let range = requirement.version.as_ref();
        match (&requirement.pack, &requirement.capability) {
            (Some(name), None) => Ok(self.find_pack(name, range)),
            (None, Some(capability)) => Ok(self.find_capability(capability, range)),
            _ => Err(
                "has a requirement that does not name exactly one of `pack` and `capability`"
                    .to_owned(),
            ),
        }
    }

    fn find_pack(&self, name: &PackName, range: Option<&VersionRange>) -> Found {
        let of_name: Vec<(&ResolvedLayer, &Version)> = self
            .others()
            .map(|(layer, other)| (layer, &other.pack.manifest.metadata))
            .filter(|(_, metadata)| metadata.name == *name)
            .map(|(layer, metadata)| (layer, &metadata.version))
            .collect();
        let fits = |version: &Version| range.is_none_or(|range| range.matches(version));
        if let Some((layer, _)) = of_name.iter().find(|(_, version)| fits(version)) {
            return Found::Layer {
                needs: layer.layer.name.clone(),
                reason: format!("requires pack {name}"),
            };
        }
        if let Some((layer, version)) = of_name.first() {
            let name_of = &layer.layer.name;
            return Found::Unfit {
                message: format!(
                    "needs pack `{name}`{}, but layer `{name_of}` has {version}",
                    wanted(range)
                ),
                hint: format!("change the `version` of layer `{name_of}`"),
            };
        }
        let known: Vec<&str> = self
            .others()
            .map(|(_, other)| other.pack.manifest.metadata.name.as_str())
            .collect();
        let hint = nearest(name.as_str(), known).map_or_else(
            || format!("add a layer with `pack: {name}`"),
            |near| format!("did you mean `{near}`?"),
        );
        Found::Nothing {
            message: format!(
                "needs pack `{name}`{}, which the profile does not have",
                wanted(range)
            ),
            hint: Some(hint),
        }
    }

    fn find_capability(&self, capability: &CapabilityName, range: Option<&VersionRange>) -> Found {
        let provides = |other: &ResolvedPack| {
            let manifest = &other.pack.manifest;
            manifest.spec.constraints.provides.iter().any(|provided| {
                let version = provided
                    .version
                    .as_ref()
                    .unwrap_or(&manifest.metadata.version);
                provided.capability == *capability
                    && range.is_none_or(|range| range.matches_platform(version))
            })
        };
        match self.others().find(|(_, other)| provides(other)) {
            Some((layer, _)) => Found::Layer {
                needs: layer.layer.name.clone(),
                reason: format!("requires capability {capability}"),
            },
            None => Found::Nothing {
                message: format!(
                    "needs the capability `{capability}`{}, which no pack of the profile provides",
                    wanted(range)
                ),
                hint: Some(format!("add a layer whose pack provides `{capability}`")),
            },
        }
    }

    fn constrains(&self, session: &mut Session) {
        for (index, constraint) in self.constraints().constrains.iter().enumerate() {
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
        for (index, conflict) in self.constraints().conflicts.iter().enumerate() {
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
        let wanted = &self.constraints().platform.os;
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
