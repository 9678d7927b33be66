//! The bill of materials: CycloneDX 1.6 with packs, images and which pack brings which image.
//!
//! <https://cyclonedx.org/docs/1.6/json/>. It holds no time and no serial number, so that equal
//! bundles have equal bills.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::{
    charts::LoadedChart,
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
    // A pack may stand in several layers: it brings the images of all of them.
    let mut brings: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut brings_itself: BTreeSet<String> = BTreeSet::new();
    let mut direct: Vec<String> = Vec::new();
    let images_of = |index: usize| {
        images
            .iter()
            .filter(move |used| used.layers.contains(&index))
            .map(|used| image_reference(&used.image.image))
    };
    for (index, layer) in layers.iter().enumerate() {
        for (loaded, _) in layer.charts() {
            let component = chart_component(loaded);
            let reference = component["bom-ref"].as_str().unwrap_or_default().to_owned();
            let parent = layer.pack.as_ref().map(|resolved| {
                let metadata = &resolved.pack.manifest.metadata;
                format!("pack:{}@{}", metadata.name, metadata.version)
            });
            if !components.contains(&component) {
                components.push(component);
            }
            match parent {
                Some(parent) => brings.entry(parent).or_default().insert(reference),
                None => brings_itself.insert(reference),
            };
        }
        let Some(resolved) = &layer.pack else {
            brings_itself.extend(images_of(index));
            continue;
        };
        let metadata = &resolved.pack.manifest.metadata;
        let reference = format!("pack:{}@{}", metadata.name, metadata.version);
        brings
            .entry(reference.clone())
            .or_default()
            .extend(images_of(index));
        if direct.contains(&reference) {
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
        direct.push(reference);
    }
    for used in images {
        components.push(image_component(&used.image.image));
    }
    let mut dependencies: Vec<Json> = direct
        .iter()
        .map(|reference| json!({"ref": reference, "dependsOn": brings[reference]}))
        .collect();
    direct.extend(brings_itself);
    dependencies.push(json!({"ref": root, "dependsOn": direct}));
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "platform", "bom-ref": root, "name": name, "version": version}},
        "components": components,
        "dependencies": dependencies,
    })
}

/// A chart as a component: what its `Chart.yaml` says, and the digest of its archive.
fn chart_component(loaded: &LoadedChart) -> Json {
    let metadata = &loaded.chart.metadata;
    let mut component = json!({
        "type": "application",
        "bom-ref": format!("chart:{}@{}", loaded.name, loaded.version()),
        "name": loaded.name,
        "version": loaded.version(),
        "purl": format!("pkg:helm/{}@{}", loaded.name, loaded.version().replace('+', "%2B")),
    });
    if let Some(digest) = &loaded.digest {
        component["hashes"] = json!([{"alg": "SHA-256", "content": digest.hex()}]);
    }
    if !metadata.description.is_empty() {
        component["description"] = json!(metadata.description);
    }
    component
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
