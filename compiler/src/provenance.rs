//! SLSA provenance: what the manifests of a bundle were built from.

use cairn_spec::Digest;
use serde_json::{Value as Json, json};

use crate::bundle::{BundleParts, COMPILER_VERSION};

/// The predicate type of build provenance.
///
/// <https://slsa.dev/spec/v1.0/provenance>
const SLSA_PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// SLSA provenance of the manifests: what they were built from. No time, so that it is reproducible.
pub(crate) fn provenance(parts: &BundleParts<'_>, manifests: &Digest) -> Json {
    let (name, version) = parts.profile;
    let charts = parts
        .layers
        .iter()
        .flat_map(|(layer, _)| layer.charts())
        .filter_map(|(loaded, _)| {
            let digest = loaded.digest.as_ref()?;
            let repository = loaded.repository.as_ref()?;
            Some(json!({
                "uri": format!("pkg:helm/{}@{}", loaded.name, loaded.version().replace('+', "%2B")),
                "annotations": {"repository": repository},
                "digest": {digest.algorithm().as_str(): digest.hex()},
            }))
        });
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
        .chain(charts)
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
