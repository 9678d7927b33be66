//! A verified bundle, ready to apply: its files are the ones `bundle.json` names, and its objects the ones
//! its plan names (`spec/bundle.md`).
//!
//! A [`BundleReader`] takes the files one after the other, from a folder or an artifact, and keeps
//! nothing but the objects, cleaned and compressed. They come out again stage by stage, some at a
//! time, so that a large bundle needs little memory.

mod artifact;
mod error;
mod object;
mod reader;
mod secrets;
mod store;
#[cfg(test)]
pub(crate) mod tests;

use cairn_spec::{
    BundleManifest, Gate, HealthRule, LayerKind, LayerName, LeftOut, PlanEdge, PlanObject, Stage,
};
use serde_json::Value as Json;

use store::Segment;

pub use artifact::Blobs;
pub use error::BundleError;
pub use reader::{BundleReader, MAX_OBJECTS, MAX_UNPACKED_BYTES};
pub use secrets::Secrets;

/// A bundle whose files were checked.
#[derive(Debug)]
pub struct Bundle {
    /// `bundle.json`.
    pub manifest: BundleManifest,
    /// The layers in order.
    pub layers: Vec<Layer>,
    /// Why which layer comes before which.
    pub edges: Vec<PlanEdge>,
}

/// A layer: applied when those before it are healthy.
#[derive(Debug)]
pub struct Layer {
    /// Its name.
    pub name: LayerName,
    /// Its kind.
    pub kind: LayerKind,
    /// The stages that are not empty, in order.
    pub stages: Vec<StageObjects>,
    /// What must be ready before the next layer starts.
    pub gates: Vec<Gate>,
    /// How objects are judged that say it in their own way: by its own rules, then by those of other layers.
    pub health: Vec<HealthRule>,
    /// What its charts render and the bundle does not hold.
    pub left_out: Vec<LeftOut>,
}

/// The objects of a stage.
#[derive(Debug)]
pub struct StageObjects {
    /// The stage.
    pub stage: Stage,
    /// What the plan says of each object, in order.
    pub planned: Vec<PlanObject>,
    segments: Vec<Segment>,
}

/// An object as it is applied, and its place in [`StageObjects::planned`].
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The place.
    pub index: usize,
    /// The object: without what only servers write, with `data` instead of `stringData`, and with secrets in
    /// the places of their placeholders.
    pub object: Json,
}

impl StageObjects {
    /// The objects, some at a time; by their indices in order within each batch.
    pub fn batches<'a>(
        &'a self,
        secrets: &'a Secrets,
    ) -> impl Iterator<Item = Result<Vec<Manifest>, BundleError>> + 'a {
        self.pick(secrets, |_| true)
    }

    /// The same of some objects; of the others not even secrets are needed.
    pub fn pick<'a>(
        &'a self,
        secrets: &'a Secrets,
        which: impl Fn(&PlanObject) -> bool + 'a,
    ) -> impl Iterator<Item = Result<Vec<Manifest>, BundleError>> + 'a {
        let wanted = move |index| self.planned.get(index).is_some_and(&which);
        self.segments
            .iter()
            .filter_map(move |segment| {
                let picked = segment.manifests(&self.planned, &wanted);
                picked.transpose()
            })
            .map(|picked| {
                let mut manifests = picked?;
                for manifest in &mut manifests {
                    secrets.fill(&mut manifest.object)?;
                    object::encode_string_data(&mut manifest.object);
                }
                manifests.sort_by_key(|manifest| manifest.index);
                Ok(manifests)
            })
    }
}
