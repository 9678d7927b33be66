//! What fuzz targets run of the parsers of requests (`crate::fuzzing`).

use cairn_spec::{RepositoryName, Tag};
use http::{HeaderMap, HeaderValue, Uri, header};

use super::{
    authentication,
    endpoint::Endpoint,
    query::{Query, encoded},
    ranges,
};
use crate::service::{Reference, UploadId};

/// A blob's size that has both ends of a range inside and outside.
const SIZE_BYTES: u64 = 1000;

pub(crate) fn path(text: &str) {
    let Ok(endpoint) = Endpoint::parse(text) else {
        return;
    };
    let (name, reference) = match &endpoint {
        Endpoint::Base | Endpoint::Catalog | Endpoint::Discover => return,
        Endpoint::Manifest(name, reference) | Endpoint::Trust(name, reference) => {
            (name, Some(reference))
        }
        Endpoint::Uploads(name)
        | Endpoint::Upload(name, _)
        | Endpoint::Blob(name, _)
        | Endpoint::Tags(name)
        | Endpoint::Referrers(name, _) => (name, None),
    };
    assert_is_plain(name);
    if let Some(Reference::Tag(tag)) = reference {
        assert!(!tag.as_str().contains(['/', ':', '%']), "{tag}");
        assert_eq!(tag.as_str().parse::<Tag>().as_ref(), Ok(tag));
    }
}

/// No name leaves the folder or the prefix that it is put behind.
fn assert_is_plain(name: &RepositoryName) {
    let text = name.as_str();
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    assert!(text.split('/').all(is_plain), "{text}");
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/".contains(&byte);
    assert!(text.bytes().all(fits), "{text}");
}

pub(crate) fn ranges(range: &[u8], content_range: &[u8]) {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::RANGE, range),
        (header::CONTENT_RANGE, content_range),
    ] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(name, value);
        }
    }
    for size_bytes in [0, 1, SIZE_BYTES, u64::MAX] {
        if let Ok(Some(range)) = ranges::requested(&headers, size_bytes) {
            assert!(
                range.start < range.end && range.end <= size_bytes,
                "{range:?}"
            );
        }
    }
    if let Ok(Some(chunk)) = ranges::chunk(&headers) {
        assert!(
            chunk.first <= chunk.last && chunk.last < u64::MAX,
            "{chunk:?}"
        );
    }
}

pub(crate) fn query(text: &str) {
    let Ok(uri) = format!("/v2/?{text}").parse::<Uri>() else {
        return;
    };
    let query = Query::of(&uri);
    let _ = query.page_entries();
    for name in [
        "n",
        "last",
        "digest",
        "mount",
        "from",
        "tag",
        "artifactType",
    ] {
        for value in query.all(name) {
            // A value that is put into a link comes back as it was.
            let link = format!("/v2/?{name}={}", encoded(value));
            let link = link.parse().expect("an encoded value fits into a target");
            assert_eq!(Query::of(&link).get(name), Some(value));
        }
    }
}

pub(crate) fn upload_id(text: &str) {
    if let Ok(id) = text.parse::<UploadId>() {
        let written = id.to_string();
        assert!(written.parse::<UploadId>().is_ok_and(|again| again == id));
        assert!(!written.contains(['/', '.']), "{written}");
    }
}

pub(crate) fn authorization(text: &str) {
    let _ = authentication::parse(text);
}
