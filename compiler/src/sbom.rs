//! The bill of materials: CycloneDX 1.6 with packs, images and which pack brings which image.
//!
//! <https://cyclonedx.org/docs/1.6/json/>. It holds no time and no serial number, so that equal
//! bundles have equal bills.

use serde_json::{Value as Json, json};

use crate::{
    image::{UsedImage, normalized},
    resolve::ResolvedLayer,
};

/// The bill of a bundle; `order` gives the layers' order in it.
pub(crate) fn sbom(
    name: &str,
    version: &str,
    layers: &[&ResolvedLayer],
    images: &[UsedImage],
) -> Json {
    let root = format!("profile:{name}@{version}");
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    let mut pack_references: Vec<String> = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let Some(resolved) = &layer.pack else {
            continue;
        };
        let metadata = &resolved.pack.manifest.metadata;
        let reference = format!("pack:{}@{}", metadata.name, metadata.version);
        let brings = images
            .iter()
            .filter(|used| used.layers.contains(&index))
            .map(|used| image_reference(&used.image.image));
        if pack_references.contains(&reference) {
            continue;
        }
        let mut component = json!({
            "type": "application",
            "bom-ref": reference,
            "name": metadata.name,
            "version": metadata.version,
            "hashes": [{"alg": "SHA-256", "content": resolved.diff_id.hex()}],
        });
        if let Some(license) = &metadata.license {
            component["licenses"] = json!([{"expression": license}]);
        }
        if let Some(description) = &metadata.description {
            component["description"] = json!(description);
        }
        components.push(component);
        dependencies.push(json!({"ref": reference, "dependsOn": brings.collect::<Vec<_>>()}));
        pack_references.push(reference);
    }
    for used in images {
        components.push(image_component(&used.image.image));
    }
    dependencies.push(json!({"ref": root, "dependsOn": pack_references}));
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "platform", "bom-ref": root, "name": name, "version": version}},
        "components": components,
        "dependencies": dependencies,
    })
}

fn image_reference(image: &str) -> String {
    format!("image:{image}")
}

fn image_component(image: &str) -> Json {
    let full = normalized(image);
    let (rest, digest) = full
        .split_once('@')
        .map_or((full.as_str(), None), |(rest, digest)| (rest, Some(digest)));
    let last_slash = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, tag) = match rest[last_slash..].find(':') {
        Some(colon) => (
            &rest[..last_slash + colon],
            Some(&rest[last_slash + colon + 1..]),
        ),
        None => (rest, None),
    };
    let name = &repository[last_slash..];
    // https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md
    let version = digest
        .map(|digest| format!("@{}", digest.replace(':', "%3A")))
        .unwrap_or_default();
    let tag_part = tag.map(|tag| format!("&tag={tag}")).unwrap_or_default();
    json!({
        "type": "container",
        "bom-ref": image_reference(image),
        "name": repository,
        "version": digest.or(tag).unwrap_or("latest"),
        "purl": format!("pkg:oci/{name}{version}?repository_url={repository}{tag_part}"),
    })
}
