//! Layouts out and in, and the trees of distribution.

use std::{collections::BTreeSet, fs, path::Path};

use cairn_spec::Digest;

use super::{
    super::{
        export::{Copied, Selection, export},
        import::import,
        source::ImportFrom,
    },
    world::{World, content, holds, image, index, name, push, push_blob},
};
use crate::{Error, Result, service::Registry, storage::Prefix};

/// Two tagged manifests, an index, a signature, and one manifest without a tag.
async fn filled() -> (World, Vec<Digest>) {
    let world = World::new();
    let registry = world.registry();
    let (a, layer) = (name("packs/a"), content("layer"));
    push_blob(&registry, &a, &layer).await.unwrap();
    push_blob(&registry, &a, &"tiny".into()).await.unwrap();
    let one = image(&layer, "1", None);
    let two = image(&"tiny".into(), "2", None);
    let mut digests = vec![push(&registry, &a, &one, Some("v1")).await.unwrap()];
    digests.push(push(&registry, &a, &two, None).await.unwrap());
    let both = index(&[&one, &two]);
    digests.push(push(&registry, &a, &both, Some("both")).await.unwrap());
    let signature = image(&layer, "signature", Some(&digests[2]));
    digests.push(push(&registry, &a, &signature, None).await.unwrap());
    let alone = image(&layer, "alone", None);
    digests.push(push(&registry, &a, &alone, None).await.unwrap());
    (world, digests)
}

async fn exported(registry: &Registry, selections: &[&str], to: &Path) -> Result<Copied> {
    let selections: Vec<Selection> = selections
        .iter()
        .map(|text| {
            let (repository, tag) = text.split_once(':').unwrap_or((text, ""));
            Selection {
                repository: name(repository),
                tag: tag.parse().ok(),
            }
        })
        .collect();
    export(registry, &selections, to, &mut |_| {}).await
}

async fn imported(registry: &Registry, from: &Path) -> Result<Copied> {
    let from = ImportFrom::Folder(from.to_owned());
    import(registry, &from, None, &mut |_| {}).await
}

#[tokio::test]
async fn a_layout_brings_everything_back() {
    let (world, digests) = filled().await;
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let out = exported(&world.registry(), &[], &layout).await.unwrap();
    assert_eq!((out.manifests, out.tags, out.blobs), (5, 2, 2));
    assert_eq!(out.skipped, [""; 0]);
    let again = exported(&world.registry(), &[], &layout).await;
    assert!(matches!(again, Err(Error::Folder { .. })));

    let other = World::new();
    let registry = other.registry();
    let back = imported(&registry, &layout).await.unwrap();
    assert_eq!((back.manifests, back.tags, back.blobs), (5, 2, 2));
    for digest in &digests {
        assert!(holds(&registry, &name("packs/a"), digest).await);
    }
    let tags = Prefix::Tags(name("packs/a"));
    assert_eq!(other.names(&tags).await, world.names(&tags).await);
    other.assert_sound().await;
    // A second time, nothing is left to copy.
    let back = imported(&registry, &layout).await.unwrap();
    assert_eq!(back.blobs, 0);
}

#[tokio::test]
async fn one_tag_comes_with_its_referrers() {
    let (world, digests) = filled().await;
    let directory = tempfile::tempdir().unwrap();
    let registry = world.registry();
    let out = exported(&registry, &["packs/a:both"], directory.path());
    assert_eq!(out.await.unwrap().manifests, 4);
    let other = World::new();
    let registry = other.registry();
    imported(&registry, directory.path()).await.unwrap();
    let packs = name("packs/a");
    let listed = registry.listed_referrers(&packs, &digests[2]);
    assert_eq!(listed.await.unwrap().len(), 1);
    assert!(!holds(&registry, &name("packs/a"), &digests[4]).await);
    let folder = directory.path().join("b");
    let missing = exported(&registry, &["packs/b"], &folder);
    assert!(matches!(missing.await, Err(Error::RepositoryUnknown(_))));
}

#[tokio::test]
async fn content_that_was_changed_is_not_imported() {
    let (world, digests) = filled().await;
    let directory = tempfile::tempdir().unwrap();
    exported(&world.registry(), &[], directory.path())
        .await
        .unwrap();
    let layer = Digest::sha256(&content("layer"));
    let path = directory.path().join("blobs/sha256").join(layer.hex());
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 1;
    fs::write(&path, bytes).unwrap();
    let other = World::new();
    let registry = other.registry();
    let back = imported(&registry, directory.path()).await.unwrap();
    assert!(back.skipped[0].contains("digest is"), "{:?}", back.skipped);
    assert!(!holds(&registry, &name("packs/a"), &digests[0]).await);
    other.assert_sound().await;
}

#[tokio::test]
async fn a_tag_alone_needs_a_repository() {
    let (world, digests) = filled().await;
    let directory = tempfile::tempdir().unwrap();
    exported(&world.registry(), &["packs/a:v1"], directory.path())
        .await
        .unwrap();
    let index = directory.path().join("index.json");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.replace("packs/a:v1", "v1")).unwrap();
    let other = World::new();
    let registry = other.registry();
    let refused = imported(&registry, directory.path()).await;
    assert!(matches!(refused, Err(Error::Folder { .. })));
    let target = name("mirrors/a");
    let from = ImportFrom::Folder(directory.path().to_owned());
    import(&registry, &from, Some(&target), &mut |_| {})
        .await
        .unwrap();
    assert!(holds(&registry, &target, &digests[0]).await);
    let nothing = imported(&registry, &directory.path().join("blobs")).await;
    assert!(matches!(nothing, Err(Error::Folder { .. })));
}

#[tokio::test]
async fn a_tree_of_distribution_is_imported() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("docker/registry/v2");
    let write = |path: String, content: &[u8]| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let layer = content("layer");
    let (one, two) = (image(&layer, "1", None), image(&layer, "2", None));
    let incomplete = image(&content("missing"), "3", None);
    for bytes in [&layer, &one, &two, &incomplete] {
        let hex = Digest::sha256(bytes).hex().to_owned();
        write(format!("blobs/sha256/{}/{hex}/data", &hex[..2]), bytes);
    }
    for bytes in [&one, &two, &incomplete] {
        let digest = Digest::sha256(bytes);
        let folder = "repositories/team/app/_manifests/revisions/sha256";
        let link = digest.to_string();
        write(format!("{folder}/{}/link", digest.hex()), link.as_bytes());
    }
    let link = Digest::sha256(&one).to_string();
    let tags = "repositories/team/app/_manifests/tags";
    write(format!("{tags}/v1/current/link"), link.as_bytes());
    write(format!("{tags}/crashed/current/link"), b"");
    let uploads = "repositories/team/app/_uploads/5b1c/startedat";
    write(uploads.to_owned(), b"2026-01-01T00:00:00Z");

    let world = World::new();
    let registry = world.registry();
    let copied = imported(&registry, directory.path()).await.unwrap();
    assert_eq!((copied.manifests, copied.tags, copied.blobs), (2, 1, 1));
    assert_eq!(copied.skipped.len(), 1);
    let app = name("team/app");
    let names = world.names(&Prefix::Manifests(app.clone())).await;
    let names: BTreeSet<String> = names.into_iter().collect();
    let expected = [&one, &two].map(|bytes| Digest::sha256(bytes).to_string());
    assert_eq!(names, BTreeSet::from(expected));
    world.assert_sound().await;
}
