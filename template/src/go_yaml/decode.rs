//! Nodes to values, as go-yaml and then `sigs.k8s.io/yaml` make them.

use std::sync::Arc;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use cairn_spec::{Field, Map, Node, OriginId, Origins, Span, Value};

use super::{
    Dialect, MAX_DEPTH, MAX_NODES, Numbers, ReadOptions,
    compose::{Content, Document, DocumentNode, NodeId},
    error::{Failure, ReadError},
    go_syntax::{self, GoValue},
    input::Input,
    scalar::{self, Meaning},
    scan::Mark,
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

/// Makes the value of the document, with an origin for each key and value.
pub(super) fn decode(
    document: &Document<'_>,
    input: &Input<'_>,
    options: &ReadOptions,
    origins: &mut Origins,
) -> Result<Node, ReadError> {
    let mut decoder = Decoder {
        document,
        origins,
        source: options.source.zip(input.skipped),
        numbers: options.numbers,
        expanding: Vec::new(),
        // The document itself counts.
        count: 1,
        aliased: 0,
        doubtful: None,
    };
    let node = match document.root {
        Some(root) => decoder.node(root, 0).map_err(Failure::yaml)?,
        None => Node::generated(Value::Null),
    };
    if let Some((place, root)) = decoder.doubtful.zip(document.root) {
        // What a later key replaced does not count, so it takes the finished value to tell.
        let value = GoValue::of(document, root).map_err(Failure::yaml)?;
        let problem = value
            .unsupported_key()
            .or_else(|| value.unsupported_number());
        if let Some(problem) = problem {
            return Err(Failure::new(problem).at(place).after_yaml());
        }
    }
    Ok(node)
}

struct Decoder<'d, 't> {
    document: &'d Document<'t>,
    origins: &'d mut Origins,
    source: Option<(cairn_spec::SourceId, usize)>,
    numbers: Numbers,
    /// The aliases that are being expanded.
    expanding: Vec<NodeId>,
    count: usize,
    aliased: usize,
    /// The first key or number that go-yaml lets through and a later step refuses.
    doubtful: Option<Mark>,
}

impl<'d, 't> Decoder<'d, 't> {
    fn node(&mut self, id: NodeId, depth: usize) -> Result<Node, Failure> {
        let node = self.visit(id, depth)?;
        let value = match &node.content {
            Content::Alias { name, target } => {
                self.expand(id, name)?;
                let expanded = self.node(*target, depth + 1);
                self.expanding.pop();
                return expanded;
            }
            Content::Scalar { .. } => {
                let meaning = resolve(node)?;
                self.scalar(node, meaning)
            }
            Content::Sequence(items) => Value::List(
                items
                    .iter()
                    .map(|item| self.node(*item, depth + 1))
                    .collect::<Result<_, _>>()?,
            ),
            Content::Mapping(entries) => {
                let mut map = Map::new();
                self.mapping(entries, &mut map, depth + 1)?;
                Value::Map(map)
            }
        };
        let origin = self.origin(node);
        Ok(Node { value, origin })
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
            return Err(Failure::new("document contains excessive aliasing").at(node.start));
        }
        if self.count > MAX_NODES {
            return Err(Failure::too_many_nodes().at(node.start));
        }
        if depth > MAX_DEPTH {
            return Err(Failure::too_deep().at(node.start));
        }
        Ok(node)
    }

    fn expand(&mut self, alias: NodeId, name: &str) -> Result<(), Failure> {
        if self.expanding.contains(&alias) {
            return Err(
                Failure::new(format!("anchor '{name}' value contains itself"))
                    .at(self.document.node(alias).start),
            );
        }
        self.expanding.push(alias);
        Ok(())
    }

    /// Adds entries to a map; a later key replaces an earlier one, also one that was merged.
    fn mapping(&mut self, entries: &[NodeId], map: &mut Map, depth: usize) -> Result<(), Failure> {
        for entry in entries.chunks_exact(2) {
            let (key, value) = (entry[0], entry[1]);
            if is_merge(self.document.node(key)) {
                self.merge(value, map, depth)?;
                continue;
            }
            let (name, key_origin) = self.key(key, depth)?;
            let node = self.node(value, depth)?;
            if let Some(name) = name {
                map.insert_field(name, Field { key_origin, node });
            }
        }
        Ok(())
    }

    fn merge(&mut self, value: NodeId, map: &mut Map, depth: usize) -> Result<(), Failure> {
        let document = self.document;
        let node = document.node(value);
        match &node.content {
            Content::Sequence(items) => {
                for item in items.iter().rev() {
                    self.merge_one(*item, map, depth)?;
                }
                Ok(())
            }
            _ => self.merge_one(value, map, depth),
        }
    }

    fn merge_one(&mut self, id: NodeId, map: &mut Map, depth: usize) -> Result<(), Failure> {
        let document = self.document;
        let node = document.node(id);
        match &node.content {
            Content::Mapping(entries) => {
                self.visit(id, depth)?;
                self.mapping(entries, map, depth + 1)
            }
            Content::Alias { name, target } => {
                let Content::Mapping(_) = document.node(*target).content else {
                    return Err(Failure::new(INVALID_MERGE).at(node.start));
                };
                self.visit(id, depth)?;
                self.expand(id, name)?;
                let merged = self.merge_one(*target, map, depth + 1);
                self.expanding.pop();
                merged
            }
            _ => Err(Failure::new(INVALID_MERGE).at(node.start)),
        }
    }

    /// The text of a key; none when it is one that a later step refuses.
    fn key(&mut self, id: NodeId, depth: usize) -> Result<(Option<Arc<str>>, OriginId), Failure> {
        let document = self.document;
        let node = document.node(id).start;
        if is_collection(document, id) {
            self.node(id, depth)?;
            let shown = go_syntax::show(&GoValue::shown(document, id)?);
            return Err(Failure::new(format!("invalid map key: {shown}")).at(node));
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
            return Ok((None, OriginId::GENERATED));
        };
        let meaning = resolve(target)?;
        let name: Arc<str> = match meaning {
            Resolved::Text => text.as_ref().into(),
            Resolved::Owned(text) => text.into(),
            Resolved::Bool(value) => if value { "true" } else { "false" }.into(),
            Resolved::Int(value) => value.to_string().into(),
            Resolved::Float(value) => float_key(value).into(),
            Resolved::Null | Resolved::Uint(_) => {
                self.doubtful.get_or_insert(node);
                return Ok((None, OriginId::GENERATED));
            }
        };
        Ok((Some(name), self.origin(target)))
    }

    fn scalar(&mut self, node: &DocumentNode<'t>, meaning: Resolved) -> Value {
        let Content::Scalar { text, .. } = &node.content else {
            return Value::Null;
        };
        match meaning {
            Resolved::Text => Value::String(text.as_ref().into()),
            Resolved::Owned(text) => Value::from(text),
            Resolved::Null => Value::Null,
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

    fn origin(&mut self, node: &DocumentNode<'t>) -> OriginId {
        let Some((source, skipped)) = self.source else {
            return OriginId::GENERATED;
        };
        let bound = |offset: usize| u32::try_from(offset + skipped).unwrap_or(u32::MAX);
        self.origins.add_span(Span {
            source,
            start: bound(node.start.offset),
            end: bound(node.end.max(node.start.offset)),
        })
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
        Content::Sequence(_) | Content::Mapping(_) => true,
        Content::Alias { target, .. } => is_collection(document, *target),
    }
}

pub(super) fn is_merge(node: &DocumentNode<'_>) -> bool {
    matches!(
        &node.content,
        Content::Scalar { text, tag, implicit }
            if text == "<<" && (*implicit || tag.strip_prefix(LONG_TAG) == Some("merge"))
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
    if tag.is_empty() {
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
    }
    let Some(short) = tag.strip_prefix(LONG_TAG) else {
        return Ok(Resolved::Text);
    };
    match short {
        "binary" => {
            let encoded: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
            match BASE64.decode(encoded) {
                Ok(bytes) => Ok(Resolved::Owned(through_json::valid(&bytes).into_owned())),
                Err(_) => {
                    Err(Failure::new("!!binary value contains invalid base64 data").at(node.start))
                }
            }
        }
        "bool" | "int" | "float" | "null" | "timestamp" => {
            let meaning = scalar::meaning(text, short == "timestamp", Dialect::V2);
            tagged(meaning, short).map_err(|found| {
                let problem = format!("cannot decode !!{found} `{text}` as a !!{short}");
                Failure::new(problem).at(node.start)
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
