//! Which endpoint a path names: read from the right, for repository names contain slashes.

use cairn_spec::{Digest, RepositoryName};

use crate::{
    Error, Result,
    service::{Reference, UploadId},
};

/// An endpoint with what its path carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/_oci/ext/discover`
    Discover,
    /// `/v2/<name>/blobs/uploads/`
    Uploads(RepositoryName),
    /// `/v2/<name>/blobs/uploads/<id>`
    Upload(RepositoryName, UploadId),
    /// `/v2/<name>/blobs/<digest>`
    Blob(RepositoryName, Digest),
    /// `/v2/<name>/manifests/<reference>`
    Manifest(RepositoryName, Reference),
    /// `/v2/<name>/_cairn/trust/<reference>`
    Trust(RepositoryName, Reference),
    /// `/v2/<name>/tags/list`
    Tags(RepositoryName),
    /// `/v2/<name>/referrers/<digest>`
    Referrers(RepositoryName, Digest),
}

impl Endpoint {
    /// The repository that it is about, if it is about one.
    pub(super) fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Base | Self::Catalog | Self::Discover => None,
            Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Blob(name, _)
            | Self::Manifest(name, _)
            | Self::Trust(name, _)
            | Self::Tags(name)
            | Self::Referrers(name, _) => Some(name),
        }
    }

    /// The same, to give it another name.
    pub(super) fn repository_mut(&mut self) -> Option<&mut RepositoryName> {
        match self {
            Self::Base | Self::Catalog | Self::Discover => None,
            Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Blob(name, _)
            | Self::Manifest(name, _)
            | Self::Trust(name, _)
            | Self::Tags(name)
            | Self::Referrers(name, _) => Some(name),
        }
    }

    /// Reads a request's path, still percent-encoded.
    pub(super) fn parse(path: &str) -> Result<Self> {
        let unknown = || Error::EndpointUnknown {
            path: path.to_owned(),
        };
        let decoded = percent_decoded(path).ok_or_else(unknown)?;
        let below = match decoded.as_str() {
            "/v2" => "",
            decoded => decoded.strip_prefix("/v2/").ok_or_else(unknown)?,
        };
        match below {
            "" => return Ok(Self::Base),
            "_catalog" => return Ok(Self::Catalog),
            "_oci/ext/discover" => return Ok(Self::Discover),
            _ => {}
        }
        let mut from_right = below.rsplitn(4, '/');
        let last = from_right.next().unwrap_or_default();
        let second = from_right.next().unwrap_or_default();
        let third = from_right.next().unwrap_or_default();
        // What precedes the last `count` components.
        let name = |count: usize| -> Result<RepositoryName> {
            let before = below.rsplitn(count + 1, '/').nth(count);
            Ok(before.ok_or_else(unknown)?.parse()?)
        };
        match (third, second, last) {
            ("blobs", "uploads", "") => Ok(Self::Uploads(name(3)?)),
            ("blobs", "uploads", id) => Ok(Self::Upload(name(3)?, id.parse()?)),
            (_, "blobs", "uploads") => Ok(Self::Uploads(name(2)?)),
            (_, "blobs", digest) => Ok(Self::Blob(name(2)?, digest.parse()?)),
            (_, "manifests", reference) => {
                Ok(Self::Manifest(name(2)?, parse_reference(reference)?))
            }
            // No component of a repository's name begins with an underscore.
            ("_cairn", "trust", reference) => {
                Ok(Self::Trust(name(3)?, parse_reference(reference)?))
            }
            (_, "tags", "list") => Ok(Self::Tags(name(2)?)),
            (_, "referrers", digest) => Ok(Self::Referrers(name(2)?, digest.parse()?)),
            _ => Err(unknown()),
        }
    }
}

fn parse_reference(text: &str) -> Result<Reference> {
    if text.contains(':') {
        Ok(Reference::Digest(text.parse()?))
    } else {
        Ok(Reference::Tag(text.parse()?))
    }
}

fn percent_decoded(path: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut byte = [0];
            hex::decode_to_slice([bytes.next()?, bytes.next()?], &mut byte).ok()?;
            decoded.extend(byte);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn parsed(path: &str) -> String {
        match Endpoint::parse(path) {
            Ok(endpoint) => format!("{endpoint:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn paths_are_read_from_the_right() {
        assert_snapshot!(parsed("/v2"), @"Base");
        assert_snapshot!(parsed("/v2/"), @"Base");
        assert_snapshot!(parsed("/v2/_catalog"), @"Catalog");
        assert_snapshot!(parsed("/v2/_oci/ext/discover"), @"Discover");
        assert_snapshot!(parsed("/v2/a/b/tags/list"), @r#"Tags(RepositoryName("a/b"))"#);
        assert_snapshot!(parsed("/v2/tags/list/tags/list"), @r#"Tags(RepositoryName("tags/list"))"#);
        assert_snapshot!(parsed("/v2/a/blobs/uploads/"), @r#"Uploads(RepositoryName("a"))"#);
        assert_snapshot!(parsed("/v2/a/blobs/uploads"), @r#"Uploads(RepositoryName("a"))"#);
        assert_snapshot!(parsed("/v2/a/blobs/uploads/01ARZ3NDEKTSV4RRFFQ69G5FAV-sha256-000102030405060708090a0b0c0d0e0f"), @r#"Upload(RepositoryName("a"), UploadId { ulid: Ulid(1777027686520646174104517696511196507), algorithm: Sha256, mac: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] })"#);
        assert_snapshot!(parsed("/v2/a/blobs/uploads/01ARZ3NDEKTSV4RRFFQ69G5FAV"), @"there is no upload `01ARZ3NDEKTSV4RRFFQ69G5FAV`: start a new one");
        assert_snapshot!(parsed("/v2/a/blobs/uploads/0"), @"there is no upload `0`: start a new one");
        assert_snapshot!(parsed("/v2/a/blobs/uploads/manifests/v1"), @r#"Manifest(RepositoryName("a/blobs/uploads"), Tag(Tag("v1")))"#);
        assert_snapshot!(parsed("/v2/a/manifests/sha256%3A44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"), @r#"Manifest(RepositoryName("a"), Digest(sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a))"#);
        assert_snapshot!(parsed("/v2/a/blobs/sha256:bad"), @"`sha256:bad` is not a digest: the hash has the wrong length");
        assert_snapshot!(parsed("/v2/a/b/_cairn/trust/v1"), @r#"Trust(RepositoryName("a/b"), Tag(Tag("v1")))"#);
        assert_snapshot!(parsed("/v2/A/tags/list"), @"`A` is not a repository name: use lower-case letters and digits, separated by `.`, `_`, `__`, `-` or `/`");
        assert_snapshot!(parsed("/v2/manifests/v1"), @"there is no endpoint at `/v2/manifests/v1`");
        assert_snapshot!(parsed("/v2/a/b"), @"there is no endpoint at `/v2/a/b`");
        assert_snapshot!(parsed("/v2/a/%zz"), @"there is no endpoint at `/v2/a/%zz`");
        assert_snapshot!(parsed("/v2/a/%+f"), @"there is no endpoint at `/v2/a/%+f`");
        assert_snapshot!(parsed("/v1/"), @"there is no endpoint at `/v1/`");
    }
}
