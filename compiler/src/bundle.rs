//! Writes the bundle: every file, its digest, and the manifest that names them (`spec/bundle.md`).

use std::collections::BTreeMap;

use cairn_spec::{
    ApiVersion, BundleChart, BundleKind, BundleLayer, BundleManifest, BundlePack, BundleProfile,
    BundleSecret, ClusterName, Digest, FileTree, HostPlan, HostPlanKind, HostPlanStep, ImageList,
    ImageListKind, Lock, Plan, PlanEdge, PlanObject, ProfileName, TreePath, VariableName, Version,
    is_built_in_group, write_tar, yaml::write_manifest,
};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    build::without_signers,
    image::UsedImage,
    object::Object,
    plan::{PlannedLayer, content_digest, plan, sort_key, stage_in_plan},
    provenance::provenance,
    render::LayerOutput,
    resolve::ResolvedLayer,
    sbom::sbom,
};

/// The compiler's own version.
pub const COMPILER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What goes into a bundle.
pub(crate) struct BundleParts<'a> {
    pub(crate) profile: (&'a ProfileName, &'a Version),
    pub(crate) cluster: Option<&'a ClusterName>,
    pub(crate) kubernetes: &'a Version,
    /// The layers in order, with what they rendered.
    pub(crate) layers: Vec<(&'a ResolvedLayer, LayerOutput)>,
    /// All objects; their `layer` is an index into `layers`.
    pub(crate) objects: &'a [Object],
    pub(crate) images: &'a [UsedImage],
    pub(crate) edges: Vec<PlanEdge>,
    pub(crate) lock: &'a Lock,
    pub(crate) secrets: BTreeMap<VariableName, BundleSecret>,
    /// The variables that were used, without secrets.
    pub(crate) variables: BTreeMap<String, Json>,
}

/// Writes all files of the bundle.
pub(crate) fn write_bundle(parts: &BundleParts<'_>) -> FileTree {
    let mut tree = FileTree::new();
    let plan = write_objects(parts, &mut tree);
    let manifests = write_tar(&tree);
    tree.put("plan.json", pretty(&plan));
    write_host(parts, &mut tree);
    tree.put("lock.yaml", write_lock(&without_signers(parts.lock)));
    let images = parts.images.iter().map(|used| used.image.clone()).collect();
    tree.put(
        "images.json",
        pretty(&ImageList {
            api_version: ApiVersion,
            kind: ImageListKind,
            images,
        }),
    );
    let (name, version) = parts.profile;
    let layers: Vec<&ResolvedLayer> = parts.layers.iter().map(|(layer, _)| *layer).collect();
    tree.put(
        "sbom.cdx.json",
        pretty(&sbom(
            name.as_str(),
            &version.to_string(),
            &layers,
            parts.images,
        )),
    );
    tree.put(
        "provenance.json",
        pretty(&provenance(parts, &Digest::sha256(&manifests))),
    );
    let files = tree
        .iter()
        .map(|(path, file)| (path.to_string(), Digest::sha256(&file.bytes)))
        .collect();
    tree.put("bundle.json", pretty(&manifest(parts, files)));
    tree
}

/// The text of a lock file: sorted, so that two branches merge.
pub(crate) fn write_lock(lock: &Lock) -> String {
    let json = serde_json::to_value(lock).expect("a lock is JSON");
    let body = write_manifest(&cairn_spec::Node::from(json).value);
    format!(
        "# Written by `cairn profile build`; commit it. Change it with `cairn profile update`.\n{body}"
    )
}

fn pretty<T: Serialize>(value: &T) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("files of a bundle are JSON");
    text.push('\n');
    text
}

fn write_objects(parts: &BundleParts<'_>, tree: &mut FileTree) -> Plan {
    let mut by_layer: Vec<Vec<&Object>> = vec![Vec::new(); parts.layers.len()];
    for object in parts.objects {
        by_layer[object.layer].push(object);
    }
    let mut planned = Vec::new();
    for (index, ((layer, output), mut objects)) in parts.layers.iter().zip(by_layer).enumerate() {
        objects.sort_by(|a, b| (sort_key(a), a.id.group()).cmp(&(sort_key(b), b.id.group())));
        let name = &layer.layer.name;
        let folder = format!("{:03}-{name}", (index + 1) * 10);
        let objects = objects
            .into_iter()
            .map(|object| {
                let text = write_manifest(&object.node.value);
                let mut file = format!("{folder}/{}.yaml", file_stem(object));
                // `Event` is a kind of two groups of Kubernetes, for one.
                if tree.get(&format!("manifests/{file}")).is_some() {
                    file = format!("{folder}/{}.yaml", digest_stem(object));
                }
                let digest = content_digest(&text);
                tree.put(&format!("manifests/{file}"), text);
                PlanObject {
                    id: object.id.clone(),
                    file,
                    digest,
                    hook: object.hook.clone(),
                }
            })
            .collect();
        planned.push(PlannedLayer {
            name: name.clone(),
            kind: layer.kind,
            objects,
            health: layer.pack.as_ref().map_or_else(Vec::new, |resolved| {
                resolved.pack.manifest.spec.health.clone()
            }),
            left_out: output.left_out.clone(),
        });
    }
    plan(planned, parts.edges.clone())
}

/// The longest name of a file without its ending; longer ones are cut.
const MAX_FILE_STEM: usize = 120;

/// `STAGE-KIND_NAMESPACE_NAME`; the stage comes first so that `kubectl apply -R -f` meets
/// namespaces and definitions before what needs them.
///
/// Names of objects hold what file names may not (`system:node`), differ only in letter case, or are
/// long: then a digest keeps the files apart.
fn file_stem(object: &Object) -> String {
    let written = written_stem(object);
    // Only names of role-based access control hold `_`, which parts the parts elsewhere.
    if safe_stem(&written) == written && !object.id.name.contains('_') {
        return written;
    }
    digest_stem(object)
}

fn digest_stem(object: &Object) -> String {
    let id = &object.id;
    let namespace = id.namespace.as_deref().unwrap_or_default();
    let whole = format!("{} {} {namespace} {}", id.api_version, id.kind, id.name);
    let digest = Digest::sha256(whole.as_bytes());
    format!(
        "{}-{}",
        safe_stem(&written_stem(object)),
        &digest.hex()[..8]
    )
}

fn written_stem(object: &Object) -> String {
    let id = &object.id;
    let stage = stage_in_plan(id, object.hook.as_ref()).file_prefix();
    let kind = id.kind.to_lowercase();
    let group = match id.group() {
        group if is_built_in_group(group) => String::new(),
        group => format!(".{group}"),
    };
    let namespace = id
        .namespace
        .as_ref()
        .map_or_else(String::new, |namespace| format!("{namespace}_"));
    format!("{stage}-{kind}{group}_{namespace}{}", id.name)
}

/// A part of a path on every file system.
fn safe_stem(written: &str) -> String {
    let is_safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    let safe = written.chars().map(|c| if is_safe(c) { c } else { '-' });
    safe.take(MAX_FILE_STEM).collect()
}

fn write_host(parts: &BundleParts<'_>, tree: &mut FileTree) {
    let mut steps = Vec::new();
    for (layer, output) in &parts.layers {
        let folder = &layer.layer.name;
        for (path, bytes) in &output.host {
            tree.put(&format!("host/{folder}/{path}"), bytes.to_vec());
        }
        for step in &output.steps {
            let mut step = step.clone();
            let mut digest = None;
            if let Some(file) = &mut step.file {
                digest = output
                    .host
                    .get(&file.source)
                    .map(|bytes| Digest::sha256(bytes));
                file.source = format!("{folder}/{}", file.source)
                    .parse::<TreePath>()
                    .unwrap_or_else(|_| file.source.clone());
            }
            steps.push(HostPlanStep {
                layer: folder.clone(),
                step,
                digest,
            });
        }
    }
    tree.put(
        "host/host-plan.json",
        pretty(&HostPlan {
            api_version: ApiVersion,
            kind: HostPlanKind,
            steps,
        }),
    );
}

/// The charts of a layer.
fn charts_of(layer: &ResolvedLayer) -> Vec<BundleChart> {
    layer
        .charts()
        .map(|(loaded, release)| BundleChart {
            name: loaded.name.clone(),
            version: loaded.version().to_owned(),
            release,
            repository: loaded.repository.clone(),
            digest: loaded.digest.clone(),
        })
        .collect()
}

fn manifest(parts: &BundleParts<'_>, files: BTreeMap<String, Digest>) -> BundleManifest {
    let mut counts = vec![0; parts.layers.len()];
    for object in parts.objects {
        counts[object.layer] += 1;
    }
    let layers = parts
        .layers
        .iter()
        .enumerate()
        .map(|(index, (layer, output))| BundleLayer {
            name: layer.layer.name.clone(),
            kind: layer.kind,
            pack: layer.pack.as_ref().map(|resolved| BundlePack {
                name: resolved.pack.manifest.metadata.name.clone(),
                version: resolved.pack.manifest.metadata.version.clone(),
                diff_id: resolved.diff_id.clone(),
            }),
            charts: charts_of(layer),
            objects: counts[index],
            host_files: output.host.len(),
        })
        .collect();
    let (name, version) = parts.profile;
    BundleManifest {
        api_version: ApiVersion,
        kind: BundleKind,
        compiler: COMPILER_VERSION.parse().expect("our own version is SemVer"),
        profile: BundleProfile {
            name: name.clone(),
            version: version.clone(),
        },
        cluster: parts.cluster.cloned(),
        kubernetes: parts.kubernetes.clone(),
        layers,
        secrets: parts.secrets.clone(),
        objects: parts.objects.len(),
        images: parts.images.len(),
        files,
    }
}
