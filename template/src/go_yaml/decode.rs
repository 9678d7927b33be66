//! Nodes to values, as go-yaml and then `sigs.k8s.io/yaml` make them.

use std::sync::Arc;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use cairn_spec::Value;

use super::{
    Dialect, MAX_DEPTH, MAX_NODES, Numbers,
    build::{Build, Keys, Nothing},
    compose::{Content, Document, DocumentNode, NodeId, mark_of},
    error::{Failure, ReadError},
    go_syntax::{self, GoValue},
    input::Input,
    scalar::{self, Meaning},
    through_json,
};
use crate::go_json::format_general_32;

const LONG_TAG: &str = "tag:yaml.org,2002:";
pub(super) const INVALID_MERGE: &str = "map merge requires map or sequence of maps as the value";
/// go-yaml looks at the share of values that aliases made only above these counts.
const ALIASED_VALUES: usize = 100;
const ALL_VALUES: usize = 1000;

/// Go's base64 takes bits that fall off the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Makes the value of the document.
pub(super) fn decode<B: Build>(
    document: &Document<'_>,
    input: &Input<'_>,
    numbers: Numbers,
    build: &mut B,
) -> Result<B::Node, ReadError> {
    let mut decoder = Decoder::new(document, numbers);
    let value = match document.root {
        Some(root) => decoder.node(build, root, 0),
        None => Ok(build.scalar(Value::Null, B::NOWHERE)),
    };
    decoder.finish(value, input)
}

/// As [`decode`], but of a map without the entries that `keeps` refuses the keys of. What is wrong
/// with those is an error all the same.
pub(super) fn decode_some<B: Build<Key = Arc<str>>>(
    document: &Document<'_>,
    input: &Input<'_>,
    numbers: Numbers,
    build: &mut B,
    keeps: impl Fn(&str) -> bool,
) -> Result<B::Node, ReadError> {
    let is_simple_map = |root: &NodeId| {
        matches!(document.node(*root).content, Content::Mapping)
            && !document
                .entries(*root)
                .any(|(key, _)| is_merge(document.node(key)))
    };
    let Some(root) = document.root.filter(is_simple_map) else {
        return decode(document, input, numbers, build);
    };
    let mut decoder = Decoder::new(document, numbers);
    let value = decoder.some_entries(build, root, keeps);
    decoder.finish(value, input)
}

struct Decoder<'d, 't> {
    document: &'d Document<'t>,
    keys: Keys,
    numbers: Numbers,
    /// The aliases that are being expanded.
    expanding: Vec<NodeId>,
    count: usize,
    aliased: usize,
    /// Where the first key or number stands that go-yaml lets through and a later step refuses.
    doubtful: Option<usize>,
}

impl<'d, 't> Decoder<'d, 't> {
    fn new(document: &'d Document<'t>, numbers: Numbers) -> Self {
        Self {
            document,
            keys: Keys::for_nodes(document.nodes.len()),
            numbers,
            expanding: Vec::new(),
            // The document itself counts.
            count: 1,
            aliased: 0,
            doubtful: None,
        }
    }

    /// The value of the document, if nothing that is in it was only let through by go-yaml.
    fn finish<N>(self, value: Result<N, Failure>, input: &Input<'_>) -> Result<N, ReadError> {
        let value = value.map_err(|failure| failure.placed(input).yaml())?;
        let Some((place, root)) = self.doubtful.zip(self.document.root) else {
            return Ok(value);
        };
        // What a later key replaced does not count, so it takes the finished value to tell.
        let finished =
            GoValue::of(self.document, root).map_err(|failure| failure.placed(input).yaml())?;
        let problem = finished
            .unsupported_key()
            .or_else(|| finished.unsupported_number());
        match problem {
            Some(problem) => Err(Failure::new(problem).at(mark_of(input, place)).after_yaml()),
            None => Ok(value),
        }
    }

    /// A map with only the entries whose keys are kept.
    fn some_entries<B: Build<Key = Arc<str>>>(
        &mut self,
        build: &mut B,
        id: NodeId,
        keeps: impl Fn(&str) -> bool,
    ) -> Result<B::Node, Failure> {
        let document = self.document;
        let node = self.visit(id, 0)?;
        let mut map = B::Map::default();
        for (key, value) in document.entries(id) {
            let (name, key_origin) = self.key(build, key, 1)?;
            match name.filter(|name| keeps(name)) {
                Some(name) => {
                    let value = self.node(build, value, 1)?;
                    B::insert(&mut map, name, key_origin, value);
                }
                None => self.node(&mut Nothing, value, 1)?,
            }
        }
        let origin = build.origin(node.range());
        Ok(build.map(map, origin))
    }

    fn node<B: Build>(
        &mut self,
        build: &mut B,
        id: NodeId,
        depth: usize,
    ) -> Result<B::Node, Failure> {
        let node = self.visit(id, depth)?;
        match &node.content {
            Content::Alias { name, target } => {
                self.expand(id, name)?;
                let expanded = self.node(build, *target, depth + 1);
                self.expanding.pop();
                expanded
            }
            Content::Scalar { text, .. } => {
                let meaning = resolve(node)?;
                let origin = build.origin(node.range());
                Ok(match meaning {
                    Resolved::Text => build.text(text, origin),
                    Resolved::Owned(text) => build.text(&text, origin),
                    meaning => build.scalar(self.scalar(node, &meaning), origin),
                })
            }
            Content::Sequence => {
                let document = self.document;
                let items = document.children(id);
                let items = items
                    .map(|item| self.node(build, item, depth + 1))
                    .collect::<Result<_, _>>()?;
                let origin = build.origin(node.range());
                Ok(build.list(items, origin))
            }
            Content::Mapping => {
                let mut map = B::Map::default();
                self.mapping(build, id, &mut map, depth + 1)?;
                let origin = build.origin(node.range());
                Ok(build.map(map, origin))
            }
        }
    }

    /// Counts a node as go-yaml does, and refuses what only aliases blow up.
    fn visit(&mut self, id: NodeId, depth: usize) -> Result<&'d DocumentNode<'t>, Failure> {
        let document = self.document;
        let node = document.node(id);
        self.count += 1;
        self.aliased += usize::from(!self.expanding.is_empty());
        if self.aliased > ALIASED_VALUES
            && self.count > ALL_VALUES
            && ratio(self.aliased, self.count) > allowed_alias_ratio(self.count)
        {
            return Err(Failure::new("document contains excessive aliasing").at_offset(node.start));
        }
        if self.count > MAX_NODES {
            return Err(Failure::too_many_nodes().at_offset(node.start));
        }
        if depth > MAX_DEPTH {
            return Err(Failure::too_deep().at_offset(node.start));
        }
        Ok(node)
    }

    fn expand(&mut self, alias: NodeId, name: &str) -> Result<(), Failure> {
        if self.expanding.contains(&alias) {
            return Err(
                Failure::new(format!("anchor '{name}' value contains itself"))
                    .at_offset(self.document.node(alias).start),
            );
        }
        self.expanding.push(alias);
        Ok(())
    }

    /// Adds entries to a map; a later key replaces an earlier one, also one that was merged.
    fn mapping<B: Build>(
        &mut self,
        build: &mut B,
        id: NodeId,
        map: &mut B::Map,
        depth: usize,
    ) -> Result<(), Failure> {
        let document = self.document;
        for (key, value) in document.entries(id) {
            if is_merge(self.document.node(key)) {
                self.merge(build, value, map, depth)?;
                continue;
            }
            let (name, key_origin) = self.key(build, key, depth)?;
            let node = self.node(build, value, depth)?;
            if let Some(name) = name {
                B::insert(map, name, key_origin, node);
            }
        }
        Ok(())
    }

    fn merge<B: Build>(
        &mut self,
        build: &mut B,
        value: NodeId,
        map: &mut B::Map,
        depth: usize,
    ) -> Result<(), Failure> {
        let document = self.document;
        let node = document.node(value);
        match &node.content {
            Content::Sequence => {
                let items: Vec<NodeId> = document.children(value).collect();
                items
                    .into_iter()
                    .rev()
                    .try_for_each(|item| self.merge_one(build, item, map, depth))
            }
            _ => self.merge_one(build, value, map, depth),
        }
    }

    fn merge_one<B: Build>(
        &mut self,
        build: &mut B,
        id: NodeId,
        map: &mut B::Map,
        depth: usize,
    ) -> Result<(), Failure> {
        let document = self.document;
        let node = document.node(id);
        match &node.content {
            Content::Mapping => {
                self.visit(id, depth)?;
                self.mapping(build, id, map, depth + 1)
            }
            Content::Alias { name, target } => {
                let Content::Mapping = document.node(*target).content else {
                    return Err(Failure::new(INVALID_MERGE).at_offset(node.start));
                };
                self.visit(id, depth)?;
                self.expand(id, name)?;
                let merged = self.merge_one(build, *target, map, depth + 1);
                self.expanding.pop();
                merged
            }
            _ => Err(Failure::new(INVALID_MERGE).at_offset(node.start)),
        }
    }

    /// The text of a key; none when it is one that a later step refuses.
    fn key<B: Build>(
        &mut self,
        build: &mut B,
        id: NodeId,
        depth: usize,
    ) -> Result<(Option<B::Key>, B::Origin), Failure> {
        let document = self.document;
        let node = document.node(id).start;
        if is_collection(document, id) {
            self.node(&mut Nothing, id, depth)?;
            let shown = go_syntax::show(&GoValue::shown(document, id)?);
            return Err(Failure::new(format!("invalid map key: {shown}")).at_offset(node));
        }
        self.visit(id, depth)?;
        let mut target = document.node(id);
        let mut aliases = 0;
        let mut found = id;
        while let Content::Alias { name, target: next } = &target.content {
            self.expand(found, name)?;
            aliases += 1;
            found = *next;
            self.visit(found, depth)?;
            target = document.node(found);
        }
        self.expanding.truncate(self.expanding.len() - aliases);
        let Content::Scalar { text, .. } = &target.content else {
            return Ok((None, B::NOWHERE));
        };
        let meaning = resolve(target)?;
        let keys = &mut self.keys;
        let name = match meaning {
            Resolved::Text => B::key(keys, text),
            Resolved::Owned(text) => B::key(keys, &text),
            Resolved::Bool(value) => B::key(keys, if value { "true" } else { "false" }),
            Resolved::Int(value) => B::key(keys, &value.to_string()),
            Resolved::Float(value) => B::key(keys, &float_key(value)),
            Resolved::Null | Resolved::Uint(_) => {
                self.doubtful.get_or_insert(node);
                return Ok((None, B::NOWHERE));
            }
        };
        Ok((Some(name), build.origin(target.range())))
    }

    /// What a scalar is that is no text.
    fn scalar(&mut self, node: &DocumentNode<'t>, meaning: &Resolved) -> Value {
        match *meaning {
            Resolved::Text | Resolved::Owned(_) | Resolved::Null => Value::Null,
            Resolved::Bool(value) => Value::Bool(value),
            Resolved::Int(value) => match self.numbers {
                Numbers::Floats => Value::Float(int_to_float(value)),
                Numbers::AsWritten => Value::Int(value),
            },
            Resolved::Uint(value) => Value::Float(uint_to_float(value)),
            Resolved::Float(value) => {
                if !value.is_finite() {
                    self.doubtful.get_or_insert(node.start);
                }
                Value::Float(value)
            }
        }
    }
}

/// How large a share of the values may come from aliases.
fn allowed_alias_ratio(count: usize) -> f64 {
    const LOW: usize = 400_000;
    const HIGH: usize = 4_000_000;
    match count {
        ..=LOW => 0.99,
        HIGH.. => 0.10,
        _ => 0.99 - 0.89 * ratio(count - LOW, HIGH - LOW),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Go's JSON reads every number so"
)]
fn int_to_float(value: i64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Go's JSON reads every number so"
)]
fn uint_to_float(value: u64) -> f64 {
    value as f64
}

fn float_key(value: f64) -> String {
    match format_general_32(value).as_str() {
        "+Inf" => ".inf".to_owned(),
        "-Inf" => "-.inf".to_owned(),
        "NaN" => ".nan".to_owned(),
        text => text.to_owned(),
    }
}

/// Whether the node, or what it is an alias of, is a list or a map.
fn is_collection(document: &Document<'_>, id: NodeId) -> bool {
    match &document.node(id).content {
        Content::Scalar { .. } => false,
        Content::Sequence | Content::Mapping => true,
        Content::Alias { target, .. } => is_collection(document, *target),
    }
}

pub(super) fn is_merge(node: &DocumentNode<'_>) -> bool {
    matches!(
        &node.content,
        Content::Scalar { text, tag, implicit }
            if text == "<<"
                && (*implicit
                    || tag.as_deref().and_then(|tag| tag.strip_prefix(LONG_TAG)) == Some("merge"))
    )
}

/// What a scalar means, once its tag was heard.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// The scalar's own text.
    Text,
    /// A text that is not the scalar's own.
    Owned(String),
}

/// What a scalar means; `node` is one.
pub(super) fn resolve(node: &DocumentNode<'_>) -> Result<Resolved, Failure> {
    let Content::Scalar {
        text,
        tag,
        implicit,
    } = &node.content
    else {
        return Ok(Resolved::Null);
    };
    let Some(tag) = tag else {
        if !implicit {
            return Ok(Resolved::Text);
        }
        return Ok(match scalar::meaning(text, true, Dialect::V2) {
            Meaning::Null => Resolved::Null,
            Meaning::Bool(value) => Resolved::Bool(value),
            Meaning::Int(value) => Resolved::Int(value),
            Meaning::Uint(value) => Resolved::Uint(value),
            Meaning::Float(value) => Resolved::Float(value),
            Meaning::Timestamp | Meaning::Text => Resolved::Text,
        });
    };
    let Some(short) = tag.strip_prefix(LONG_TAG) else {
        return Ok(Resolved::Text);
    };
    match short {
        "binary" => {
            let encoded: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
            match BASE64.decode(encoded) {
                Ok(bytes) => Ok(Resolved::Owned(through_json::valid(&bytes).into_owned())),
                Err(_) => Err(Failure::new("!!binary value contains invalid base64 data")
                    .at_offset(node.start)),
            }
        }
        "bool" | "int" | "float" | "null" | "timestamp" => {
            let meaning = scalar::meaning(text, short == "timestamp", Dialect::V2);
            tagged(meaning, short).map_err(|found| {
                let problem = format!("cannot decode !!{found} `{text}` as a !!{short}");
                Failure::new(problem).at_offset(node.start)
            })
        }
        _ => Ok(Resolved::Text),
    }
}

/// The meaning, if it is what the tag says, else the tag that it has.
fn tagged(meaning: Meaning, tag: &str) -> Result<Resolved, &'static str> {
    let (found, resolved) = match meaning {
        Meaning::Null => ("null", Resolved::Null),
        Meaning::Bool(value) => ("bool", Resolved::Bool(value)),
        Meaning::Int(value) if tag == "float" => ("float", Resolved::Float(int_to_float(value))),
        Meaning::Int(value) => ("int", Resolved::Int(value)),
        Meaning::Uint(value) => ("int", Resolved::Uint(value)),
        Meaning::Float(value) => ("float", Resolved::Float(value)),
        Meaning::Timestamp => ("timestamp", Resolved::Text),
        Meaning::Text => ("str", Resolved::Text),
    };
    if found == tag {
        Ok(resolved)
    } else {
        Err(found)
    }
}
