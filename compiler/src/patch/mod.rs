//! Patches of rendered manifests: which objects, what changes, and who said so.
//!
//! `spec/profile-patches.md` is the contract. Everything here is a pure function on value trees:
//! a patch either changes an object as a whole or, with diagnostics, not at all. What the caller
//! keeps beside its objects (identity, order, digests) it derives again afterwards.

mod custom_resource;
mod json_patch;
mod merge;
mod merge_keys;
mod pointer;
mod selector;
mod session;
mod strategic;
mod target;

use cairn_spec::{
    Diagnostic, Diagnostics, Node, OriginId, Origins, PatchExpect, PatchSpec, PatchTarget,
    PatchType, Value,
};

pub use merge_keys::MergeKeys;

use session::{Deletions, Session};
use target::Candidate;

/// A patch whose body is a value tree, so that every change knows the line that asked for it.
#[derive(Debug, Clone)]
pub struct Patch {
    /// The objects to change.
    pub target: PatchTarget,
    /// The change.
    pub body: PatchBody,
    /// How many objects the target must match.
    pub expect: PatchExpect,
    /// Where the patch is written; also the origin of body nodes that have none of their own.
    pub origin: OriginId,
}

/// What a patch does to an object.
#[derive(Debug, Clone)]
pub enum PatchBody {
    /// Kubernetes' strategic merge patch: a map.
    Strategic(Node),
    /// JSON merge patch (RFC 7396): a map.
    Merge(Node),
    /// JSON Patch (RFC 6902): a list of operations.
    Json6902(Node),
}

impl Patch {
    /// A patch as a profile states it. `body` is the node that `spec.patch` was read from.
    pub fn new(spec: &PatchSpec, body: Node, origin: OriginId) -> Self {
        Self {
            target: spec.target.clone(),
            body: match spec.patch_type {
                PatchType::Strategic => PatchBody::Strategic(body),
                PatchType::Merge => PatchBody::Merge(body),
                PatchType::Json6902 => PatchBody::Json6902(body),
            },
            expect: spec.expect,
            origin,
        }
    }
}

/// One rendered object and where it comes from.
#[derive(Debug)]
pub struct ObjectRef<'a> {
    /// The manifest.
    pub node: &'a mut Node,
    /// The layer of the profile.
    pub layer: &'a str,
    /// The pack, if the layer has one.
    pub pack: Option<&'a str>,
}

/// What a patch did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was wrong. Objects with an error are unchanged.
    pub diagnostics: Diagnostics,
    /// Indices of the objects that the target matched.
    pub matched: Vec<usize>,
    /// Indices of the objects that the patch deletes, and where it says so. The caller removes them.
    pub removed: Vec<(usize, OriginId)>,
}

/// Applies a patch to the objects that its target matches.
pub fn apply(
    patch: &Patch,
    objects: &mut [ObjectRef<'_>],
    merge_keys: &MergeKeys,
    origins: &mut Origins,
) -> Outcome {
    let mut outcome = Outcome::default();
    match select(patch, objects, origins) {
        Ok(matched) => outcome.matched = matched,
        Err(problem) => {
            outcome.diagnostics.push(problem);
            return outcome;
        }
    }
    let change = match Change::read(patch, origins) {
        Ok(change) => change,
        Err(problems) => {
            outcome.diagnostics.extend(problems);
            return outcome;
        }
    };
    let mut deletions = Deletions::default();
    let mut failures = Failures::default();
    for &index in &outcome.matched {
        let object = &mut *objects[index].node;
        let mut changed = object.clone();
        let mut session = Session::new(origins, patch.origin, &mut deletions);
        match change.apply(&mut changed, merge_keys, &mut session) {
            Effect::Removed(by) => outcome.removed.push((index, by)),
            Effect::Changed if session.problems().is_empty() => *object = changed,
            Effect::Changed => failures.add(object, session.into_problems()),
        }
    }
    outcome.diagnostics.extend(failures.into_diagnostics());
    if !outcome.diagnostics.has_errors() {
        outcome.diagnostics.extend(deletions.into_warnings(origins));
    }
    outcome
}

/// The objects that a patch matches, if there are as many as it expects.
fn select(
    patch: &Patch,
    objects: &[ObjectRef<'_>],
    origins: &Origins,
) -> Result<Vec<usize>, Diagnostic> {
    let error =
        |code, message: String| Diagnostic::error(code, message).at(origins.span(patch.origin));
    let PatchExpect { min, max } = patch.expect;
    if max.is_some_and(|max| max < min) {
        let message = format!(
            "no number is at least {min} and at most {}",
            max.unwrap_or(min)
        );
        return Err(error("patch-expect", message).hint("let `expect.min` be at most `expect.max`"));
    }
    if patch.target.is_empty() {
        return Err(error(
            "patch-target",
            "the patch's `target` selects nothing in particular".into(),
        )
        .hint("name at least a `kind`; `kind: \"*\"` stands for every object"));
    }
    let candidates: Vec<_> = objects.iter().map(Candidate::of).collect();
    let matched = target::select(&patch.target, &candidates)
        .map_err(|problem| error("patch-selector", problem.to_string()))?;
    if patch.expect.allows(matched.len()) {
        return Ok(matched);
    }
    let expected = match max {
        Some(max) if max == min => format!("{min}"),
        Some(max) if matched.len() > max as usize => format!("at most {max}"),
        _ => format!("at least {min}"),
    };
    let found = target::count(matched.len());
    let mut problem = error(
        "patch-matches",
        format!("the patch matches {found}, expected {expected}"),
    );
    if matched.is_empty() {
        problem = problem.maybe_hint(target::hint(&patch.target, &candidates));
    } else {
        problem = problem.note(format!(
            "it matches {}",
            target::listing(matched.iter().map(|&index| &candidates[index]))
        ));
    }
    Err(problem)
}

/// A patch body that has been read as far as that is possible without an object.
enum Change<'p> {
    Strategic(&'p Node),
    Merge(&'p Node),
    Json6902(Vec<json_patch::Operation<'p>>),
}

/// What became of an object.
enum Effect {
    Changed,
    Removed(OriginId),
}

impl<'p> Change<'p> {
    fn read(patch: &'p Patch, origins: &mut Origins) -> Result<Self, Vec<Diagnostic>> {
        let mut deletions = Deletions::default();
        let mut session = Session::new(origins, patch.origin, &mut deletions);
        let (body, change) = match &patch.body {
            PatchBody::Strategic(body) => (body, Self::Strategic(body)),
            PatchBody::Merge(body) => (body, Self::Merge(body)),
            PatchBody::Json6902(body) => {
                (body, Self::Json6902(json_patch::read(body, &mut session)))
            }
        };
        if !matches!(change, Self::Json6902(_)) && body.as_map().is_none() {
            let found = body.value.kind();
            session.problem_with_hint(
                "patch-body",
                format!("a patch of this type is a map, found a {found}"),
                body.origin,
                "a list of operations is a patch of `type: json6902`".to_owned(),
            );
        }
        session.refuse_tags(body);
        if session.problems().is_empty() {
            Ok(change)
        } else {
            Err(session.into_problems())
        }
    }

    fn apply(
        &self,
        object: &mut Node,
        merge_keys: &MergeKeys,
        session: &mut Session<'_>,
    ) -> Effect {
        if !matches!(object.value, Value::Map(_)) {
            session.problem("patch-body", "only a map can be patched", object.origin);
            return Effect::Changed;
        }
        match self {
            Self::Strategic(body) => return strategic::apply(object, body, merge_keys, session),
            Self::Merge(body) => merge::apply(object, body, session),
            Self::Json6902(operations) => json_patch::apply(object, operations, session),
        }
        Effect::Changed
    }
}

/// Problems of several objects, each said once however many objects have it.
#[derive(Default)]
struct Failures {
    all: Vec<(Diagnostic, String, usize)>,
}

impl Failures {
    fn add(&mut self, object: &Node, problems: Vec<Diagnostic>) {
        for problem in problems {
            let same = |(known, _, _): &&mut (Diagnostic, String, usize)| {
                known.message == problem.message && known.labels.first() == problem.labels.first()
            };
            if let Some((_, _, count)) = self.all.iter_mut().find(same) {
                *count += 1;
            } else {
                self.all.push((problem, target::describe(object), 0));
            }
        }
    }

    fn into_diagnostics(self) -> impl Iterator<Item = Diagnostic> {
        self.all.into_iter().map(|(problem, object, more)| {
            problem.note(match more {
                0 => format!("in {object}"),
                1 => format!("in {object} and one more object"),
                more => format!("in {object} and {more} more objects"),
            })
        })
    }
}

#[cfg(test)]
mod tests;
