//! Pushing manifests, with their tags, and manifests that must be refused.

use anyhow::{Result, ensure};
use cairn_spec::Digest;
use serde_json::Value;

use crate::{
    client::{Answer, send, with_parameter},
    content::{Content, Shape},
    pushes::Expect,
    reads::media_type_of,
    suite::{REPOSITORY, Suite},
};

/// A reference that is spelled like a digest and is none.
const NO_DIGEST: &str = "sha256:baddigeststring";

impl Suite {
    /// Pushes blobs, then manifests by digest, then tags.
    pub(crate) async fn push(&self, name: &str, content: &Content) {
        for (digest, bytes) in &content.blobs {
            let case = format!("{name}/push/blob-post-put");
            let pushed = self.post_put(REPOSITORY, (digest, bytes), Expect::Created);
            self.case(&case, pushed).await;
        }
        for (digest, bytes) in &content.manifests {
            let case = format!("{name}/push/manifest-by-digest");
            let tags = content.tags.iter().filter(|(_, tagged)| *tagged == digest);
            let tags: Vec<&str> = tags
                .map(|(tag, _)| tag.as_str())
                .filter(|_| content.tag_parameters)
                .collect();
            if content.bad_digest {
                self.case(&case, self.refuse_manifest(digest.as_str(), bytes))
                    .await;
            } else {
                self.case(&case, self.put_by_digest(digest, bytes, &tags))
                    .await;
            }
        }
        for (tag, digest) in content.tags.iter().filter(|_| !content.tag_parameters) {
            let case = format!("{name}/push/manifest-by-tag");
            let mut manifests = content.manifests.iter();
            let (_, bytes) = manifests.find(|(it, _)| it == digest).unwrap();
            self.case(&case, self.put_by_tag(tag, digest, bytes)).await;
        }
    }

    /// What is not there, and what cannot be.
    pub(crate) async fn manifest_errors(&self) {
        let mut content = Content::new("invalid-digest-format");
        let missing = Digest::sha256(&content.noise(1024));
        let case = "missing-manifest/by-digest";
        self.case(case, self.get_nothing(missing.as_str(), &[404]))
            .await;
        let case = "missing-manifest/by-tag";
        self.case(case, self.get_nothing("missing-tag", &[404]))
            .await;

        let shape = Shape {
            layers: 1,
            ..Shape::default()
        };
        content.image(&shape, "amd64");
        for (digest, bytes) in &content.blobs {
            let case = "invalid-digest-format/blob-post-put";
            let pushed = self.post_put(REPOSITORY, (digest, bytes), Expect::Created);
            self.case(case, pushed).await;
        }
        let case = "invalid-digest-format/manifest-put";
        self.case(
            case,
            self.refuse_manifest(NO_DIGEST, &content.manifests[0].1),
        )
        .await;
        let case = "invalid-digest-format/manifest-get";
        self.case(case, self.get_nothing(NO_DIGEST, &[400, 404]))
            .await;
        self.delete("invalid-digest-format/delete", &content).await;
    }

    async fn put_by_digest(&self, digest: &Digest, bytes: &[u8], tags: &[&str]) -> Result<()> {
        let path = format!("/v2/{REPOSITORY}/manifests/{digest}");
        let path = tags
            .iter()
            .fold(path, |path, tag| with_parameter(&path, "tag", tag));
        let put = self.put_manifest(&path, bytes).await?;
        self.stored(&put, digest, bytes).await?;
        if tags.is_empty() {
            return Ok(());
        }
        let told: Vec<&str> = put.header("oci-tag")?.split(',').map(str::trim).collect();
        for tag in tags {
            ensure!(told.contains(tag), "`OCI-Tag` does not name `{tag}`");
        }
        Ok(())
    }

    async fn put_by_tag(&self, tag: &str, digest: &Digest, bytes: &[u8]) -> Result<()> {
        let path = format!("/v2/{REPOSITORY}/manifests/{tag}");
        let put = self.put_manifest(&path, bytes).await?;
        self.stored(&put, digest, bytes).await
    }

    async fn stored(&self, put: &Answer, digest: &Digest, bytes: &[u8]) -> Result<()> {
        put.expect_status(&[201])?;
        put.expect_header("docker-content-digest", digest.as_str())?;
        let manifest: Value = serde_json::from_slice(bytes)?;
        if let Some(subject) = manifest.pointer("/subject/digest").and_then(Value::as_str) {
            put.expect_header("oci-subject", subject)?;
        }
        let found = self.ask_for_manifest("GET", &put.location()?).await?;
        found.expect_status(&[200])?;
        found.expect_header("content-type", &media_type_of(bytes)?)?;
        found.expect_header("content-length", &bytes.len().to_string())?;
        found.expect_body(bytes)
    }

    async fn refuse_manifest(&self, reference: &str, bytes: &[u8]) -> Result<()> {
        let path = format!("/v2/{REPOSITORY}/manifests/{reference}");
        let put = self.put_manifest(&path, bytes).await?;
        put.expect_status(&[400])
    }

    async fn get_nothing(&self, reference: &str, expected: &[u16]) -> Result<()> {
        let path = format!("/v2/{REPOSITORY}/manifests/{reference}");
        let answer = self.ask_for_manifest("GET", &path).await?;
        answer.expect_status(expected)
    }

    async fn put_manifest(&self, path: &str, bytes: &[u8]) -> Result<Answer> {
        let request = self
            .client
            .request("PUT", path)
            .header("content-type", media_type_of(bytes)?)
            .body(bytes.to_vec());
        send(request).await
    }
}
