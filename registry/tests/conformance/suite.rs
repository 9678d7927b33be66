//! The order of the cases, and how each is taken down.

use anyhow::Result;
use cairn_spec::{Digest, DigestAlgorithm};

use crate::{client::Client, content::Content, datasets::datasets, report::Report};

/// The repository that is tested, and the one that blobs are mounted from.
pub(crate) const REPOSITORY: &str = "conformance/repo1";
pub(crate) const OTHER_REPOSITORY: &str = "conformance/repo2";

/// A run against one server.
pub(crate) struct Suite {
    pub(crate) client: Client,
    report: Report,
}

impl Suite {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            report: Report::default(),
        }
    }

    pub(crate) async fn run(self) -> Report {
        self.case("ping", self.ping()).await;
        self.case("empty/tag list", self.empty_tag_list()).await;
        self.case("empty/referrers", self.empty_referrers()).await;
        for algorithm in [DigestAlgorithm::Sha256, DigestAlgorithm::Sha512] {
            self.single_blobs(algorithm).await;
        }
        for (name, content) in datasets() {
            self.dataset(name, &content).await;
        }
        self.manifest_errors().await;
        self.report
    }

    async fn dataset(&self, name: &str, content: &Content) {
        self.push(name, content).await;
        self.list(name, content).await;
        self.read(name, content).await;
        self.referrers(name, content).await;
        self.delete(&format!("{name}/delete"), content).await;
    }

    /// Runs a case that counts once.
    pub(crate) async fn case(&self, name: &str, check: impl Future<Output = Result<()>>) -> bool {
        let outcome = check.await;
        let passed = outcome.is_ok();
        self.report.record(name, 1, outcome);
        passed
    }

    /// Runs a case that counts once for the deletion, and once for its being seen at once.
    pub(crate) async fn deletion(&self, name: &str, check: impl Future<Output = Result<()>>) {
        self.report.record(name, 2, check.await);
    }

    /// Deletes what was pushed: tags, manifests from the last to the first, blobs.
    pub(crate) async fn delete(&self, path: &str, content: &Content) {
        // What went as a parameter counts as pushed, too.
        for tag in content.tags.keys() {
            let case = format!("{path}/tag-delete");
            self.deletion(&case, self.delete_manifest(tag)).await;
        }
        for (digest, _) in content.manifests.iter().rev() {
            let case = format!("{path}/manifest-delete");
            self.deletion(&case, self.delete_manifest(digest.as_str()))
                .await;
        }
        for digest in content.blobs.keys() {
            let case = format!("{path}/blob-delete");
            self.deletion(&case, self.delete_blob(REPOSITORY, digest))
                .await;
        }
    }

    async fn ping(&self) -> Result<()> {
        self.client.send("GET", "/v2/").await?.expect_status(&[200])
    }

    async fn delete_manifest(&self, reference: &str) -> Result<()> {
        self.delete_at(&format!("/v2/{REPOSITORY}/manifests/{reference}"))
            .await
    }

    pub(crate) async fn delete_blob(&self, repository: &str, digest: &Digest) -> Result<()> {
        self.delete_at(&format!("/v2/{repository}/blobs/{digest}"))
            .await
    }

    /// Deletes, also what was never there, and finds it gone at once.
    async fn delete_at(&self, path: &str) -> Result<()> {
        let deleted = self.client.send("DELETE", path).await?;
        deleted.expect_status(&[202, 404])?;
        self.client.send("HEAD", path).await?.expect_status(&[404])
    }
}
