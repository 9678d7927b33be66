//! Makes schemas ready for use.

use std::{collections::BTreeMap, sync::Arc};

use foldhash::HashMap;

use super::{
    address::{Address, Fragment, join, quoted},
    draft::Draft,
    fields::Fields,
    formats::Format,
    json::{Json, Number},
    model::{
        Additional, Condition, Dependency, DynamicReference, Schema, SchemaId, Schemas, Types,
    },
    pattern::Pattern,
    roots::{Problem, Root, load},
};

/// The most schemas that are compiled for one chart.
const MAX_SCHEMAS: usize = 200_000;

/// A compilation under way.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    roots: HashMap<Arc<str>, Root>,
    schemas: Schemas,
    ids: HashMap<Address, SchemaId>,
    /// Formats are checked whatever the draft says, as in schemas of schemas.
    asserts_format: bool,
}

/// Checks a document against its draft's schema of schemas.
pub(super) type CheckDocument = fn(&Root, &Json, &str) -> Result<(), Problem>;

impl Compiler {
    pub(super) fn new(asserts_format: bool) -> Self {
        Self {
            asserts_format,
            ..Self::default()
        }
    }

    /// Adds a document.
    pub(super) fn add_root(
        &mut self,
        url: &str,
        document: &Arc<Json>,
        check: CheckDocument,
    ) -> Result<(), Problem> {
        let root = Root::new(url, document)?;
        check(&root, document, "")?;
        self.roots.insert(Arc::clone(&root.url), root);
        Ok(())
    }

    /// Compiles the schema of a document and all that it refers to.
    pub(super) fn compile(
        mut self,
        url: &str,
        check: CheckDocument,
    ) -> Result<(Schemas, SchemaId), Problem> {
        let first = self.enqueue(Address::new(&url.into(), ""))?;
        let mut compiled = 0;
        while let Some(address) = self.schemas.address(SchemaId(compiled)).cloned() {
            self.ensure(&address, check)?;
            let Some(root) = self.roots.get(&address.url) else {
                break;
            };
            let document = Arc::clone(&root.document);
            let value = address.look_up(&document)?;
            self.schema(SchemaId(compiled), &address, value)?;
            compiled += 1;
        }
        Ok((self.schemas, first))
    }

    fn enqueue(&mut self, address: Address) -> Result<SchemaId, Problem> {
        if let Some(id) = self.ids.get(&address) {
            return Ok(*id);
        }
        if self.schemas.len() == MAX_SCHEMAS {
            return Err(Problem::new(format!(
                "the schema is made of more than {MAX_SCHEMAS} schemas"
            )));
        }
        let id = self.schemas.add(address.clone());
        self.ids.insert(address, id);
        Ok(id)
    }

    /// Makes sure that the document is there, and the schema in it is known as one.
    fn ensure(&mut self, address: &Address, check: CheckDocument) -> Result<(), Problem> {
        if !self.roots.contains_key(&address.url) {
            let document = load(&address.url)?;
            self.add_root(&address.url, &document, check)?;
        }
        let Some(root) = self.roots.get_mut(&address.url) else {
            return Ok(());
        };
        if root.has_seen(&address.pointer) {
            return Ok(());
        }
        let document = Arc::clone(&root.document);
        let value = address.look_up(&document)?;
        root.add(address)?;
        check(root, value, &address.pointer)
    }

    fn schema(&mut self, id: SchemaId, address: &Address, value: &Json) -> Result<(), Problem> {
        let root = self.roots.get(&address.url);
        let mut schema = Box::<Schema>::default();
        let Some(resource) = root.and_then(|root| root.resource(&address.pointer)) else {
            self.schemas.set(id, schema);
            return Ok(());
        };
        schema.draft = resource.draft;
        let base = Arc::clone(&resource.id);
        let home = Address::new(&address.url, &resource.pointer);
        let mut anchors = Vec::new();
        if resource.draft >= Draft::Year2020 && resource.pointer == address.pointer {
            for anchor in &resource.dynamic_anchors {
                if let Some(pointer) = resource.anchors.get(anchor) {
                    anchors.push((anchor.clone(), Address::new(&address.url, pointer)));
                }
            }
        }
        schema.resource = Some(self.enqueue(home)?);
        for (anchor, target) in anchors {
            schema.dynamic_anchors.insert(anchor, self.enqueue(target)?);
        }
        match value {
            Json::Bool(value) => schema.boolean = Some(*value),
            Json::Object(fields) if fields.is_empty() => schema.boolean = Some(true),
            Json::Object(fields) => {
                let mut keywords = Keywords {
                    compiler: self,
                    fields: Fields::of(fields),
                    address,
                    base: &base,
                };
                keywords.compile(&mut schema)?;
            }
            _ => {}
        }
        schema.all_properties_evaluated = schema.additional_properties.is_said();
        schema.all_items_evaluated = schema.items.is_some() || schema.additional_items.is_said();
        schema.items_evaluated = schema.first_items.len();
        self.schemas.set(id, schema);
        Ok(())
    }
}

/// The keywords of one schema.
struct Keywords<'c> {
    compiler: &'c mut Compiler,
    fields: Fields<'c>,
    address: &'c Address,
    /// The address of the resource around it.
    base: &'c str,
}

impl Keywords<'_> {
    fn compile(&mut self, schema: &mut Schema) -> Result<(), Problem> {
        let draft = schema.draft;
        schema.reference = self.reference("$ref")?;
        if draft < Draft::Year2019 && schema.reference.is_some() {
            return Ok(());
        }
        self.applicators(schema)?;
        self.validations(schema)?;
        if draft >= Draft::Six {
            schema.contains = self.property("contains")?;
            schema.property_names = self.property("propertyNames")?;
            schema.constant = self.fields.get("const").cloned().map(Box::new);
        }
        if draft >= Draft::Seven {
            schema.condition = self.condition()?;
        }
        if draft >= Draft::Year2019 {
            self.year_2019(schema)?;
        }
        if draft >= Draft::Year2020 {
            self.year_2020(schema)?;
        }
        Ok(())
    }

    fn applicators(&mut self, schema: &mut Schema) -> Result<(), Problem> {
        schema.all_of = self.array("allOf")?;
        schema.any_of = self.array("anyOf")?;
        schema.one_of = self.array("oneOf")?;
        schema.not = self.property("not")?;
        if schema.draft < Draft::Year2020 {
            if self
                .fields
                .get("items")
                .is_some_and(|items| items.as_array().is_some())
            {
                schema.first_items = self.array("items")?;
                schema.additional_items = self.additional("additionalItems")?;
            } else {
                schema.items = self.property("items")?;
            }
        }
        schema.properties = self.map("properties")?;
        for (pattern, id) in self.map("patternProperties")? {
            let pattern = self.pattern("patternProperties", &pattern)?;
            schema.pattern_properties.push((pattern, id));
        }
        schema.additional_properties = self.additional("additionalProperties")?;
        for (name, value) in self.object("dependencies").into_iter().flatten() {
            let dependency = match value {
                Json::Array(items) => Dependency::Properties(texts(items)),
                _ => Dependency::Schema(self.below(&["dependencies", name])?),
            };
            schema.dependencies.insert(name.clone(), dependency);
        }
        Ok(())
    }

    fn validations(&mut self, schema: &mut Schema) -> Result<(), Problem> {
        if let Some(types) = self.fields.get("type") {
            schema.types = Types::new(types);
        }
        schema.enumeration = self.items("enum").map(<[Json]>::to_vec);
        schema.multiple_of = self.number("multipleOf");
        schema.maximum = self.number("maximum");
        schema.exclusive_maximum = if self.flag("exclusiveMaximum") {
            schema.maximum.take()
        } else {
            self.number("exclusiveMaximum")
        };
        schema.minimum = self.number("minimum");
        schema.exclusive_minimum = if self.flag("exclusiveMinimum") {
            schema.minimum.take()
        } else {
            self.number("exclusiveMinimum")
        };
        schema.min_length = self.count("minLength");
        schema.max_length = self.count("maxLength");
        if let Some(pattern) = self.text("pattern") {
            schema.pattern = Some(Box::new(self.pattern("pattern", pattern)?));
        }
        schema.min_items = self.count("minItems");
        schema.max_items = self.count("maxItems");
        schema.unique_items = self.flag("uniqueItems");
        schema.min_properties = self.count("minProperties");
        schema.max_properties = self.count("maxProperties");
        schema.required = self.items("required").map(texts).unwrap_or_default();
        if self.compiler.asserts_format || schema.draft < Draft::Year2019 {
            schema.format = self.text("format").and_then(Format::from_name);
        }
        Ok(())
    }

    fn condition(&mut self) -> Result<Option<Condition>, Problem> {
        let Some(if_valid) = self.property("if")? else {
            return Ok(None);
        };
        let always = match self.fields.get("if") {
            Some(Json::Bool(always)) => Some(*always),
            _ => None,
        };
        let then = always != Some(false);
        let otherwise = always != Some(true);
        Ok(Some(Condition {
            if_valid,
            then: if then { self.property("then")? } else { None },
            otherwise: if otherwise {
                self.property("else")?
            } else {
                None
            },
        }))
    }

    fn year_2019(&mut self, schema: &mut Schema) -> Result<(), Problem> {
        schema.recursive_reference = self.reference("$recursiveRef")?;
        schema.recursive_anchor = self.flag("$recursiveAnchor");
        if schema.contains.is_some() {
            schema.min_contains = self.count("minContains");
            schema.max_contains = self.count("maxContains");
        }
        for (name, value) in self.object("dependentRequired").into_iter().flatten() {
            if let Json::Array(items) = value {
                schema.dependent_required.insert(name.clone(), texts(items));
            }
        }
        schema.dependent_schemas = self.map("dependentSchemas")?;
        schema.unevaluated_items = self.property("unevaluatedItems")?;
        schema.unevaluated_properties = self.property("unevaluatedProperties")?;
        Ok(())
    }

    fn year_2020(&mut self, schema: &mut Schema) -> Result<(), Problem> {
        if let Some(target) = self.reference("$dynamicRef")? {
            let (_, fragment) = join(self.base, self.text("$dynamicRef").unwrap_or_default())?;
            let anchor = match fragment {
                Fragment::Anchor(anchor) => anchor,
                Fragment::Pointer(_) => String::new(),
            };
            schema.dynamic_reference = Some(Box::new(DynamicReference { target, anchor }));
        }
        let anchor = self.text("$dynamicAnchor").unwrap_or_default();
        anchor.clone_into(&mut schema.dynamic_anchor);
        schema.first_items = self.array("prefixItems")?;
        schema.items = self.property("items")?;
        Ok(())
    }

    fn below(&mut self, tokens: &[&str]) -> Result<SchemaId, Problem> {
        let mut address = self.address.clone();
        for token in tokens {
            super::address::push_token(&mut address.pointer, token);
        }
        self.compiler.enqueue(address)
    }

    fn reference(&mut self, keyword: &str) -> Result<Option<SchemaId>, Problem> {
        let Some(reference) = self.text(keyword) else {
            return Ok(None);
        };
        let (url, fragment) = join(self.base, reference)?;
        let root = self.compiler.roots.get(&self.address.url);
        let local = root.map(|root| root.resolve(&url, &fragment)).transpose()?;
        let address = match local.flatten() {
            Some(address) => address,
            None => self.remote(&url, &fragment)?,
        };
        self.compiler.enqueue(address).map(Some)
    }

    fn remote(&mut self, url: &str, fragment: &Fragment) -> Result<Address, Problem> {
        if !self.compiler.roots.contains_key(url) {
            let document = load(url)?;
            // What others publish is taken to be a schema.
            self.compiler.add_root(url, &document, |_, _, _| Ok(()))?;
        }
        let root = self.compiler.roots.get(url);
        let found = root.map(|root| root.resolve(url, fragment)).transpose()?;
        found
            .flatten()
            .ok_or_else(|| Problem::new(format!("failing loading {}", quoted(url))))
    }

    fn property(&mut self, keyword: &str) -> Result<Option<SchemaId>, Problem> {
        if self.fields.get(keyword).is_none() {
            return Ok(None);
        }
        self.below(&[keyword]).map(Some)
    }

    fn array(&mut self, keyword: &str) -> Result<Vec<SchemaId>, Problem> {
        let count = self.items(keyword).map_or(0, <[Json]>::len);
        (0..count)
            .map(|index| self.below(&[keyword, &index.to_string()]))
            .collect()
    }

    fn map(&mut self, keyword: &str) -> Result<BTreeMap<String, SchemaId>, Problem> {
        let fields = self.object(keyword).into_iter().flatten();
        fields
            .map(|(key, _)| Ok((key.clone(), self.below(&[keyword, key])?)))
            .collect()
    }

    fn additional(&mut self, keyword: &str) -> Result<Additional, Problem> {
        Ok(match self.fields.get(keyword) {
            None => Additional::Unsaid,
            Some(Json::Bool(allowed)) => Additional::Allowed(*allowed),
            Some(_) => Additional::Schema(self.below(&[keyword])?),
        })
    }

    fn pattern(&self, keyword: &str, pattern: &str) -> Result<Pattern, Problem> {
        Pattern::new(pattern).map_err(|error| {
            let mut place = self.address.clone();
            super::address::push_token(&mut place.pointer, keyword);
            let (pattern, place) = (quoted(pattern), quoted(&place.shown()));
            Problem::new(format!("invalid regex {pattern} at {place}: {error}"))
        })
    }
}

impl<'c> Keywords<'c> {
    fn text(&self, keyword: &str) -> Option<&'c str> {
        self.fields.get(keyword)?.as_str()
    }

    fn items(&self, keyword: &str) -> Option<&'c [Json]> {
        self.fields.get(keyword)?.as_array()
    }

    fn object(&self, keyword: &str) -> Option<&'c BTreeMap<String, Json>> {
        self.fields.get(keyword)?.as_object()
    }

    fn flag(&self, keyword: &str) -> bool {
        matches!(self.fields.get(keyword), Some(Json::Bool(true)))
    }

    fn number(&self, keyword: &str) -> Option<Box<Number>> {
        match self.fields.get(keyword) {
            Some(Json::Number(number)) => Some(Box::new(number.clone())),
            _ => None,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the schema of schemas knows no negative counts, and none is that large"
    )]
    fn count(&self, keyword: &str) -> Option<usize> {
        let number = self.number(keyword)?;
        number.is_integer().then_some(number.value as usize)
    }
}

fn texts(items: &[Json]) -> Vec<String> {
    items
        .iter()
        .filter_map(Json::as_str)
        .map(str::to_owned)
        .collect()
}
