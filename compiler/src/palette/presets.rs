//! `presets.yaml`: each preset becomes a file. What it removes, it deletes by a null.

use std::{collections::BTreeSet, sync::Arc};

use cairn_spec::{Map, Node, PresetName, Value};
use serde_json::json;

use super::{Importer, document, label_of, read_lenient};
use crate::Session;

impl Importer<'_> {
    pub(super) fn presets(&mut self, session: &mut Session) {
        let Some(file) = self.source.get("presets.yaml") else {
            return;
        };
        let name = format!("{}/presets.yaml", self.label);
        let Some(root) = read_lenient(&name, &file.bytes, session) else {
            return;
        };
        let items = root.get("presets").and_then(Node::as_list);
        let mut names = BTreeSet::new();
        for (index, preset) in items.unwrap_or_default().iter().enumerate() {
            let what = format!("presets.yaml: presets[{index}]");
            let written = text(preset, "name");
            let Some(name) = label_of(written).and_then(|label| label.parse::<PresetName>().ok())
            else {
                self.left(what, "it has no usable name");
                continue;
            };
            let name = unique(&name, &mut names);
            if name.as_str() != written {
                self.changed(
                    what.clone(),
                    format!("`{written}` is the preset `{name}` now"),
                );
            }
            match self.preset_values(preset) {
                Ok(values) => {
                    let text = preset_text(&name, preset, &values);
                    self.put(&format!("presets/{name}.yaml"), text);
                }
                Err(reason) => self.left(format!("{what} ({written})"), reason),
            }
        }
    }

    /// The values of a preset: nulls for what it removes, then what it adds.
    fn preset_values(&self, preset: &Node) -> Result<Node, String> {
        let added = text(preset, "add");
        let mut session = Session::default();
        let added = read_lenient("add", added.as_bytes(), &mut session)
            .ok_or("what it adds is not YAML")?;
        let defaults = &self.values.kept;
        let mut values = added.clone();
        let removed = preset.get("remove").and_then(Node::as_list);
        for path in removed.unwrap_or_default().iter().filter_map(Node::as_str) {
            let keys: Vec<&str> = path.split('.').collect();
            let Some(default) = defaults.at(&keys) else {
                continue;
            };
            let node = match added.at(&keys) {
                Some(node) => instead_of(default, node),
                None => Node::generated(Value::Null),
            };
            set(&mut values, &keys, node).map_err(|key| {
                format!("it removes `{path}`, and sets `{key}` to something that is no map")
            })?;
        }
        if let Some(map) = values.as_map_mut() {
            map.remove("pack");
        }
        Ok(values)
    }
}

/// What stands in a merge for replacing `default` by `node`: keys that are gone are deleted.
fn instead_of(default: &Node, node: &Node) -> Node {
    let (Value::Map(default), Value::Map(map)) = (&default.value, &node.value) else {
        return node.clone();
    };
    let mut replaced = Map::new();
    for (key, old) in default.iter() {
        let new = match map.get(key) {
            Some(new) => instead_of(old, new),
            None => Node::generated(Value::Null),
        };
        replaced.insert(Arc::clone(key), new);
    }
    for (key, new) in map.iter() {
        if !default.contains_key(key) {
            replaced.insert(Arc::clone(key), new.clone());
        }
    }
    Node::generated(Value::Map(replaced))
}

/// Sets the value at a path, with maps on the way; an error names the key that is no map.
fn set(root: &mut Node, keys: &[&str], node: Node) -> Result<(), String> {
    let Some((last, above)) = keys.split_last() else {
        return Ok(());
    };
    let mut here = root;
    for key in above {
        let map = here.as_map_mut().ok_or_else(|| (*key).to_owned())?;
        if map.get(key).is_none_or(|below| below.value == Value::Null) {
            map.insert(*key, super::empty_map());
        }
        here = map.get_mut(key).ok_or_else(|| (*key).to_owned())?;
    }
    let map = here.as_map_mut().ok_or_else(|| (*last).to_owned())?;
    map.insert(*last, node);
    Ok(())
}

/// A name that no other preset has.
fn unique(name: &PresetName, names: &mut BTreeSet<PresetName>) -> PresetName {
    let mut chosen = name.clone();
    let mut number = 2;
    while !names.insert(chosen.clone()) {
        /// Room for the number at the end of a name.
        const STEM_BYTES: usize = 56;
        let stem: String = name.as_str().chars().take(STEM_BYTES).collect();
        let stem = stem.trim_end_matches('-');
        chosen = format!("{stem}-{number}").parse().unwrap_or(chosen);
        number += 1;
    }
    chosen
}

fn text<'n>(node: &'n Node, key: &str) -> &'n str {
    node.get(key).and_then(Node::as_str).unwrap_or_default()
}

fn preset_text(name: &PresetName, preset: &Node, values: &Node) -> String {
    let mut metadata = json!({"name": name});
    let display_name = text(preset, "displayName");
    if !display_name.is_empty() {
        metadata["displayName"] = json!(display_name);
    }
    let mut spec = json!({"values": values.to_json()});
    if let Some(group) = label_of(text(preset, "group")) {
        spec["group"] = json!(group);
    }
    let file = json!({
        "apiVersion": cairn_spec::API_VERSION,
        "kind": "Preset",
        "metadata": metadata,
        "spec": spec,
    });
    document(&Node::from(file))
}
