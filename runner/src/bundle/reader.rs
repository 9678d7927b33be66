//! Takes a bundle's files one after the other and checks each against `bundle.json` and the plan.
//!
//! Who calls it has verified `bundle.json` itself, as a signature's subject.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{
    BundleManifest, Digest, FileTree, HealthRule, LayerName, ObjectId, Plan, PlanObject,
};

use super::{
    Bundle, BundleError, Layer, StageObjects, object,
    store::{Placed, SegmentWriter},
};

/// The most bytes of all files together.
pub const MAX_UNPACKED_BYTES: u64 = 512 << 20;
/// The most objects.
pub const MAX_OBJECTS: usize = 20_000;

/// Reads a bundle; `finish` gives it, when all files were there.
pub struct BundleReader {
    manifest: BundleManifest,
    plan: Plan,
    /// Layer, stage and index of each manifest, by its path.
    places: BTreeMap<String, (usize, usize, usize)>,
    /// The files that are still to come, with their digests.
    awaited: BTreeMap<String, Digest>,
    seen_bytes: u64,
    writer: SegmentWriter,
    segments: Vec<Placed>,
}

impl BundleReader {
    /// Starts with the two files that say what the others are.
    pub fn new(bundle_json: &[u8], plan_json: &[u8]) -> Result<Self, BundleError> {
        let malformed = |file| move |source| BundleError::Malformed { file, source };
        let manifest: BundleManifest =
            serde_json::from_slice(bundle_json).map_err(malformed("bundle.json"))?;
        let plan: Plan = serde_json::from_slice(plan_json).map_err(malformed("plan.json"))?;
        check_order(&plan)?;
        check_objects(&plan)?;
        let places = places(&plan)?;
        agree(&manifest, &plan, &places)?;
        let mut reader = Self {
            awaited: manifest.files.clone(),
            manifest,
            plan,
            places,
            seen_bytes: 0,
            writer: SegmentWriter::default(),
            segments: Vec::new(),
        };
        reader.add("plan.json", plan_json)?;
        Ok(reader)
    }

    /// Reads a bundle whose files are in memory.
    pub fn read(files: &FileTree) -> Result<Bundle, BundleError> {
        let file = |path: &str| {
            let file = files.get(path);
            file.ok_or_else(|| BundleError::FileMissing(path.to_owned()))
        };
        let mut reader = Self::new(&file("bundle.json")?.bytes, &file("plan.json")?.bytes)?;
        let rest = files
            .iter()
            .filter(|(path, _)| !["bundle.json", "plan.json"].contains(&path.as_str()));
        for (path, file) in rest {
            reader.add(path.as_str(), &file.bytes)?;
        }
        reader.finish()
    }

    /// Takes a file: any but `bundle.json` and `plan.json`, in any order.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), BundleError> {
        self.seen_bytes = self.seen_bytes.saturating_add(bytes.len() as u64);
        if self.seen_bytes > MAX_UNPACKED_BYTES {
            return Err(BundleError::TooLarge {
                limit: MAX_UNPACKED_BYTES >> 20,
                unit: "MiB, unpacked",
            });
        }
        match self.awaited.remove(path) {
            Some(expected) if expected == Digest::sha256(bytes) => {}
            None if self.manifest.files.contains_key(path) => {
                return Err(BundleError::FileTwice(path.to_owned()));
            }
            _ => return Err(BundleError::FileMismatch(path.to_owned())),
        }
        match self.places.get(path) {
            Some(&place) => self.add_manifest(path, bytes, place),
            None => Ok(()),
        }
    }

    /// Takes a file by its digest alone: one that is not applied.
    pub(super) fn pass(&mut self, path: &str, digest: &Digest) -> Result<(), BundleError> {
        match self.awaited.remove(path) {
            Some(expected) if expected == *digest && !self.places.contains_key(path) => Ok(()),
            _ => Err(BundleError::FileMismatch(path.to_owned())),
        }
    }

    /// Does not wait for files for nodes.
    pub(super) fn pass_host_files(&mut self) {
        self.awaited.retain(|path, _| !path.starts_with("host/"));
    }

    /// The bundle, when all files that `bundle.json` names have come.
    pub fn finish(mut self) -> Result<Bundle, BundleError> {
        if let Some(path) = self.awaited.keys().next() {
            return Err(BundleError::FileMissing(path.clone()));
        }
        self.segments.extend(self.writer.end()?);
        let rules: Vec<_> = self
            .plan
            .layers
            .iter()
            .map(|layer| layer.health.clone())
            .collect();
        let mut layers: Vec<Layer> = self
            .plan
            .layers
            .into_iter()
            .enumerate()
            .map(|(place, layer)| Layer {
                health: own_first(place, &rules),
                name: layer.name,
                kind: layer.kind,
                stages: layer.stages.into_iter().map(empty_stage).collect(),
                gates: layer.gates,
                left_out: layer.left_out,
            })
            .collect();
        for ((layer, stage), segment) in self.segments {
            let stages = layers.get_mut(layer).map(|layer| &mut layer.stages);
            if let Some(stage) = stages.and_then(|stages| stages.get_mut(stage)) {
                stage.segments.push(segment);
            }
        }
        Ok(Bundle {
            manifest: self.manifest,
            layers,
            edges: self.plan.edges,
        })
    }

    fn add_manifest(
        &mut self,
        path: &str,
        bytes: &[u8],
        (layer, stage, index): (usize, usize, usize),
    ) -> Result<(), BundleError> {
        let not_an_object = |reason| BundleError::NotAnObject {
            path: path.to_owned(),
            reason,
        };
        let mut object = object::read(path, bytes).map_err(not_an_object)?;
        let found = object::identity(&object).map_err(not_an_object)?;
        let expected = &self.plan.layers[layer].stages[stage].objects[index].id;
        if found != *expected {
            return Err(BundleError::OtherObject {
                path: path.to_owned(),
                found: format!("{found} of {}", found.api_version),
                expected: format!("{expected} of {}", expected.api_version),
            });
        }
        object::clean(&mut object);
        let json = object.to_string();
        let ended = self.writer.add((layer, stage), index, json.as_bytes())?;
        self.segments.extend(ended);
        Ok(())
    }
}

fn own_first(own: usize, rules: &[Vec<HealthRule>]) -> Vec<HealthRule> {
    let others = rules.iter().enumerate().filter(|(place, _)| *place != own);
    let others = others.flat_map(|(_, rules)| rules);
    let all = rules.get(own).into_iter().flatten().chain(others);
    all.cloned().collect()
}

fn empty_stage(stage: cairn_spec::PlanStage) -> StageObjects {
    StageObjects {
        stage: stage.stage,
        planned: stage.objects,
        segments: Vec::new(),
    }
}

/// Edges lead from earlier to later layers, and stages follow one another.
fn check_order(plan: &Plan) -> Result<(), BundleError> {
    let place = |name: &LayerName| plan.layers.iter().position(|layer| layer.name == *name);
    for edge in &plan.edges {
        let (from, to) = (place(&edge.from), place(&edge.to));
        if from.is_none() || to.is_none() || from >= to {
            return Err(BundleError::Order {
                from: edge.from.to_string(),
                to: edge.to.to_string(),
            });
        }
    }
    for layer in &plan.layers {
        if !layer
            .stages
            .is_sorted_by(|one, next| one.stage < next.stage)
        {
            return Err(BundleError::Stages(layer.name.to_string()));
        }
    }
    Ok(())
}

/// There are not too many objects, and none is there twice. A hook may have the name of another object.
fn check_objects(plan: &Plan) -> Result<(), BundleError> {
    let mut identities = BTreeSet::new();
    let mut count = 0;
    for object in objects(plan) {
        count += 1;
        if count > MAX_OBJECTS {
            return Err(BundleError::TooLarge {
                limit: MAX_OBJECTS as u64,
                unit: "objects",
            });
        }
        if object.hook.is_none() && !identities.insert(identity(&object.id)) {
            return Err(BundleError::ObjectTwice {
                id: Box::new(object.id.clone()),
            });
        }
    }
    Ok(())
}

fn identity(id: &ObjectId) -> (&str, &str, Option<&str>, &str) {
    (id.group(), &id.kind, id.namespace.as_deref(), &id.name)
}

fn objects(plan: &Plan) -> impl Iterator<Item = &PlanObject> {
    let stages = plan.layers.iter().flat_map(|layer| &layer.stages);
    stages.flat_map(|stage| &stage.objects)
}

fn path_of(object: &PlanObject) -> String {
    format!("manifests/{}", object.file)
}

fn places(plan: &Plan) -> Result<BTreeMap<String, (usize, usize, usize)>, BundleError> {
    let mut places = BTreeMap::new();
    for (layer, planned) in plan.layers.iter().enumerate() {
        for (stage, planned) in planned.stages.iter().enumerate() {
            for (index, object) in planned.objects.iter().enumerate() {
                let path = path_of(object);
                if places.insert(path.clone(), (layer, stage, index)).is_some() {
                    return Err(BundleError::Disagree(path));
                }
            }
        }
    }
    Ok(places)
}

/// `bundle.json` and the plan name the same manifests with the same digests.
fn agree(
    manifest: &BundleManifest,
    plan: &Plan,
    places: &BTreeMap<String, (usize, usize, usize)>,
) -> Result<(), BundleError> {
    for object in objects(plan) {
        let path = path_of(object);
        if manifest.files.get(&path) != Some(&object.digest) {
            return Err(BundleError::Disagree(path));
        }
    }
    let unplanned = |path: &&String| path.starts_with("manifests/") && !places.contains_key(*path);
    match manifest.files.keys().find(unplanned) {
        Some(path) => Err(BundleError::Disagree(path.clone())),
        None => Ok(()),
    }
}
