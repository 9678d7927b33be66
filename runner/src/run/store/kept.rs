//! A bundle's artifact as it is read back from a cluster: the one that its digest names, or nothing. It
//! stays as packed as it was kept, and its blobs are unpacked while they are read.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use cairn_spec::{
    ArchiveError, ArchiveLimits, Descriptor, Digest, DigestAlgorithm, Hasher, MAX_MANIFEST_BYTES,
    Manifest, open_each_file,
};
use flate2::read::MultiGzDecoder;

use super::chunks::{Head, MANIFEST, StoreError, damaged};
use crate::bundle::Blobs;

/// A bundle's artifact, all of which was verified.
#[derive(Debug)]
pub struct Kept {
    manifest: Manifest,
    chunks: Vec<Vec<u8>>,
    places: BTreeMap<Digest, Place>,
}

/// Where a blob is in the archive.
#[derive(Debug)]
struct Place {
    begins_at: u64,
    size_bytes: u64,
}

impl Kept {
    /// The artifact's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

impl Blobs for Kept {
    fn open(&self, blob: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        let place = self.places.get(&blob.digest);
        let place = place.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut archive = MultiGzDecoder::new(Chunks::of(&self.chunks));
        io::copy(&mut (&mut archive).take(place.begins_at), &mut io::sink())?;
        Ok(Box::new(archive.take(place.size_bytes)))
    }
}

/// Takes what the chunks hold, in the order of the head.
pub(super) fn unpack(
    digest: &Digest,
    head: &Head,
    chunks: Vec<Vec<u8>>,
) -> Result<Kept, StoreError> {
    let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
    for chunk in &chunks {
        hasher.update(chunk);
    }
    if hasher.finish() != head.packed {
        return Err(damaged(digest, "its chunks were changed"));
    }
    let mut manifest = None;
    let mut places = BTreeMap::new();
    open_each_file(
        Chunks::of(&chunks),
        &ArchiveLimits::BUNDLE,
        |path, begins_at, content| {
            if path.as_str() == MANIFEST {
                let mut bytes = Vec::new();
                let most = MAX_MANIFEST_BYTES as u64 + 1;
                content.take(most).read_to_end(&mut bytes)?;
                manifest = Some(bytes);
            } else {
                let (found, size_bytes) = digest_of(path.file_name(), content)?;
                let place = Place {
                    begins_at,
                    size_bytes,
                };
                places.insert(found, place);
            }
            Ok::<_, Unreadable>(())
        },
    )
    .map_err(|Unreadable(reason)| damaged(digest, &reason))?;
    let manifest = manifest.ok_or_else(|| damaged(digest, &format!("it has no `{MANIFEST}`")))?;
    let manifest =
        Manifest::parse(manifest, None).map_err(|error| damaged(digest, &error.to_string()))?;
    if manifest.digest() != digest {
        return Err(damaged(digest, "its manifest is another one"));
    }
    let is_there = |blob: &&Descriptor| {
        let place = places.get(&blob.digest);
        place.is_some_and(|place| place.size_bytes == blob.size)
    };
    if let Some(blob) = manifest.children().find(|blob| !is_there(blob)) {
        let reason = format!("its blob `{}` is missing, or another one", blob.digest);
        return Err(damaged(digest, &reason));
    }
    Ok(Kept {
        manifest,
        chunks,
        places,
    })
}

/// Why an archive cannot be read.
struct Unreadable(String);

impl From<ArchiveError> for Unreadable {
    fn from(error: ArchiveError) -> Self {
        Self(error.to_string())
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        ArchiveError::Malformed(error).into()
    }
}

/// The digest and the size of a file, by the algorithm of the digest that it is named after.
fn digest_of(name: &str, content: &mut dyn Read) -> io::Result<(Digest, u64)> {
    let algorithms = [DigestAlgorithm::Sha512, DigestAlgorithm::Sha256];
    let named = algorithms
        .into_iter()
        .find(|it| it.hex_length() == name.len());
    let mut hasher = Hasher::new(named.unwrap_or(DigestAlgorithm::Sha256));
    let size_bytes = io::copy(content, &mut hasher)?;
    Ok((hasher.finish(), size_bytes))
}

/// Chunks as the bytes they are together.
struct Chunks<'a> {
    open: &'a [u8],
    rest: &'a [Vec<u8>],
}

impl<'a> Chunks<'a> {
    fn of(chunks: &'a [Vec<u8>]) -> Self {
        Self {
            open: &[],
            rest: chunks,
        }
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.open.is_empty() {
            let Some((next, rest)) = self.rest.split_first() else {
                return Ok(0);
            };
            (self.open, self.rest) = (next, rest);
        }
        self.open.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
    use cairn_spec::{Artifact, gzip, tar_pieces};
    use insta::assert_snapshot;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::run::store::chunks::{
        HEAD_KEY, Head, MAX_CHUNK_BYTES, blob_path, bundle_of, is_head, pack, read_chunk, read_head,
    };

    /// Bytes that gzip cannot make small.
    fn noise(size_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut hash = Digest::sha256(b"");
        while bytes.len() < size_bytes {
            hash = Digest::sha256(hash.hex().as_bytes());
            bytes.extend(hex::decode(hash.hex()).unwrap());
        }
        bytes
    }

    fn artifact(size_bytes: usize) -> Artifact {
        let builder = Artifact::builder("application/vnd.example.v1+json")
            .config("application/json", b"{}".to_vec())
            .layer("application/octet-stream", noise(size_bytes))
            .layer("text/plain", b"{}".to_vec());
        builder.build().unwrap()
    }

    fn chunks(artifact: &Artifact) -> (Vec<Json>, Json) {
        let mut packing = pack(artifact).unwrap();
        let mut chunks = Vec::new();
        while let Some(chunk) = packing.next_secret("n").unwrap() {
            chunks.push(chunk);
        }
        (chunks, packing.head("n"))
    }

    fn read_back(digest: &Digest, head: &Json, chunks: &[Json]) -> Result<Kept, StoreError> {
        let chunks = chunks.iter().map(|chunk| read_chunk(digest, chunk));
        unpack(
            digest,
            &read_head(digest, head)?,
            chunks.collect::<Result<_, _>>()?,
        )
    }

    fn blob(kept: &Kept, descriptor: &Descriptor) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut reader = kept.open(descriptor).unwrap();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn an_artifact_is_read_as_it_was_kept() {
        for size_bytes in [0, 10, 2_000_000] {
            let artifact = artifact(size_bytes);
            let (chunks, head) = chunks(&artifact);
            assert_eq!(chunks.len(), size_bytes / MAX_CHUNK_BYTES + 1);
            for chunk in &chunks {
                assert_eq!(bundle_of(chunk).as_ref(), Some(artifact.digest()));
                assert!(!is_head(chunk));
                let size = read_chunk(artifact.digest(), chunk).unwrap().len();
                assert!(size <= MAX_CHUNK_BYTES);
            }
            assert!(is_head(&head));
            let read = read_back(artifact.digest(), &head, &chunks).unwrap();
            assert_eq!(read.manifest(), artifact.manifest());
            for kept in artifact.blobs() {
                assert!(blob(&read, kept.descriptor()) == kept.bytes());
            }
            let unknown = Descriptor::of("text/plain", b"unknown");
            assert!(read.open(&unknown).is_err());
        }
    }

    #[test]
    fn damage_is_found() {
        let artifact = artifact(2_000_000);
        let (chunks, head) = chunks(&artifact);
        let digest = artifact.digest();
        let spoilt = |change: &dyn Fn(&mut Json, &mut Vec<Json>)| {
            let (mut head, mut chunks) = (head.clone(), chunks.clone());
            change(&mut head, &mut chunks);
            let error = read_back(digest, &head, &chunks).unwrap_err().to_string();
            error.replace(digest.as_str(), "DIGEST")
        };
        let text = |text: &str| BASE64.encode(text);
        assert_snapshot!(spoilt(&|head, _| head["data"] = json!({})), @"what the cluster keeps of the bundle `DIGEST` is damaged: its head is empty");
        assert_snapshot!(spoilt(&|head, _| head["data"][HEAD_KEY] = text("{}").into()), @"what the cluster keeps of the bundle `DIGEST` is damaged: its head cannot be read");
        assert_snapshot!(spoilt(&|_, chunks| chunks[1]["data"] = json!({})), @"what the cluster keeps of the bundle `DIGEST` is damaged: a chunk is empty");
        assert_snapshot!(spoilt(&|_, chunks| chunks.swap(0, 1)), @"what the cluster keeps of the bundle `DIGEST` is damaged: its chunks were changed");
        let other = Digest::sha256(b"other");
        let error = read_back(&other, &head, &chunks).unwrap_err();
        assert!(error.to_string().contains("another bundle's"), "{error}");
    }

    #[test]
    fn another_artifact_under_the_same_name_is_refused() {
        let (wanted, given) = (artifact(10), artifact(40));
        let (chunks, mut head) = chunks(&given);
        let named = Head {
            bundle: wanted.digest().clone(),
            ..read_head(given.digest(), &head).unwrap()
        };
        head["data"][HEAD_KEY] = BASE64.encode(serde_json::to_vec(&named).unwrap()).into();
        let error = read_back(wanted.digest(), &head, &chunks).unwrap_err();
        assert!(error.to_string().contains("manifest is another"), "{error}");
    }

    #[test]
    fn a_blob_that_is_another_one_is_damage() {
        let artifact = artifact(10);
        let manifest = artifact.manifest().bytes();
        let named = artifact.blobs()[0].descriptor().digest.clone();
        let pack = |blobs: &[(String, &[u8])]| {
            let files = blobs.iter().map(|(path, bytes)| (path.as_str(), *bytes));
            let files = files.chain([(MANIFEST, manifest)]);
            let packed = gzip(&tar_pieces(files).collect::<Vec<_>>().concat());
            let head = Head {
                bundle: artifact.digest().clone(),
                packed: Digest::sha256(&packed),
                chunks: Vec::new(),
            };
            let error = unpack(artifact.digest(), &head, vec![packed]).unwrap_err();
            let error = error
                .to_string()
                .replace(artifact.digest().as_str(), "DIGEST");
            error.replace(named.as_str(), "BLOB")
        };
        assert_snapshot!(pack(&[]), @"what the cluster keeps of the bundle `DIGEST` is damaged: its blob `BLOB` is missing, or another one");
        assert_snapshot!(pack(&[(blob_path(&named), b"other")]), @"what the cluster keeps of the bundle `DIGEST` is damaged: its blob `BLOB` is missing, or another one");
    }
}
