//! Container images: found by their position in pod specs, not by pattern; moved to mirrors.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{BundleImage, ImageMirror, Node, Value};

use crate::object::Object;

/// Where a kind keeps its pod spec.
fn pod_spec_path(group: &str, kind: &str) -> Option<&'static [&'static str]> {
    match (group, kind) {
        ("", "Pod") => Some(&["spec"]),
        ("", "PodTemplate") => Some(&["template", "spec"]),
        ("apps", "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet")
        | ("batch", "Job")
        | ("", "ReplicationController") => Some(&["spec", "template", "spec"]),
        ("batch", "CronJob") => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        _ => None,
    }
}

/// The pod spec of an object that has one.
pub(crate) fn pod_spec<'a>(group: &str, node: &'a Node) -> Option<&'a Node> {
    let kind = node.get("kind").and_then(Node::as_str)?;
    node.at(pod_spec_path(group, kind)?)
}

/// The containers of a pod spec, of every sort.
pub(crate) fn containers(pod_spec: &Node) -> impl Iterator<Item = &Node> {
    CONTAINER_LISTS
        .iter()
        .filter_map(|list| pod_spec.get(list).and_then(Node::as_list))
        .flatten()
}

const CONTAINER_LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// An image and the layers that use it.
#[derive(Debug)]
pub(crate) struct UsedImage {
    pub(crate) image: BundleImage,
    /// Indices of layers.
    pub(crate) layers: BTreeSet<usize>,
}

/// Moves images to their mirrors and lists all images with the objects that use them.
pub(crate) fn settle(objects: &mut [Object], mirrors: &[ImageMirror]) -> Vec<UsedImage> {
    let mut images: BTreeMap<String, UsedImage> = BTreeMap::new();
    for object in objects {
        let group = object.id.group().to_owned();
        let title = object.id.to_string();
        let Some(path) = pod_spec_path(&group, &object.id.kind) else {
            continue;
        };
        let Some(pod_spec) = descend(&mut object.node, path) else {
            continue;
        };
        for (image, user) in image_fields(pod_spec) {
            let Some(reference) = image.as_str().map(str::to_owned) else {
                continue;
            };
            let moved = mirrored(&reference, mirrors);
            if let Some(moved) = &moved {
                image.value = Value::from(moved.as_str());
            }
            let name = moved.clone().unwrap_or_else(|| reference.clone());
            let entry = images.entry(name.clone()).or_insert_with(|| UsedImage {
                image: BundleImage {
                    image: name,
                    mirror_of: moved.map(|_| reference),
                    used_by: Vec::new(),
                },
                layers: BTreeSet::new(),
            });
            entry.layers.insert(object.layer);
            entry.image.used_by.push(format!("{title} ({user})"));
        }
    }
    images
        .into_values()
        .map(|mut used| {
            used.image.used_by.sort();
            used.image.used_by.dedup();
            used
        })
        .collect()
}

fn descend<'a>(node: &'a mut Node, path: &[&str]) -> Option<&'a mut Node> {
    path.iter()
        .try_fold(node, |node, key| node.as_map_mut()?.get_mut(key))
}

/// The image fields of a pod spec, each with what uses it, such as `container web`.
fn image_fields(pod_spec: &mut Node) -> Vec<(&mut Node, String)> {
    let mut found = Vec::new();
    let Some(map) = pod_spec.as_map_mut() else {
        return found;
    };
    for (key, list) in map.iter_mut() {
        let sort = match &**key {
            "containers" => "container",
            "initContainers" => "init container",
            "ephemeralContainers" => "ephemeral container",
            "volumes" => "volume",
            _ => continue,
        };
        let Value::List(items) = &mut list.value else {
            continue;
        };
        for item in items {
            let name = item.get("name").and_then(Node::as_str).unwrap_or_default();
            let user = format!("{sort} {name}");
            let field = if sort == "volume" {
                descend(item, &["image", "reference"])
            } else {
                descend(item, &["image"])
            };
            found.extend(field.map(|field| (field, user)));
        }
    }
    found
}

/// The reference at its mirror, when one applies: the longest `from` wins.
fn mirrored(reference: &str, mirrors: &[ImageMirror]) -> Option<String> {
    let full = normalized(reference);
    mirrors
        .iter()
        .filter_map(|mirror| {
            let from = mirror.from.trim_end_matches('/');
            let rest = full.strip_prefix(from)?;
            (rest.starts_with(['/', ':', '@']) || rest.is_empty())
                .then(|| (from.len(), mirror.to.trim_end_matches('/'), rest))
        })
        .max_by_key(|(length, ..)| *length)
        .map(|(_, to, rest)| format!("{to}{rest}"))
}

/// An image reference with its registry: `nginx` is `docker.io/library/nginx`.
///
/// <https://github.com/distribution/reference/blob/main/normalize.go>
pub(crate) fn normalized(reference: &str) -> String {
    match reference.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => {
            reference.to_owned()
        }
        Some(_) => format!("docker.io/{reference}"),
        None => format!("docker.io/library/{reference}"),
    }
}

/// The tag of a reference, unless it names a digest.
pub(crate) fn mutable_tag(reference: &str) -> Option<&str> {
    if reference.contains('@') {
        return None;
    }
    let last = reference.rsplit('/').next().unwrap_or(reference);
    Some(last.split_once(':').map_or("latest", |(_, tag)| tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(from: &str, to: &str) -> ImageMirror {
        ImageMirror {
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    #[test]
    fn the_longest_mirror_wins() {
        let mirrors = [
            mirror("docker.io", "r.local/hub"),
            mirror("docker.io/library", "r.local/lib/"),
        ];
        assert_eq!(
            mirrored("nginx:1.27", &mirrors).as_deref(),
            Some("r.local/lib/nginx:1.27")
        );
        assert_eq!(
            mirrored("rancher/x@sha256:0", &mirrors).as_deref(),
            Some("r.local/hub/rancher/x@sha256:0")
        );
        assert_eq!(mirrored("docker.io.evil/x", &mirrors), None);
        assert_eq!(mirrored("quay.io/x", &mirrors), None);
    }

    #[test]
    fn images_are_found_by_position() {
        let node = Node::from(serde_json::json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"template": {"spec": {
                "initContainers": [{"name": "i", "image": "busybox"}],
                "containers": [{"name": "c", "image": "nginx:1"}],
                "volumes": [{"name": "v", "image": {"reference": "data:1"}}],
            }}},
        }));
        let mut objects = [Object {
            layer: 0,
            id: crate::object::identify(&node),
            node,
            hook: None,
        }];
        let images = settle(&mut objects, &[mirror("docker.io", "m.local")]);
        let lines: Vec<_> = images
            .iter()
            .map(|used| &used.image)
            .map(|image| {
                format!(
                    "{} <- {} by {}",
                    image.image,
                    image.mirror_of.as_deref().unwrap_or("-"),
                    image.used_by.join(", ")
                )
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        m.local/library/busybox <- busybox by Deployment web (init container i)
        m.local/library/data:1 <- data:1 by Deployment web (volume v)
        m.local/library/nginx:1 <- nginx:1 by Deployment web (container c)
        ");
        assert_eq!(
            objects[0]
                .node
                .pointer("/spec/template/spec/containers/0/image")
                .unwrap()
                .as_str(),
            Some("m.local/library/nginx:1")
        );
    }

    #[test]
    fn tags_are_told_from_digests() {
        assert_eq!(mutable_tag("nginx"), Some("latest"));
        assert_eq!(mutable_tag("localhost:5000/nginx:1.27"), Some("1.27"));
        assert_eq!(mutable_tag("nginx@sha256:00"), None);
    }
}
