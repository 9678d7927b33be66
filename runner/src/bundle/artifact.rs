//! A bundle from its artifact, blob by blob and file by file: of its manifests no more than one is in
//! memory at a time, so that a large bundle needs little of it.
//!
//! The artifact's manifest was verified, as a signature's subject. Every blob that is used is read twice,
//! first to see that it is the one that the manifest names: nothing is unpacked that is not.

use std::io::{self, Read};

use cairn_spec::{
    ArchiveLimits, Artifact, BUNDLE_FILES, Descriptor, Hasher, Manifest, TreePath, each_file,
    media_type,
};

use super::{Bundle, BundleError, BundleReader};

/// The most bytes of `bundle.json`, and of `plan.json`.
const MAX_LIST_BYTES: u64 = 32 << 20;

/// The blobs of an artifact, wherever they are.
pub trait Blobs {
    /// Reads a blob from its start. What is read need not be verified.
    fn open(&self, blob: &Descriptor) -> io::Result<Box<dyn Read + '_>>;
}

impl Blobs for Artifact {
    fn open(&self, blob: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        let bytes = self.blob(&blob.digest);
        let bytes = bytes.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Box::new(bytes))
    }
}

impl BundleReader {
    /// Reads the bundle that an artifact is. What a cluster has no use for, such as files for nodes, is
    /// not opened.
    pub fn read_artifact(manifest: &Manifest, blobs: &dyn Blobs) -> Result<Bundle, BundleError> {
        if manifest.artifact_type() != Some(media_type::BUNDLE) {
            let found = manifest.artifact_type().unwrap_or("nothing");
            return Err(BundleError::NotABundle(found.to_owned()));
        }
        let config = manifest.config();
        let config = config.ok_or_else(|| BundleError::FileMissing("bundle.json".to_owned()))?;
        let layer = |path: &str, layer_type: &str| {
            let mut layers = manifest.layers().iter();
            let found = layers.find(|layer| layer.media_type == layer_type);
            found.ok_or_else(|| BundleError::FileMissing(path.to_owned()))
        };
        let manifests = layer("manifests", media_type::OCI_LAYER_TAR_GZIP)?;
        let plan = layer("plan.json", media_type::PLAN)?;
        let limits = ArchiveLimits::BUNDLE;
        check_size(manifests, limits.packed_bytes)?;

        let bundle_json = whole(blobs, config)?;
        let mut reader = Self::new(&bundle_json, &whole(blobs, plan)?)?;
        drop(bundle_json);
        for (path, layer_type) in BUNDLE_FILES {
            if path != "plan.json" {
                reader.pass(path, &layer(path, layer_type)?.digest)?;
            }
        }
        reader.pass_host_files();
        verify(blobs, manifests)?;
        let packed = open(blobs, manifests)?.take(manifests.size);
        each_file(packed, &limits, |path: TreePath, bytes| {
            reader.add(&format!("manifests/{path}"), &bytes)
        })?;
        reader.finish()
    }
}

fn open<'a>(blobs: &'a dyn Blobs, blob: &Descriptor) -> Result<Box<dyn Read + 'a>, BundleError> {
    blobs.open(blob).map_err(|source| BundleError::Blob {
        digest: blob.digest.clone(),
        source,
    })
}

fn check_size(blob: &Descriptor, limit: u64) -> Result<(), BundleError> {
    if blob.size <= limit {
        return Ok(());
    }
    Err(BundleError::TooLarge {
        limit: limit >> 20,
        unit: "MiB in one blob",
    })
}

/// Reads a small blob.
fn whole(blobs: &dyn Blobs, blob: &Descriptor) -> Result<Vec<u8>, BundleError> {
    check_size(blob, MAX_LIST_BYTES)?;
    let mut bytes = Vec::new();
    let mut reader = open(blobs, blob)?.take(blob.size + 1);
    reader
        .read_to_end(&mut bytes)
        .map_err(|source| BundleError::Blob {
            digest: blob.digest.clone(),
            source,
        })?;
    if bytes.len() as u64 != blob.size || !blob.digest.matches(&bytes) {
        return Err(BundleError::BlobMismatch(blob.digest.clone()));
    }
    Ok(bytes)
}

/// Reads a blob to its end, and keeps nothing of it.
fn verify(blobs: &dyn Blobs, blob: &Descriptor) -> Result<(), BundleError> {
    let mut reader = open(blobs, blob)?.take(blob.size + 1);
    let mut hasher = Hasher::new(blob.digest.algorithm());
    let size = io::copy(&mut reader, &mut hasher).map_err(|source| BundleError::Blob {
        digest: blob.digest.clone(),
        source,
    })?;
    if size != blob.size || hasher.finish() != blob.digest {
        return Err(BundleError::BlobMismatch(blob.digest.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeMap};

    use cairn_spec::{Digest, FileTree, bundle_artifact, gzip, write_tar};
    use insta::assert_snapshot;

    use super::*;
    use crate::bundle::{
        Secrets,
        tests::{config_map, files, sealed},
    };

    /// Blobs that were stored somewhere, and who was asked for.
    struct Stored {
        blobs: BTreeMap<Digest, Vec<u8>>,
        opened: RefCell<Vec<Digest>>,
    }

    impl Blobs for Stored {
        fn open(&self, blob: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
            self.opened.borrow_mut().push(blob.digest.clone());
            let bytes = self.blobs.get(&blob.digest);
            let bytes = bytes.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            Ok(Box::new(bytes.as_slice()))
        }
    }

    impl Stored {
        fn of(artifact: &Artifact) -> Self {
            let blobs = artifact.blobs().iter();
            Self {
                blobs: blobs
                    .map(|blob| (blob.descriptor().digest.clone(), blob.bytes().to_vec()))
                    .collect(),
                opened: RefCell::default(),
            }
        }
    }

    fn tree() -> FileTree {
        let manifests = [
            ("a", "configuration", "010-a/5-a.yaml", config_map("a")),
            ("a", "configuration", "010-a/5-b.yaml", config_map("b")),
        ];
        let mut tree = FileTree::new();
        for (path, file) in files(&manifests, |_| {}).iter() {
            if path.as_str() != "bundle.json" {
                tree.put(path.as_str(), file.bytes.to_vec());
            }
        }
        for (path, _) in BUNDLE_FILES.iter().filter(|(path, _)| *path != "plan.json") {
            tree.put(path, format!("{path} "));
        }
        tree.put("host/os/a.conf", "a");
        sealed(tree)
    }

    fn names(bundle: &Bundle) -> Vec<String> {
        let secrets = Secrets::default();
        let stages = bundle.layers.iter().flat_map(|layer| &layer.stages);
        let manifests = stages.flat_map(|stage| stage.batches(&secrets));
        let manifests = manifests.flat_map(Result::unwrap);
        manifests
            .map(|it| it.object["metadata"]["name"].to_string())
            .collect()
    }

    #[test]
    fn an_artifact_is_read_without_what_a_cluster_does_not_need() {
        let artifact = bundle_artifact(&tree(), None).unwrap();
        let stored = Stored::of(&artifact);
        let bundle = BundleReader::read_artifact(artifact.manifest(), &stored).unwrap();
        assert_eq!(names(&bundle), [r#""a""#, r#""b""#]);
        let opened: std::collections::BTreeSet<Digest> = stored.opened.take().into_iter().collect();
        assert_eq!(opened.len(), 3);
        let in_memory = BundleReader::read_artifact(artifact.manifest(), &artifact).unwrap();
        assert_eq!(names(&in_memory), names(&bundle));
    }

    #[test]
    fn blobs_that_were_changed_are_refused_before_they_are_unpacked() {
        let artifact = bundle_artifact(&tree(), None).unwrap();
        let manifest = artifact.manifest();
        let by_type = |layer_type: &str| {
            let mut layers = manifest.layers().iter();
            layers
                .find(|it| it.media_type == layer_type)
                .unwrap()
                .digest
                .clone()
        };
        let spoilt = |digest: &Digest, change: &dyn Fn(&mut Vec<u8>)| {
            let mut stored = Stored::of(&artifact);
            change(stored.blobs.get_mut(digest).unwrap());
            let error = BundleReader::read_artifact(manifest, &stored).unwrap_err();
            error.to_string().replace(digest.as_str(), "DIGEST")
        };
        let packed = by_type(media_type::OCI_LAYER_TAR_GZIP);
        let mismatch = "the blob `DIGEST` is not the one that the bundle's manifest names";
        // A bomb in its place is not even inflated.
        let bomb = |bytes: &mut Vec<u8>| {
            bytes.truncate(0);
            bytes.extend(gzip(&vec![0; 1 << 20]));
        };
        assert_eq!(spoilt(&packed, &bomb), mismatch);
        assert_eq!(spoilt(&packed, &|bytes| bytes.push(0)), mismatch);
        assert_eq!(spoilt(&packed, &|bytes| bytes.truncate(20)), mismatch);
        assert_eq!(spoilt(&packed, &|bytes| bytes[20] ^= 1), mismatch);
        for digest in [
            by_type(media_type::PLAN),
            manifest.config().unwrap().digest.clone(),
        ] {
            assert_eq!(spoilt(&digest, &|bytes| bytes[0] ^= 1), mismatch);
            assert_eq!(spoilt(&digest, &|bytes| bytes.push(b' ')), mismatch);
        }
        let mut stored = Stored::of(&artifact);
        stored.blobs.remove(&packed);
        let error = BundleReader::read_artifact(manifest, &stored).unwrap_err();
        assert!(matches!(error, BundleError::Blob { .. }), "{error}");
    }

    /// An artifact whose blobs are in order, signed as they are, with other manifests.
    fn with_manifests(packed: Vec<u8>) -> Artifact {
        let tree = tree();
        let file = |path: &str| tree.get(path).unwrap().bytes.to_vec();
        let mut builder = Artifact::builder(media_type::BUNDLE)
            .config(media_type::BUNDLE, file("bundle.json"))
            .layer(media_type::OCI_LAYER_TAR_GZIP, packed);
        for (path, layer_type) in BUNDLE_FILES {
            builder = builder.layer(layer_type, file(path));
        }
        builder.build().unwrap()
    }

    fn refusal(artifact: &Artifact) -> String {
        let error = BundleReader::read_artifact(artifact.manifest(), artifact).unwrap_err();
        error.to_string()
    }

    #[test]
    fn what_is_no_bundle_or_is_too_large_is_refused() {
        let mut other = FileTree::new();
        other.put("010-a/5-a.yaml", config_map("other"));
        assert_snapshot!(refusal(&with_manifests(gzip(&write_tar(&other)))), @"`manifests/010-a/5-a.yaml` is not the file that `bundle.json` names");
        assert_snapshot!(refusal(&with_manifests(gzip(&write_tar(&FileTree::new())))), @"the bundle has no `manifests/010-a/5-a.yaml`, which `bundle.json` names");
        assert_snapshot!(refusal(&with_manifests(gzip(b"no archive at all"))), @"the manifests of the bundle cannot be unpacked");
        let image = Artifact::builder("application/vnd.example.v1+json").build();
        assert_snapshot!(refusal(&image.unwrap()), @"`application/vnd.example.v1+json` is not a bundle: expected the artifact type `application/vnd.cairn.bundle.v1+json`");
        let bare = Artifact::builder(media_type::BUNDLE).config(media_type::BUNDLE, Vec::new());
        assert_snapshot!(refusal(&bare.build().unwrap()), @"the bundle has no `manifests`, which `bundle.json` names");

        let artifact = bundle_artifact(&tree(), None).unwrap();
        let text = str::from_utf8(artifact.manifest().bytes()).unwrap();
        let packed = &artifact.manifest().layers()[0];
        let size = format!("\"size\":{}", packed.size);
        let large = text.replacen(&size, &format!("\"size\":{}", 65 << 20), 1);
        let large = Manifest::parse(large.into_bytes(), None).unwrap();
        let error = BundleReader::read_artifact(&large, &artifact).unwrap_err();
        assert_snapshot!(error, @"the bundle holds more than 64 MiB in one blob");
    }
}
