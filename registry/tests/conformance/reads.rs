//! Asking for content, and reading it.

use anyhow::Result;
use cairn_spec::Digest;
use serde_json::Value;

use crate::{
    client::{Answer, send},
    content::Content,
    suite::{REPOSITORY, Suite},
};

impl Suite {
    /// Asks for everything that was pushed, then reads it.
    pub(crate) async fn read(&self, name: &str, content: &Content) {
        let manifest = |digest: &Digest| {
            let mut manifests = content.manifests.iter();
            let (_, bytes) = manifests.find(|(it, _)| it == digest).unwrap();
            (digest.clone(), bytes.clone())
        };
        for (group, by_tag, by_digest, blob) in [
            (
                "head",
                "manifest-head-by-tag",
                "manifest-head-by-digest",
                "blob-head",
            ),
            ("pull", "manifest-by-tag", "manifest-by-digest", "blob-get"),
        ] {
            let only_head = group == "head";
            for (tag, digest) in &content.tags {
                let case = format!("{name}/{group}/{by_tag}");
                let check = self.manifest_as_pushed(tag, manifest(digest), only_head);
                self.case(&case, check).await;
            }
            for (digest, bytes) in content.manifests.iter().filter(|_| !content.bad_digest) {
                let case = format!("{name}/{group}/{by_digest}");
                let pushed = (digest.clone(), bytes.clone());
                let check = self.manifest_as_pushed(digest.as_str(), pushed, only_head);
                self.case(&case, check).await;
            }
            for (digest, bytes) in &content.blobs {
                let case = format!("{name}/{group}/{blob}");
                if only_head {
                    self.case(&case, self.head_blob(digest, bytes.len())).await;
                } else {
                    self.case(&case, self.get_blob(digest, bytes)).await;
                }
            }
        }
    }

    pub(crate) async fn head_blob(&self, digest: &Digest, length: usize) -> Result<()> {
        let path = format!("/v2/{REPOSITORY}/blobs/{digest}");
        let answer = self.client.send("HEAD", &path).await?;
        answer.expect_status(&[200])?;
        answer.expect_content(digest, length)
    }

    pub(crate) async fn get_blob(&self, digest: &Digest, content: &[u8]) -> Result<()> {
        let path = format!("/v2/{REPOSITORY}/blobs/{digest}");
        let answer = self.client.send("GET", &path).await?;
        answer.expect_status(&[200])?;
        answer.expect_content(digest, content.len())?;
        answer.expect_body(content)
    }

    async fn manifest_as_pushed(
        &self,
        reference: &str,
        (digest, bytes): (Digest, Vec<u8>),
        only_head: bool,
    ) -> Result<()> {
        let method = if only_head { "HEAD" } else { "GET" };
        let path = format!("/v2/{REPOSITORY}/manifests/{reference}");
        let answer = self.ask_for_manifest(method, &path).await?;
        answer.expect_status(&[200])?;
        answer.expect_header("content-type", &media_type_of(&bytes)?)?;
        answer.expect_content(&digest, bytes.len())?;
        if only_head {
            return Ok(());
        }
        answer.expect_body(&bytes)
    }

    /// A request as clients send it: with what they understand.
    pub(crate) async fn ask_for_manifest(&self, method: &str, location: &str) -> Result<Answer> {
        let mut request = self.client.request(method, location);
        for accepted in [
            cairn_spec::media_type::OCI_INDEX,
            cairn_spec::media_type::OCI_MANIFEST,
        ] {
            request = request.header("accept", accepted);
        }
        send(request).await
    }
}

/// The type that a manifest says it has.
pub(crate) fn media_type_of(manifest: &[u8]) -> Result<String> {
    let manifest: Value = serde_json::from_slice(manifest)?;
    Ok(manifest["mediaType"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}
