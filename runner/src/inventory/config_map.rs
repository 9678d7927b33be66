//! An inventory as config maps: gzipped JSON lines, in as many parts as it needs.
//!
//! The parent is an `ApplySet` (KEP-3659), so other tools see what belongs together. It names its
//! parts by the digests of their content, and is written after them; whatever is incomplete, changed
//! or another cluster's is damage, and nothing is decided by it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD},
};
use cairn_spec::{Digest, LayerName, gzip};
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::{Entry, Identity, Inventory};

/// The most bytes of one part: a config map may hold 1 MiB.
const MAX_PART_BYTES: usize = 700 << 10;
/// The most bytes of an inventory, unpacked: five times what 20,000 objects need.
const MAX_INVENTORY_BYTES: u64 = 64 << 20;

/// The label that makes a config map the parent of a set.
pub const PARENTS: &str = "applyset.kubernetes.io/id";
const TOOLING: &str = "applyset.kubernetes.io/tooling";
const GROUP_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
const HEADER: &str = "cairn.dev/inventory";
const DATA: &str = "entries.jsonl.gz";
const NAME_PREFIX: &str = "cairn-inventory-";

/// Where inventories are kept.
#[derive(Debug, Clone, Copy)]
pub struct Home<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The version of the tool that writes them, such as `0.1.0`.
    pub tool_version: &'a str,
}

/// An inventory as it is written: the parts first, then the parent, then other parts may go.
#[derive(Debug)]
pub struct Encoded {
    /// The config map with the layer's name.
    pub parent: Json,
    /// Further config maps, when it does not fit into one. They never change.
    pub parts: Vec<Json>,
}

/// Why nothing is decided by an inventory.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It cannot be read.
    #[error("the inventory of layer `{layer}` is damaged: {reason}")]
    Unreadable {
        /// The layer.
        layer: LayerName,
        /// What is wrong with it.
        reason: String,
    },
    /// It was brought here from another cluster.
    #[error("the inventory of layer `{0}` is another cluster's")]
    Foreign(LayerName),
}

/// What the parent says of its parts.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Header {
    layer: LayerName,
    place: usize,
    cluster: String,
    #[serde(default)]
    recovered: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found_set: Option<String>,
    objects: usize,
    /// The digest of the gzipped entries.
    digest: Digest,
    /// The names of the parts, in order; none when the parent holds the entries itself.
    parts: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    identity: Identity,
    #[serde(flatten)]
    entry: Entry,
}

/// The name of a layer's parent config map.
fn parent_name(layer: &LayerName) -> String {
    format!("{NAME_PREFIX}{layer}")
}

/// The identifier of a layer's set, which its objects carry as a label.
pub fn set_id(layer: &LayerName, namespace: &str) -> String {
    let name = format!("{}.{namespace}.ConfigMap.", parent_name(layer));
    let hash = hex::decode(Digest::sha256(name.as_bytes()).hex()).unwrap_or_default();
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(hash))
}

/// The layer whose parent a config map is, if it is one.
pub fn layer_of(config_map: &Json) -> Option<LayerName> {
    let name = config_map["metadata"]["name"].as_str()?;
    name.strip_prefix(NAME_PREFIX)?.parse().ok()
}

/// The names of the config maps that hold a parent's entries.
pub fn parts_of(parent: &Json) -> Vec<String> {
    let header = parent["metadata"]["annotations"][HEADER].as_str();
    let header = header.and_then(|text| serde_json::from_str::<Header>(text).ok());
    header.map_or_else(Vec::new, |header| header.parts)
}

/// The config maps of an inventory.
pub fn encode(inventory: &Inventory, home: Home<'_>) -> Encoded {
    let mut lines = Vec::new();
    for (identity, entry) in &inventory.entries {
        let line = Line {
            identity: identity.clone(),
            entry: entry.clone(),
        };
        lines.extend(serde_json::to_vec(&line).unwrap_or_default());
        lines.push(b'\n');
    }
    let packed = gzip(&lines);
    let chunks: Vec<&[u8]> = packed.chunks(MAX_PART_BYTES).collect();
    let parent_name = parent_name(&inventory.layer);
    let mut parts = Vec::new();
    let mut names = Vec::new();
    if chunks.len() > 1 {
        for chunk in &chunks {
            let name = format!("{parent_name}-{}", &Digest::sha256(chunk).hex()[..16]);
            let metadata = json!({"name": name, "namespace": home.namespace});
            let mut part = config_map(&metadata, Some(chunk));
            part["immutable"] = true.into();
            parts.push(part);
            names.push(name);
        }
    }
    let header = Header {
        layer: inventory.layer.clone(),
        place: inventory.place,
        cluster: inventory.cluster.clone(),
        recovered: inventory.recovered,
        found_set: inventory.found_set.clone(),
        objects: inventory.entries.len(),
        digest: Digest::sha256(&packed),
        parts: names,
    };
    let metadata = json!({
        "name": parent_name,
        "namespace": home.namespace,
        "labels": {PARENTS: inventory.set(home.namespace)},
        "annotations": {
            TOOLING: format!("cairn/v{}", home.tool_version),
            GROUP_KINDS: group_kinds(inventory),
            NAMESPACES: namespaces(inventory, home.namespace),
            HEADER: serde_json::to_string(&header).unwrap_or_default(),
        },
    });
    let own = (chunks.len() <= 1).then_some(packed.as_slice());
    Encoded {
        parent: config_map(&metadata, own),
        parts,
    }
}

/// Reads an inventory back. `parts` may hold config maps of others, and of older inventories.
pub fn decode<'a>(
    layer: &LayerName,
    cluster: &str,
    parent: &'a Json,
    parts: impl IntoIterator<Item = &'a Json>,
) -> Result<Inventory, Damage> {
    let unreadable = |reason: &str| Damage::Unreadable {
        layer: layer.clone(),
        reason: reason.to_owned(),
    };
    let header = parent["metadata"]["annotations"][HEADER].as_str();
    let header = header.ok_or_else(|| unreadable("its annotation is missing"))?;
    let header: Header =
        serde_json::from_str(header).map_err(|_| unreadable("its annotation is no header"))?;
    if header.layer != *layer {
        return Err(unreadable("it is another layer's"));
    }
    if header.cluster != cluster {
        return Err(Damage::Foreign(layer.clone()));
    }
    let packed = if header.parts.is_empty() {
        data(parent).ok_or_else(|| unreadable("its data is missing"))?
    } else {
        let by_name: BTreeMap<&str, &Json> = parts
            .into_iter()
            .filter_map(|part| Some((part["metadata"]["name"].as_str()?, part)))
            .collect();
        let mut packed = Vec::new();
        for name in &header.parts {
            let part = by_name.get(name.as_str()).and_then(|part| data(part));
            packed.extend(part.ok_or_else(|| unreadable("a part is missing"))?);
        }
        packed
    };
    if Digest::sha256(&packed) != header.digest {
        return Err(unreadable("its data was changed"));
    }
    let entries = entries(&packed).ok_or_else(|| unreadable("its data cannot be read"))?;
    if entries.len() != header.objects {
        return Err(unreadable("objects are missing"));
    }
    Ok(Inventory {
        layer: header.layer,
        place: header.place,
        cluster: header.cluster,
        recovered: header.recovered,
        found_set: header.found_set,
        entries,
    })
}

fn entries(packed: &[u8]) -> Option<BTreeMap<Identity, Entry>> {
    let mut text = String::new();
    GzDecoder::new(packed)
        .take(MAX_INVENTORY_BYTES)
        .read_to_string(&mut text)
        .ok()?;
    text.lines()
        .map(|line| {
            let line: Line = serde_json::from_str(line).ok()?;
            Some((line.identity, line.entry))
        })
        .collect()
}

fn config_map(metadata: &Json, data: Option<&[u8]>) -> Json {
    let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
    if let Some(data) = data {
        map["binaryData"] = json!({DATA: BASE64.encode(data)});
    }
    map
}

fn data(config_map: &Json) -> Option<Vec<u8>> {
    BASE64.decode(config_map["binaryData"][DATA].as_str()?).ok()
}

/// `Deployment.apps,Service`: sorted, as the KEP has it.
fn group_kinds(inventory: &Inventory) -> String {
    let all: BTreeSet<String> = inventory
        .entries
        .keys()
        .map(|identity| match identity.group.as_str() {
            "" => identity.kind.clone(),
            group => format!("{}.{group}", identity.kind),
        })
        .collect();
    all.into_iter().collect::<Vec<_>>().join(",")
}

fn namespaces(inventory: &Inventory, own: &str) -> String {
    let all: BTreeSet<&str> = inventory
        .entries
        .keys()
        .filter_map(|identity| identity.namespace.as_deref())
        .filter(|namespace| *namespace != own)
        .collect();
    all.into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use cairn_spec::Stage;
    use insta::assert_snapshot;

    use super::*;

    const HOME: Home<'_> = Home {
        namespace: "cairn-system",
        tool_version: "0.1.0",
    };

    /// `noise` makes entries that gzip cannot make small.
    fn inventory(objects: usize, noise: bool) -> Inventory {
        let mut inventory = Inventory::new("web".parse().unwrap(), "cluster-1");
        for index in 0..objects {
            let identity = Identity {
                group: if index % 2 == 0 { "apps" } else { "" }.to_owned(),
                kind: if index % 2 == 0 {
                    "Deployment"
                } else {
                    "Service"
                }
                .to_owned(),
                namespace: (index % 3 > 0).then(|| format!("n{}", index % 3)),
                name: format!("a{index}"),
            };
            let digest = Digest::sha256(index.to_string().as_bytes());
            let entry = Entry {
                version: "v1".to_owned(),
                stage: Stage::Workloads,
                uid: Some(format!("uid-{index}")),
                created: true,
                desired: noise.then(|| digest.clone()),
                owned: None,
            };
            inventory.entries.insert(identity, entry);
        }
        inventory
    }

    fn read_back(encoded: &Encoded) -> Result<Inventory, Damage> {
        decode(
            &"web".parse().unwrap(),
            "cluster-1",
            &encoded.parent,
            &encoded.parts,
        )
    }

    #[test]
    fn an_inventory_is_read_as_it_was_written() {
        for objects in [0, 1, 100] {
            let inventory = inventory(objects, true);
            let encoded = encode(&inventory, HOME);
            assert!(encoded.parts.is_empty());
            assert_eq!(read_back(&encoded).unwrap(), inventory);
        }
    }

    #[test]
    fn the_parent_is_an_apply_set() {
        let mut parent = encode(&inventory(4, false), HOME).parent;
        parent["metadata"]["annotations"][HEADER].take();
        parent["binaryData"].take();
        assert_snapshot!(serde_json::to_string_pretty(&parent).unwrap(), @r#"
        {
          "apiVersion": "v1",
          "binaryData": null,
          "kind": "ConfigMap",
          "metadata": {
            "annotations": {
              "applyset.kubernetes.io/additional-namespaces": "n1,n2",
              "applyset.kubernetes.io/contains-group-kinds": "Deployment.apps,Service",
              "applyset.kubernetes.io/tooling": "cairn/v0.1.0",
              "cairn.dev/inventory": null
            },
            "labels": {
              "applyset.kubernetes.io/id": "applyset-s2fODzH8QLBZg1qX8A14-oJvKVvIh5f1FRImhwjRGps-v1"
            },
            "name": "cairn-inventory-web",
            "namespace": "cairn-system"
          }
        }
        "#);
    }

    #[test]
    fn a_large_inventory_is_kept_in_parts() {
        let inventory = inventory(20_000, true);
        let encoded = encode(&inventory, HOME);
        assert!(encoded.parts.len() > 1);
        let size = |map: &Json| map["binaryData"][DATA].as_str().map_or(0, str::len);
        assert!(encoded.parts.iter().all(|part| size(part) < 1_000_000));
        assert_eq!(size(&encoded.parent), 0);
        assert_eq!(read_back(&encoded).unwrap(), inventory);

        let mut lost = Encoded {
            parent: encoded.parent.clone(),
            parts: encoded.parts.clone(),
        };
        lost.parts.pop();
        assert_snapshot!(read_back(&lost).unwrap_err(), @"the inventory of layer `web` is damaged: a part is missing");
        let mut swapped = Encoded {
            parent: encoded.parent,
            parts: encoded.parts,
        };
        let other = swapped.parts[0]["binaryData"].clone();
        swapped.parts[1]["binaryData"] = other;
        assert_snapshot!(read_back(&swapped).unwrap_err(), @"the inventory of layer `web` is damaged: its data was changed");
    }

    #[test]
    fn damage_is_told_apart() {
        let spoilt = |change: &dyn Fn(&mut Json)| {
            let mut encoded = encode(&inventory(3, true), HOME);
            change(&mut encoded.parent);
            read_back(&encoded).unwrap_err().to_string()
        };
        assert_snapshot!(spoilt(&|map| map["binaryData"] = json!({})), @"the inventory of layer `web` is damaged: its data is missing");
        assert_snapshot!(spoilt(&|map| map["binaryData"][DATA] = "YQ==".into()), @"the inventory of layer `web` is damaged: its data was changed");
        assert_snapshot!(spoilt(&|map| map["metadata"]["annotations"] = json!({})), @"the inventory of layer `web` is damaged: its annotation is missing");
        assert_snapshot!(spoilt(&|map| map["metadata"]["annotations"][HEADER] = "{}".into()), @"the inventory of layer `web` is damaged: its annotation is no header");
        let encoded = encode(&inventory(3, true), HOME);
        let of = |layer: &str, cluster: &str| {
            decode(
                &layer.parse().unwrap(),
                cluster,
                &encoded.parent,
                &encoded.parts,
            )
            .unwrap_err()
        };
        assert_snapshot!(of("web", "cluster-2"), @"the inventory of layer `web` is another cluster's");
        assert_snapshot!(of("dns", "cluster-1"), @"the inventory of layer `dns` is damaged: it is another layer's");
    }
}
