//! Writes the bundle: every file, its digest, and the manifest that names them (`spec/bundle.md`).

use std::collections::BTreeMap;

use cairn_spec::{
    ApiVersion, BundleKind, BundleLayer, BundleManifest, BundlePack, BundleProfile, BundleSecret,
    ClusterName, Digest, FileTree, HostPlan, HostPlanKind, HostPlanStep, ImageList, ImageListKind,
    Lock, ObjectId, Plan, PlanEdge, PlanObject, ProfileName, TreePath, VariableName, Version,
    write_tar, yaml::write_manifest,
};
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    image::UsedImage,
    object::{Object, is_built_in},
    plan::{PlannedLayer, content_digest, plan, sort_key, stage_of},
    render::LayerOutput,
    resolve::ResolvedLayer,
    sbom::sbom,
};

/// The compiler's own version.
pub const COMPILER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The predicate type of build provenance.
///
/// <https://slsa.dev/spec/v1.0/provenance>
const SLSA_PROVENANCE: &str = "https://slsa.dev/provenance/v1";

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

/// Who signed a pack is a fact about a registry, not about content: a bundle that is built from a
/// mirror which signs anew is the same bundle.
fn without_signers(lock: &Lock) -> Lock {
    let mut lock = lock.clone();
    for pack in &mut lock.packs {
        pack.signers.clear();
    }
    lock
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
    let mut planned = Vec::new();
    for (index, (layer, _)) in parts.layers.iter().enumerate() {
        let mut objects: Vec<&Object> = parts
            .objects
            .iter()
            .filter(|object| object.layer == index)
            .collect();
        objects
            .sort_by(|a, b| (sort_key(&a.id), a.id.group()).cmp(&(sort_key(&b.id), b.id.group())));
        let objects = objects
            .into_iter()
            .map(|object| {
                let text = write_manifest(&object.node.value);
                let folder = format!("{:03}-{}", (index + 1) * 10, layer.layer.name);
                let mut file = format!("{folder}/{}.yaml", file_name(&object.id));
                // Two groups of Kubernetes can serve kinds of one name, such as `Event`.
                if tree.get(&format!("manifests/{file}")).is_some() {
                    let group = Digest::sha256(object.id.group().as_bytes());
                    let name = file_name(&object.id);
                    file = format!("{folder}/{name}-{}.yaml", &group.hex()[..8]);
                }
                let digest = content_digest(&text);
                tree.put(&format!("manifests/{file}"), text);
                PlanObject {
                    id: object.id.clone(),
                    file,
                    digest,
                }
            })
            .collect();
        planned.push(PlannedLayer {
            name: layer.layer.name.clone(),
            kind: layer.kind,
            objects,
        });
    }
    plan(planned, parts.edges.clone())
}

/// `STAGE-KIND_NAMESPACE_NAME`; the stage comes first so that `kubectl apply -R -f` meets
/// namespaces and definitions before what needs them.
fn file_name(id: &ObjectId) -> String {
    let stage = stage_of(id) as u8 + 1;
    let kind = id.kind.to_lowercase();
    let group = if is_built_in(id.group()) {
        String::new()
    } else {
        format!(".{}", id.group())
    };
    let mut name = match &id.namespace {
        Some(namespace) => format!("{stage}-{kind}{group}_{namespace}_{}", id.name),
        None => format!("{stage}-{kind}{group}_{}", id.name),
    };
    // Role names may hold colons and capitals, and be long; file names of all systems may not.
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    if !name.chars().all(plain) || name.len() > MAX_FILE_NAME_BYTES {
        let cleaned: String = name
            .chars()
            .map(|c| c.to_ascii_lowercase())
            .map(|c| if plain(c) { c } else { '-' })
            .take(MAX_FILE_NAME_BYTES)
            .collect();
        name = format!(
            "{cleaned}-{}",
            &Digest::sha256(id.name.as_bytes()).hex()[..8]
        );
    }
    name
}

/// The longest file name before its digest and `.yaml`, in bytes: with `manifests/NNN-LAYER/` before it, a path stays
/// below the 240 bytes of `spec/pack.md` §1.
const MAX_FILE_NAME_BYTES: usize = 140;

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

fn manifest(parts: &BundleParts<'_>, files: BTreeMap<String, Digest>) -> BundleManifest {
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
            objects: parts
                .objects
                .iter()
                .filter(|object| object.layer == index)
                .count(),
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

/// SLSA provenance of the manifests: what they were built from. No time, so that it is reproducible.
fn provenance(parts: &BundleParts<'_>, manifests: &Digest) -> Json {
    let (name, version) = parts.profile;
    let packs: Vec<Json> = parts
        .layers
        .iter()
        .filter_map(|(layer, _)| layer.pack.as_ref())
        .map(|resolved| {
            let metadata = &resolved.pack.manifest.metadata;
            let mut dependency = json!({
                "uri": format!("pkg:oci/{}?tag={}", metadata.name, metadata.version),
                "annotations": {"diffId": resolved.diff_id},
            });
            if let Some(locked) = &resolved.locked {
                dependency["digest"] =
                    json!({locked.digest.algorithm().as_str(): locked.digest.hex()});
            }
            dependency
        })
        .collect();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "manifests.tar", "digest": {"sha256": manifests.hex()}}],
        "predicateType": SLSA_PROVENANCE,
        "predicate": {
            "buildDefinition": {
                "buildType": "https://cairn.dev/compile/v1",
                "externalParameters": {
                    "profile": {"name": name, "version": version},
                    "cluster": parts.cluster,
                    "kubernetes": parts.kubernetes,
                    "variables": parts.variables,
                },
                "resolvedDependencies": packs,
            },
            "runDetails": {"builder": {"id": "https://cairn.dev/compiler", "version": {"cairn": COMPILER_VERSION}}},
        },
    })
}

/// All objects as one YAML stream in the order of the plan, for snapshots and `--output -`.
pub fn manifests_of(tree: &FileTree) -> String {
    let mut out = String::new();
    for (path, file) in tree
        .iter()
        .filter(|(path, _)| path.below("manifests").is_some())
    {
        out.push_str("---\n# ");
        out.push_str(path.as_str());
        out.push('\n');
        out.push_str(&String::from_utf8_lossy(&file.bytes));
    }
    out
}
