//! What reads bytes of strangers, as fuzz targets run it: `fuzz/` gives each function any bytes,
//! and plain tests give it those of `fuzz/corpus/` and `fuzz/regressions/`.
//!
//! A function panics where a parser does, and where what was read breaks a promise of its type.
//! None of this is there in a build for use.

use cairn_spec::{Reference, media_type};

use crate::{auth, http, service::documents::Document};

/// References, and the paths of requests that carry them.
pub fn reference(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(reference) = text.parse::<Reference>() {
        let written = reference.to_string();
        assert_eq!(written.parse(), Ok(reference), "`{written}` is read anew");
    }
    http::fuzzing::path(text);
}

/// Manifests: a `Content-Type`, a line feed, and the body.
pub fn manifest(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (content_type, body) = match end {
        Some(end) => (std::str::from_utf8(&data[..end]).ok(), &data[end + 1..]),
        None => (None, data),
    };
    if let Ok(document) = Document::parse(body, content_type) {
        let is_index = |media_type: &str| {
            [media_type::OCI_INDEX, media_type::DOCKER_MANIFEST_LIST].contains(&media_type)
        };
        assert!(is_index(&document.media_type) || document.entries.is_empty());
        assert!(document.children.len() <= body.len() / 64);
        let digest = cairn_spec::Digest::sha256(body);
        let entry = document.descriptor(&digest, body.len() as u64);
        let entry = serde_json::to_vec(&entry).expect("it was read from JSON");
        serde_json::from_slice::<serde_json::Value>(&entry).expect("it was just written");
    }
    // What one reader takes for a manifest, no other takes for an index (CVE-2021-41190).
    let as_manifest = Document::parse(body, Some(media_type::OCI_MANIFEST));
    let as_index = Document::parse(body, Some(media_type::OCI_INDEX));
    assert!(as_manifest.is_err() || as_index.is_err());
}

/// Headers and queries, one a line: `Range`, `Content-Range`, the query, an upload's identifier.
pub fn headers(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    http::fuzzing::ranges(next(), next());
    if let Ok(query) = std::str::from_utf8(next()) {
        http::fuzzing::query(query);
    }
    if let Ok(id) = std::str::from_utf8(next()) {
        http::fuzzing::upload_id(id);
    }
}

/// `Authorization` headers, tokens, the keys that verify them and the scopes that are asked for.
pub fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    http::fuzzing::authorization(text);
    auth::fuzzing::token(text);
}

#[cfg(test)]
mod tests {
    use crate::kept::run;

    #[test]
    fn kept_references_are_read() {
        run("reference", super::reference);
    }

    #[test]
    fn kept_manifests_are_read() {
        run("manifest", super::manifest);
    }

    #[test]
    fn kept_headers_are_read() {
        run("headers", super::headers);
    }

    #[test]
    fn kept_tokens_are_read() {
        run("token", super::token);
    }
}
