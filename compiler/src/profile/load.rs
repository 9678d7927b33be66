//! Reads a profile and the profiles below it into one stack of layers.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{Diagnostic, LayerName, Node, ProfileManifest, SourceKind, Span};

use super::{
    layer::{LayerReader, WrittenLayer},
    stack::{DeclaredVariable, Stack},
};
use crate::{ProfileFiles, Session};

/// How deep profiles may use profiles.
const MAX_PROFILE_DEPTH: usize = 16;

/// Reads a profile. Problems are reported; a stack is returned whenever the rest can still be checked.
pub(crate) fn load_profile(
    path: &str,
    files: &dyn ProfileFiles,
    session: &mut Session,
) -> Option<Stack> {
    Loader {
        files,
        session,
        open: Vec::new(),
    }
    .profile("", path, None)
}

struct Loader<'a> {
    files: &'a dyn ProfileFiles,
    session: &'a mut Session,
    /// The names of the files being read, outermost first.
    open: Vec<String>,
}

impl Loader<'_> {
    fn profile(&mut self, beside: &str, path: &str, asked_at: Option<Span>) -> Option<Stack> {
        let file = match self.files.read(beside, path) {
            Ok(file) => file,
            Err(error) => {
                self.session.report(error.at(asked_at));
                return None;
            }
        };
        if self.open.len() >= MAX_PROFILE_DEPTH && !self.open.contains(&file.name) {
            self.session.report(
                Diagnostic::error(
                    "profile-depth",
                    format!("profiles use each other more than {MAX_PROFILE_DEPTH} deep"),
                )
                .at(asked_at)
                .hint("use the profiles side by side: `uses` is a list"),
            );
            return None;
        }
        if self.open.contains(&file.name) {
            let chain = format!("{} → {}", self.open.join(" → "), file.name);
            self.session.report(
                Diagnostic::error(
                    "profile-cycle",
                    format!("profiles use each other in a loop: {chain}"),
                )
                .at(asked_at)
                .hint("remove one of the `uses`"),
            );
            return None;
        }
        self.open.push(file.name.clone());
        let read =
            self.session
                .read_kind::<ProfileManifest>(&file.name, file.text, SourceKind::Profile);
        let stack = read.map(|(profile, node)| self.stack(&file.name, &profile, &node));
        self.open.pop();
        stack
    }

    fn stack(&mut self, name: &str, profile: &ProfileManifest, node: &Node) -> Stack {
        let mut stack = Stack {
            name: profile.metadata.name.clone(),
            version: profile.metadata.version.clone(),
            profile_type: profile.spec.profile_type,
            kubernetes: None,
            registries: BTreeMap::new(),
            variables: BTreeMap::new(),
            layers: Vec::new(),
            refused: BTreeSet::new(),
            patches: Vec::new(),
            mirrors: Vec::new(),
            span: self.session.span_at(node, "/metadata/name"),
        };
        for (index, used) in profile.spec.uses.iter().enumerate() {
            let at = self
                .session
                .span_at(node, &format!("/spec/uses/{index}/path"));
            if let Some(base) = self.profile(name, &used.path, at) {
                if let Some(range) = used
                    .version
                    .as_ref()
                    .filter(|range| !range.matches(&base.version))
                {
                    self.session.report(
                        Diagnostic::error(
                            "profile-version",
                            format!(
                                "profile `{}` is version {}, which `{range}` does not match",
                                base.name, base.version
                            ),
                        )
                        .at(at)
                        .hint("change the range, or use another version of the profile"),
                    );
                }
                stack.put_on(base);
            }
        }
        self.add_own(&mut stack, name, profile, node);
        stack
    }

    fn add_own(&mut self, stack: &mut Stack, file: &str, profile: &ProfileManifest, node: &Node) {
        let spec = &profile.spec;
        if let Some(version) = &spec.kubernetes {
            stack.kubernetes = Some((
                version.clone(),
                self.session.span_at(node, "/spec/kubernetes"),
            ));
        }
        for registry in &spec.registries {
            stack
                .registries
                .insert(registry.name.clone(), registry.clone());
        }
        for (index, variable) in spec.variables.iter().enumerate() {
            let place = node
                .pointer(&format!("/spec/variables/{index}"))
                .cloned()
                .unwrap_or_else(|| node.clone());
            stack.variables.insert(
                variable.name.clone(),
                DeclaredVariable {
                    spec: variable.clone(),
                    node: place,
                },
            );
        }
        let mut seen: BTreeMap<&LayerName, Option<Span>> = BTreeMap::new();
        for (index, layer) in spec.layers.iter().enumerate() {
            let at = format!("/spec/layers/{index}");
            let name_span = self.session.span_at(node, &format!("{at}/name"));
            if let Some(first) = seen.insert(&layer.name, name_span) {
                self.session.report(
                    Diagnostic::error(
                        "layer-duplicate",
                        format!("there are two layers `{}`", layer.name),
                    )
                    .label(name_span, "again here")
                    .label(first, "first here")
                    .hint("give each layer a name of its own"),
                );
                continue;
            }
            let written = WrittenLayer {
                file,
                profile: node,
                pointer: at,
                spec: layer,
            };
            LayerReader {
                files: self.files,
                stack: &mut *stack,
                session: &mut *self.session,
            }
            .add(&written);
        }
        for (index, patch) in spec.patches.iter().enumerate() {
            let place = node
                .pointer(&format!("/spec/patches/{index}"))
                .cloned()
                .unwrap_or_else(|| node.clone());
            stack.patches.push((patch.clone(), place));
        }
        stack.mirrors.extend(spec.mirrors.iter().cloned());
    }
}
