//! Lists: tags, and the referrers of a subject.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use cairn_spec::{Digest, media_type};
use serde_json::Value;

use crate::{
    client::with_parameter,
    content::Content,
    suite::{REPOSITORY, Suite},
};

impl Suite {
    /// A repository that nothing was pushed to may be unknown.
    pub(crate) async fn empty_tag_list(&self) -> Result<()> {
        let path = format!("/v2/{REPOSITORY}/tags/list");
        let answer = self.client.send("GET", &path).await?;
        answer.expect_status(&[200, 404])
    }

    /// A subject that nobody ever saw has no referrers, and is no error.
    pub(crate) async fn empty_referrers(&self) -> Result<()> {
        let subject = Digest::sha256(b"nobody's subject");
        let found = self.referrers_of(&subject, None).await?;
        ensure!(found.is_empty(), "it has referrers: {found:?}");
        Ok(())
    }

    pub(crate) async fn list(&self, name: &str, content: &Content) {
        let case = format!("{name}/tag-list");
        self.case(&case, self.tags_are_listed(content)).await;
    }

    pub(crate) async fn referrers(&self, name: &str, content: &Content) {
        if !content.referrers.is_empty() {
            let case = format!("{name}/referrers");
            self.case(&case, self.referrers_are_listed(content)).await;
        }
    }

    async fn tags_are_listed(&self, content: &Content) -> Result<()> {
        let path = format!("/v2/{REPOSITORY}/tags/list");
        let tags = self.tags_at(&path).await?;
        for tag in content.tags.keys() {
            ensure!(tags.contains(tag), "`{tag}` is not listed");
        }
        if tags.len() >= 2 {
            let sorted: BTreeSet<String> = tags.into_iter().collect();
            let before: Vec<&String> = sorted.iter().take(sorted.len() / 2).collect();
            let last = before[before.len() - 1];
            let after = self.tags_at(&with_parameter(&path, "last", last)).await?;
            for tag in &sorted {
                ensure!(
                    after.contains(tag) != before.contains(&tag),
                    "`{tag}` is on the wrong side of `last={last}`"
                );
            }
        }
        Ok(())
    }

    async fn tags_at(&self, path: &str) -> Result<Vec<String>> {
        let answer = self.client.send("GET", path).await?;
        answer.expect_status(&[200, 404])?;
        if answer.status == 404 {
            return Ok(Vec::new());
        }
        let tags = answer.json()?["tags"].clone();
        Ok(serde_json::from_value(tags)?)
    }

    async fn referrers_are_listed(&self, content: &Content) -> Result<()> {
        for (subject, expected) in &content.referrers {
            let found = self.referrers_of(subject, None).await?;
            for referrer in expected {
                ensure!(found.contains(referrer), "missing: {referrer}");
            }
            let types: BTreeSet<&str> = expected.iter().map(artifact_type).collect();
            // Without a type there is nothing to filter by.
            for wanted in types.into_iter().filter(|wanted| !wanted.is_empty()) {
                let found = self.referrers_of(subject, Some(wanted)).await?;
                for referrer in expected {
                    ensure!(
                        found.contains(referrer) == (artifact_type(referrer) == wanted),
                        "filtered wrongly by `{wanted}`: {referrer}"
                    );
                }
                let strangers = found.iter().find(|it| artifact_type(it) != wanted);
                ensure!(strangers.is_none(), "not filtered out: {strangers:?}");
            }
        }
        Ok(())
    }

    async fn referrers_of(&self, subject: &Digest, wanted: Option<&str>) -> Result<Vec<Value>> {
        let mut path = format!("/v2/{REPOSITORY}/referrers/{subject}");
        if let Some(wanted) = wanted {
            path = with_parameter(&path, "artifactType", &wanted.replace('+', "%2B"));
        }
        let answer = self.client.send("GET", &path).await?;
        answer.expect_status(&[200])?;
        answer.expect_header("content-type", media_type::OCI_INDEX)?;
        if wanted.is_some() {
            answer.expect_header("oci-filters-applied", "artifactType")?;
        }
        let index = answer.json()?;
        ensure!(
            index["mediaType"] == media_type::OCI_INDEX && index["schemaVersion"] == 2,
            "not an index: {index}"
        );
        let found = index["manifests"].as_array();
        Ok(found.context("an index without `manifests`")?.clone())
    }
}

fn artifact_type(descriptor: &Value) -> &str {
    descriptor["artifactType"].as_str().unwrap_or_default()
}
