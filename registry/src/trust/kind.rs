//! Which manifests are about others: signatures, attestations, bills of materials.

use serde::Deserialize;

/// Media types of layers that container runtimes and Cairn unpack end in one of these, or contain
/// it before a parameter (<https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md>).
const ARCHIVES: [&str; 2] = ["tar", ".tgz"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
    subject: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
}

/// A manifest has no content that anybody would run: it is a signature in either of cosign's
/// forms, or names a subject and holds no archive.
///
/// Such manifests are served although nobody signed them, for without them nothing could be
/// verified. An image that merely names a subject is not one of them, for then naming a subject
/// would be all it takes to evade a policy.
pub(crate) fn is_about_another(bytes: &[u8]) -> bool {
    let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes) else {
        return false;
    };
    if manifest.manifests.is_some() || manifest.layers.is_empty() {
        return false;
    }
    let all = |holds: &dyn Fn(&str) -> bool| {
        let mut layers = manifest.layers.iter();
        layers.all(|layer| holds(&layer.media_type))
    };
    all(&is_signature) || (manifest.subject.is_some() && all(&|layer| !is_archive(layer)))
}

/// <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>,
/// <https://github.com/notaryproject/specifications/blob/main/specs/signature-specification.md>
fn is_signature(media_type: &str) -> bool {
    media_type == cairn_spec::media_type::SIMPLE_SIGNING
        || media_type.starts_with("application/vnd.dev.sigstore.bundle")
        || media_type == "application/vnd.dsse.envelope.v1+json"
        || media_type == "application/jose+json"
        || media_type == "application/cose"
}

fn is_archive(media_type: &str) -> bool {
    ARCHIVES.iter().any(|archive| media_type.contains(archive))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_evades_no_policy_is_served() {
        let about =
            |manifest: &serde_json::Value| is_about_another(manifest.to_string().as_bytes());
        let layers = |types: &[&str]| -> serde_json::Value {
            types
                .iter()
                .map(|kind| json!({"mediaType": kind}))
                .collect()
        };
        let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
        let simple = "application/vnd.dev.cosign.simplesigning.v1+json";
        let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
        let sbom = "application/vnd.cyclonedx+json";
        assert!(about(&json!({"layers": layers(&[bundle]), "subject": {}})));
        assert!(about(&json!({"layers": layers(&[simple, simple])})));
        assert!(about(&json!({"layers": layers(&[sbom]), "subject": {}})));
        assert!(!about(&json!({"layers": layers(&[sbom])})));
        assert!(!about(&json!({"layers": layers(&[tar]), "subject": {}})));
        assert!(!about(&json!({"layers": layers(&[simple, tar])})));
        assert!(!about(&json!({"layers": [], "subject": {}})));
        assert!(!about(&json!({"manifests": [], "subject": {}})));
        assert!(!is_about_another(b"not JSON"));
    }
}
