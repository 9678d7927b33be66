//! What is pushed, read, listed and deleted together: a set for each thing a manifest may be.

use cairn_spec::{Digest, DigestAlgorithm, media_type};
use serde_json::{Map, Value, json};

use crate::content::{Content, EMPTY_JSON, LAYER, LAYER_GZIP, OCTET_STREAM, Shape};

const EXAMPLE_V1: &str = "application/vnd.example.oci.conformance.v1";
const EXAMPLE_V2: &str = "application/vnd.example.oci.conformance.v2";
/// Together they make a manifest of 3.9 MB, just below what every registry has to take.
const LARGE_ANNOTATIONS: usize = 390;
const LARGE_ANNOTATION_BYTES: usize = 10_000;

/// A set's name, and what makes its content.
type Set = (&'static str, fn(&mut Content));

/// All sets, in order, with their names.
pub(crate) fn datasets() -> Vec<(&'static str, Content)> {
    let sets: [Set; 20] = [
        ("image", image),
        ("image-uncompressed", image_uncompressed),
        ("large-manifest", large_manifest),
        ("index", index),
        ("nested-index", nested_index),
        ("empty-index", empty_index),
        ("artifact", artifact),
        ("artifact-index", artifact_index),
        ("artifact-without-layers", artifact_without_layers),
        ("artifacts-with-subject", artifacts_with_subject),
        ("index-with-subject", index_with_subject),
        ("missing-subject", missing_subject),
        ("data-field", data_field),
        ("non-distributable-layers", non_distributable_layers),
        ("custom-fields", custom_fields),
        ("no-layers", no_layers),
        ("sha512", sha512),
        ("tag-param-sha256", tag_param_sha256),
        ("tag-param-sha512", tag_param_sha512),
        ("bad-digest-image", bad_digest_image),
    ];
    let filled = sets.into_iter().map(|(name, fill)| {
        let mut content = Content::new(name);
        fill(&mut content);
        (name, content)
    });
    filled.collect()
}

fn image(content: &mut Content) {
    content.image(&tagged("image"), "amd64");
}

fn image_uncompressed(content: &mut Content) {
    let shape = Shape {
        layer_type: LAYER,
        ..tagged("image-uncompressed")
    };
    content.image(&shape, "amd64");
}

fn large_manifest(content: &mut Content) {
    let annotation = |number| {
        let name = format!("large-annotation-{number}");
        (name, Value::from("A".repeat(LARGE_ANNOTATION_BYTES)))
    };
    let shape = Shape {
        annotations: (0..LARGE_ANNOTATIONS).map(annotation).collect(),
        ..tagged("large-manifest")
    };
    content.image(&shape, "amd64");
}

fn index(content: &mut Content) {
    content.index(&tagged("index"));
}

fn nested_index(content: &mut Content) {
    let entries = [
        content.index(&Shape::default()),
        content.index(&Shape::default()),
    ];
    content.index_of(&tagged("index-of-index"), &entries);
}

fn empty_index(content: &mut Content) {
    let shape = Shape {
        architectures: Vec::new(),
        ..tagged("index")
    };
    content.index(&shape);
}

fn artifact(content: &mut Content) {
    let shape = Shape {
        tag: Some("artifact"),
        ..example_artifact()
    };
    content.image(&shape, "amd64");
}

fn artifact_index(content: &mut Content) {
    let shape = Shape {
        tag: Some("artifact-index"),
        ..example_artifact()
    };
    content.index(&shape);
}

fn artifact_without_layers(content: &mut Content) {
    let shape = Shape {
        layer_bytes: Some(b"{}"),
        layer_type: EMPTY_JSON,
        tag: Some("artifact-without-layers"),
        ..example_artifact()
    };
    content.image(&shape, "amd64");
}

fn artifacts_with_subject(content: &mut Content) {
    let subject = content.image(&tagged("image"), "amd64");
    let plain = Shape {
        subject: Some(subject.clone()),
        ..Shape::default()
    };
    content.image(&plain, "amd64");
    let first = Shape {
        tag: Some("tagged-artifact1"),
        ..referring_artifact(subject)
    };
    let second = Shape {
        artifact_type: Some(EXAMPLE_V2),
        layer_type: OCTET_STREAM,
        tag: Some("tagged-artifact2"),
        ..first.clone()
    };
    content.image(&first, "amd64");
    content.image(&second, "amd64");
}

fn index_with_subject(content: &mut Content) {
    let subject = content.index(&tagged("index"));
    let shape = Shape {
        tag: Some("tagged-artifact"),
        ..referring_artifact(subject)
    };
    content.index(&shape);
}

fn missing_subject(content: &mut Content) {
    let subject = json!({
        "mediaType": media_type::OCI_MANIFEST,
        "digest": Digest::sha256(b"missing content"),
        "size": 123,
    });
    let shape = Shape {
        tag: Some("tagged-artifact"),
        ..referring_artifact(subject)
    };
    content.image(&shape, "amd64");
}

fn data_field(content: &mut Content) {
    let shape = Shape {
        descriptor_data: true,
        ..tagged("data-field")
    };
    content.image(&shape, "amd64");
}

/// Two of the layers are only named: they are elsewhere, and nobody pushes them.
fn non_distributable_layers(content: &mut Content) {
    let shape = tagged("non-distributable-image");
    let mut layers = Vec::new();
    for (suffix, size) in [("tar+gzip", 123_456), ("tar", 12_345)] {
        let digest = Digest::sha256(&content.noise(256));
        layers.push(json!({
            "mediaType": format!("application/vnd.oci.image.layer.nondistributable.v1.{suffix}"),
            "digest": digest,
            "size": size,
            "urls": [format!("https://store.example.com/blobs/sha256/{}", digest.hex())],
        }));
    }
    let bytes = content.noise(512);
    layers.push(content.blob(&shape, LAYER_GZIP, bytes));
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers"}});
    let bytes = config.to_string().into_bytes();
    let config = content.blob(&shape, media_type::OCI_IMAGE_CONFIG, bytes);
    content.image_of(&shape, &config, &layers);
}

fn custom_fields(content: &mut Content) {
    let shape = Shape {
        extra_field: true,
        ..tagged("custom-fields")
    };
    content.index(&shape);
}

fn no_layers(content: &mut Content) {
    let shape = Shape {
        layers: 0,
        ..tagged("no-layers")
    };
    content.image(&shape, "amd64");
}

fn sha512(content: &mut Content) {
    let shape = Shape {
        algorithm: DigestAlgorithm::Sha512,
        ..Shape::default()
    };
    content.index(&shape);
}

fn tag_param_sha256(content: &mut Content) {
    content.index(&tagged("tag-param-sha256"));
    tag_all(content, "tag-param-sha256");
}

fn tag_param_sha512(content: &mut Content) {
    let shape = Shape {
        algorithm: DigestAlgorithm::Sha512,
        ..tagged("tag-param-sha512")
    };
    content.index(&shape);
    tag_all(content, "tag-param-sha512");
}

fn bad_digest_image(content: &mut Content) {
    content.image(&Shape::default(), "amd64");
    content.manifests[0].1.extend_from_slice(b"  ");
    content.bad_digest = true;
}

fn tagged(tag: &'static str) -> Shape {
    Shape {
        tag: Some(tag),
        ..Shape::default()
    }
}

fn example_artifact() -> Shape {
    Shape {
        artifact_type: Some(EXAMPLE_V1),
        config: Some((EMPTY_JSON, b"{}")),
        layers: 1,
        layer_type: EXAMPLE_V1,
        ..Shape::default()
    }
}

fn referring_artifact(subject: Value) -> Shape {
    let annotation = ("org.opencontainers.conformance", "hello conformance test");
    let annotations = [(annotation.0.to_owned(), annotation.1.into())];
    Shape {
        annotations: Map::from_iter(annotations),
        unique_annotation: true,
        subject: Some(subject),
        ..example_artifact()
    }
}

/// Gives each manifest a tag of its own besides.
fn tag_all(content: &mut Content, prefix: &str) {
    for (number, (digest, _)) in content.manifests.iter().enumerate() {
        let tag = format!("{prefix}-{number}");
        content.tags.insert(tag, digest.clone());
    }
    content.tag_parameters = true;
}
