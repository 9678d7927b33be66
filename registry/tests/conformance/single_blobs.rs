//! Blobs by themselves: each way to push one, ranges, well-known content, and wrong digests.

use anyhow::{Context as _, Result};
use cairn_spec::{Digest, DigestAlgorithm};

use crate::{
    client::send,
    content::{Content, digest},
    pushes::{Chunked, Expect},
    suite::{OTHER_REPOSITORY, REPOSITORY, Suite},
};

/// Enough for a chunked push to have chunks of more than the smallest size.
const CHUNKED_BYTES: usize = 3 * 1024 - 5;
const SINGLE_BYTES: usize = 512;
const RANGED_BYTES: usize = 2048;

impl Suite {
    pub(crate) async fn single_blobs(&self, algorithm: DigestAlgorithm) {
        let path = format!("{} blobs", algorithm.as_str());
        let mut content = Content::new(&path);
        let mut blob = |length| {
            let bytes = content.noise(length);
            (digest(algorithm, &bytes), bytes)
        };

        let (missing, _) = blob(SINGLE_BYTES);
        let case = format!("{path}/get-missing");
        self.case(&case, self.get_missing(&missing)).await;

        for name in ["post only", "post+put", "chunked single", "stream"] {
            self.pushed_alone(&path, name, blob(SINGLE_BYTES)).await;
        }
        for name in ["mount", "mount anonymous", "mount missing"] {
            self.mounted(&format!("{path}/{name}"), name, blob(SINGLE_BYTES))
                .await;
        }
        let cancelled = format!("{path}/post cancel");
        let case = format!("{cancelled}/blob-post-cancel");
        self.case(&case, self.post_cancel(REPOSITORY)).await;
        let (never_pushed, _) = blob(SINGLE_BYTES);
        self.remove(&cancelled, REPOSITORY, &never_pushed).await;
        for name in [
            "chunked multi",
            "chunked multi and put chunk",
            "chunked out-of-order",
            "chunked out-of-order and put chunk",
        ] {
            self.pushed_alone(&path, name, blob(CHUNKED_BYTES)).await;
        }

        self.ranges(&format!("{path}/range requests"), blob(RANGED_BYTES))
            .await;
        for (name, bytes) in [("empty", &b""[..]), ("emptyJSON", b"{}")] {
            let path = format!("{path}/{name}");
            let blob = (digest(algorithm, bytes), bytes.to_vec());
            let case = format!("{path}/blob-post-put");
            let pushed = self.post_put(REPOSITORY, (&blob.0, &blob.1), Expect::Created);
            self.case(&case, pushed).await;
            self.read_and_remove(&path, blob).await;
        }
        for name in [
            "bad digest post only",
            "bad digest post+put",
            "bad digest chunked",
            "bad digest chunked and put chunk",
            "bad digest stream",
        ] {
            let (digest, mut bytes) = blob(CHUNKED_BYTES);
            bytes.extend_from_slice(b"oh no");
            self.pushed(&path, name, (&digest, &bytes), Expect::BadDigest)
                .await;
        }
    }

    /// Pushes a blob in the way that the name says.
    async fn pushed(&self, path: &str, name: &str, blob: (&Digest, &[u8]), expect: Expect) -> bool {
        let how = Chunked {
            out_of_order: name.contains("out-of-order"),
            put_last: name.ends_with("put chunk"),
        };
        let case = |way: &str| format!("{path}/{name}/{way}");
        if name.contains("chunked") {
            let pushed = self.patch_chunked(REPOSITORY, blob, (how, expect));
            self.case(&case("blob-patch-chunked"), pushed).await
        } else if name.ends_with("stream") {
            let pushed = self.patch_stream(REPOSITORY, blob, expect);
            self.case(&case("blob-patch-stream"), pushed).await
        } else if name.ends_with("post only") {
            let pushed = self.post_only(REPOSITORY, blob, expect);
            self.case(&case("blob-post-only"), pushed).await
        } else {
            let pushed = self.post_put(REPOSITORY, blob, expect);
            self.case(&case("blob-post-put"), pushed).await
        }
    }

    async fn pushed_alone(&self, path: &str, name: &str, blob: (Digest, Vec<u8>)) {
        self.pushed(path, name, (&blob.0, &blob.1), Expect::Created)
            .await;
        self.read_and_remove(&format!("{path}/{name}"), blob).await;
    }

    async fn mounted(&self, path: &str, name: &str, (digest, bytes): (Digest, Vec<u8>)) {
        let blob = (&digest, bytes.as_slice());
        let is_missing = name == "mount missing";
        if !is_missing {
            let case = format!("{path}/blob-post-put");
            let pushed = self.post_put(OTHER_REPOSITORY, blob, Expect::Created);
            self.case(&case, pushed).await;
        }
        if is_missing {
            let case = format!("{path}/blob-mount");
            let mounted = self.mount_missing(REPOSITORY, OTHER_REPOSITORY, blob);
            self.case(&case, mounted).await;
        } else if name == "mount" {
            let case = format!("{path}/blob-mount");
            let mounted = self.mount(REPOSITORY, Some(OTHER_REPOSITORY), blob);
            self.case(&case, mounted).await;
        } else {
            let case = format!("{path}/blob-mount-anonymous");
            self.case(&case, self.mount(REPOSITORY, None, blob)).await;
        }
        self.read_and_remove(path, (digest.clone(), bytes)).await;
        if !is_missing {
            self.remove(path, OTHER_REPOSITORY, &digest).await;
        }
    }

    async fn read_and_remove(&self, path: &str, (digest, bytes): (Digest, Vec<u8>)) {
        let case = format!("{path}/blob-head");
        self.case(&case, self.head_blob(&digest, bytes.len())).await;
        let case = format!("{path}/blob-get");
        self.case(&case, self.get_blob(&digest, &bytes)).await;
        self.remove(path, REPOSITORY, &digest).await;
    }

    async fn remove(&self, path: &str, repository: &str, digest: &Digest) {
        let case = format!("{path}/blob-delete");
        self.deletion(&case, self.delete_blob(repository, digest))
            .await;
    }

    async fn get_missing(&self, digest: &Digest) -> Result<()> {
        let path = format!("/v2/{REPOSITORY}/blobs/{digest}");
        self.client.send("GET", &path).await?.expect_status(&[404])
    }

    async fn ranges(&self, path: &str, (digest, bytes): (Digest, Vec<u8>)) {
        let case = format!("{path}/blob-post-put");
        let pushed = self.post_put(REPOSITORY, (&digest, &bytes), Expect::Created);
        self.case(&case, pushed).await;
        for (range, expected) in [
            ("500-1499", Some(500..1500)),
            ("500-", Some(500..RANGED_BYTES)),
            ("-500", Some(RANGED_BYTES - 500..RANGED_BYTES)),
            ("2000-5000", Some(2000..RANGED_BYTES)),
            ("500-0", None),
            ("5000-10000", None),
        ] {
            let case = format!("{path}/range {range}");
            let expected = expected.map(|range| (range.clone(), &bytes[range]));
            self.case(&case, self.range(&digest, range, expected)).await;
        }
        self.remove(path, REPOSITORY, &digest).await;
    }

    async fn range(
        &self,
        digest: &Digest,
        range: &str,
        expected: Option<(std::ops::Range<usize>, &[u8])>,
    ) -> Result<()> {
        let path = format!("/v2/{REPOSITORY}/blobs/{digest}");
        let request = self.client.request("GET", &path);
        let answer = send(request.header("range", format!("bytes={range}"))).await?;
        let Some((range, content)) = expected else {
            return answer.expect_status(&[416]);
        };
        answer.expect_status(&[206])?;
        answer.expect_header("content-length", &content.len().to_string())?;
        let last = range.end.checked_sub(1).context("an empty range")?;
        let header = format!("bytes {}-{last}/{RANGED_BYTES}", range.start);
        answer.expect_header("content-range", &header)?;
        answer.expect_body(content)
    }
}
