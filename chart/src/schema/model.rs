//! Schemas, compiled.

use std::collections::BTreeMap;

use super::{
    address::Address,
    draft::Draft,
    formats::Format,
    json::{Json, Number},
    pattern::Pattern,
};

/// A compiled schema's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SchemaId(pub(super) u32);

/// All schemas that were compiled together, each with its address; none where the compiler has not
/// come by yet.
#[derive(Debug, Default)]
pub(super) struct Schemas(Vec<(Address, Option<Box<Schema>>)>);

impl Schemas {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, id: SchemaId) -> Option<&Schema> {
        self.0.get(usize::try_from(id.0).ok()?)?.1.as_deref()
    }

    pub(super) fn address(&self, id: SchemaId) -> Option<&Address> {
        Some(&self.0.get(usize::try_from(id.0).ok()?)?.0)
    }

    pub(super) fn set(&mut self, id: SchemaId, schema: Box<Schema>) {
        let index = usize::try_from(id.0).ok();
        if let Some(slot) = index.and_then(|index| self.0.get_mut(index)) {
            slot.1 = Some(schema);
        }
    }

    /// Adds a schema that is yet to be compiled.
    pub(super) fn add(&mut self, address: Address) -> SchemaId {
        let id = SchemaId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push((address, None));
        id
    }
}

/// A compiled schema.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "so many keywords are yes or no"
)]
pub(super) struct Schema {
    pub(super) draft: Draft,
    /// The schema of the resource that it belongs to.
    pub(super) resource: Option<SchemaId>,
    /// Of a resource, the schemas under its dynamic anchors.
    pub(super) dynamic_anchors: BTreeMap<String, SchemaId>,
    pub(super) all_properties_evaluated: bool,
    pub(super) all_items_evaluated: bool,
    pub(super) items_evaluated: usize,

    pub(super) boolean: Option<bool>,
    pub(super) reference: Option<SchemaId>,
    pub(super) recursive_reference: Option<SchemaId>,
    pub(super) recursive_anchor: bool,
    pub(super) dynamic_reference: Option<Box<DynamicReference>>,
    pub(super) dynamic_anchor: String,
    pub(super) types: Types,
    pub(super) enumeration: Option<Vec<Json>>,
    pub(super) constant: Option<Box<Json>>,
    pub(super) format: Option<Format>,
    pub(super) not: Option<SchemaId>,
    pub(super) all_of: Vec<SchemaId>,
    pub(super) any_of: Vec<SchemaId>,
    pub(super) one_of: Vec<SchemaId>,
    pub(super) condition: Option<Condition>,

    pub(super) min_properties: Option<usize>,
    pub(super) max_properties: Option<usize>,
    pub(super) required: Vec<String>,
    pub(super) properties: BTreeMap<String, SchemaId>,
    pub(super) pattern_properties: Vec<(Pattern, SchemaId)>,
    pub(super) additional_properties: Additional,
    pub(super) property_names: Option<SchemaId>,
    pub(super) dependencies: BTreeMap<String, Dependency>,
    pub(super) dependent_schemas: BTreeMap<String, SchemaId>,
    pub(super) dependent_required: BTreeMap<String, Vec<String>>,
    pub(super) unevaluated_properties: Option<SchemaId>,

    pub(super) min_items: Option<usize>,
    pub(super) max_items: Option<usize>,
    pub(super) unique_items: bool,
    /// The schema of all items behind the first ones, and those of the first ones.
    pub(super) items: Option<SchemaId>,
    pub(super) first_items: Vec<SchemaId>,
    pub(super) additional_items: Additional,
    pub(super) contains: Option<SchemaId>,
    pub(super) min_contains: Option<usize>,
    pub(super) max_contains: Option<usize>,
    pub(super) unevaluated_items: Option<SchemaId>,

    pub(super) min_length: Option<usize>,
    pub(super) max_length: Option<usize>,
    pub(super) pattern: Option<Box<Pattern>>,

    pub(super) minimum: Option<Box<Number>>,
    pub(super) maximum: Option<Box<Number>>,
    pub(super) exclusive_minimum: Option<Box<Number>>,
    pub(super) exclusive_maximum: Option<Box<Number>>,
    pub(super) multiple_of: Option<Box<Number>>,
}

/// `$dynamicRef`: where it leads at first, and the anchor that others may take.
#[derive(Debug, Clone)]
pub(super) struct DynamicReference {
    pub(super) target: SchemaId,
    pub(super) anchor: String,
}

/// `if`, `then` and `else`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    pub(super) if_valid: SchemaId,
    pub(super) then: Option<SchemaId>,
    pub(super) otherwise: Option<SchemaId>,
}

/// `additionalProperties` and `additionalItems`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Additional {
    /// It says nothing.
    #[default]
    Unsaid,
    Allowed(bool),
    Schema(SchemaId),
}

impl Additional {
    pub(super) fn is_said(self) -> bool {
        !matches!(self, Self::Unsaid)
    }
}

/// A value of `dependencies`.
#[derive(Debug, Clone)]
pub(super) enum Dependency {
    Properties(Vec<String>),
    Schema(SchemaId),
}

/// A type of JSON. Their order is that of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Boolean,
    Number,
    Integer,
    String,
    Array,
    Object,
}

impl Type {
    pub(super) const ALL: [Self; 7] = [
        Self::Null,
        Self::Boolean,
        Self::Number,
        Self::Integer,
        Self::String,
        Self::Array,
        Self::Object,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Types(u8);

impl Types {
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn contains(self, kind: Type) -> bool {
        self.0 & kind.bit() != 0
    }

    /// The types that `type` names; others are passed over.
    pub(super) fn new(value: &Json) -> Self {
        let names: Vec<&str> = match value {
            Json::String(name) => vec![name],
            Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        };
        let chosen = Type::ALL
            .into_iter()
            .filter(|kind| names.contains(&kind.name()));
        Self(chosen.fold(0, |bits, kind| bits | kind.bit()))
    }

    /// As messages name them.
    pub(super) fn names(self) -> String {
        let named: Vec<_> = Type::ALL
            .into_iter()
            .filter(|kind| self.contains(*kind))
            .map(Type::name)
            .collect();
        named.join(" or ")
    }
}
