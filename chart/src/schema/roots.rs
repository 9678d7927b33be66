//! The documents of schemas, and the resources and anchors in them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use super::{
    address::{
        Address, CHART_SCHEMA, Fragment, below, join, percent_encoded, quoted, split_reference,
    },
    draft::{Draft, Place, published},
    fields::Fields,
    json::Json,
};

/// How long the pointers to all schemas of a document may be together, in bytes: a hundred times
/// what those of the largest charts are.
const MAX_POINTER_BYTES: usize = 32 << 20;

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// In the words of Helm's library.
    pub(super) message: String,
    pub(super) hint: &'static str,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: "correct `values.schema.json`",
        }
    }
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// A document.
#[derive(Debug, Clone)]
pub(super) struct Root {
    pub(super) url: Arc<str>,
    pub(super) document: Arc<Json>,
    /// The schemas with an address of their own, by the pointer to them.
    resources: HashMap<String, Resource>,
    /// The pointers to the resources, by their addresses.
    by_id: HashMap<String, String>,
    /// The pointers to all schemas that were looked at.
    seen: HashSet<String>,
    /// How long they are together.
    pointer_bytes: usize,
}

/// A schema with an address of its own.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) pointer: String,
    pub(super) id: Arc<str>,
    pub(super) draft: Draft,
    pub(super) anchors: BTreeMap<String, String>,
    pub(super) dynamic_anchors: Vec<String>,
}

impl Root {
    /// Looks for resources and anchors in the document.
    pub(super) fn new(url: &str, document: &Arc<Json>) -> Result<Self, Problem> {
        let mut root = Self {
            url: url.into(),
            document: Arc::clone(document),
            resources: HashMap::new(),
            by_id: HashMap::new(),
            seen: HashSet::new(),
            pointer_bytes: 0,
        };
        root.collect(document, url, "", Draft::default())?;
        Ok(root)
    }

    /// The resource that the schema at `pointer` belongs to.
    pub(super) fn resource(&self, pointer: &str) -> Option<&Resource> {
        // In nearly all documents the whole is the only one.
        if self.resources.len() == 1 {
            return self.resources.get("");
        }
        let mut pointer = pointer;
        loop {
            if let Some(resource) = self.resources.get(pointer) {
                return Some(resource);
            }
            let (before, _) = pointer.rsplit_once('/')?;
            pointer = before;
        }
    }

    fn by_id(&self, id: &str) -> Option<&Resource> {
        if let Some(whole) = self.resources.get("").filter(|whole| &*whole.id == id) {
            return Some(whole);
        }
        self.resources.get(self.by_id.get(id)?)
    }

    /// Where a reference leads, if it stays in this document.
    pub(super) fn resolve(
        &self,
        url: &str,
        fragment: &Fragment,
    ) -> Result<Option<Address>, Problem> {
        let resource = if url == &*self.url {
            self.resources.get("")
        } else {
            self.by_id(url)
        };
        let Some(resource) = resource else {
            return Ok(None);
        };
        let pointer = match fragment {
            Fragment::Pointer(pointer) => format!("{}{pointer}", resource.pointer),
            Fragment::Anchor(anchor) => resource.anchors.get(anchor).cloned().ok_or_else(|| {
                let reference = format!("{}#{}", resource.id, percent_encoded(fragment.text()));
                let document = quoted(&self.url);
                format!(
                    "anchor in {} not found in schema {document}",
                    quoted(&reference)
                )
            })?,
        };
        Ok(Some(Address::new(&self.url, &pointer)))
    }

    /// Whether the schema was looked at.
    pub(super) fn has_seen(&self, pointer: &str) -> bool {
        self.seen.contains(pointer)
    }

    /// Looks at a schema where the draft has none.
    pub(super) fn add(&mut self, address: &Address) -> Result<(), Problem> {
        let document = Arc::clone(&self.document);
        let schema = address.look_up(&document)?;
        let Some(resource) = self.resource(&address.pointer) else {
            return Ok(());
        };
        let (id, draft) = (Arc::clone(&resource.id), resource.draft);
        self.collect(schema, &id, &address.pointer, draft)
    }

    fn collect(
        &mut self,
        schema: &Json,
        base: &str,
        pointer: &str,
        around: Draft,
    ) -> Result<(), Problem> {
        if !self.seen.insert(pointer.to_owned()) {
            return Ok(());
        }
        self.pointer_bytes += pointer.len();
        if self.pointer_bytes > MAX_POINTER_BYTES {
            return Err(Problem {
                message: "the schema's keys are too long, or nest too deep".to_owned(),
                hint: "make the schema simpler",
            });
        }
        let Json::Object(fields) = schema else {
            if pointer.is_empty() {
                self.add_resource(pointer, base, around)?;
            }
            return Ok(());
        };
        let mut draft = self.draft_of(fields, pointer, around)?;
        let mut id = own_id(fields, draft);
        if id.is_empty() && !pointer.is_empty() {
            draft = around;
            id = own_id(fields, draft);
        }
        let mut base = base.to_owned();
        if !id.is_empty() {
            base = join(&base, id)
                .map_err(|_| self.wrong_place("id", pointer))?
                .0;
        }
        if !id.is_empty() || pointer.is_empty() {
            let has_schema = fields
                .get("$schema")
                .is_some_and(|url| url.as_str().is_some());
            self.add_resource(pointer, &base, if has_schema { draft } else { around })?;
        }
        self.collect_anchors(fields, &base, pointer)?;
        let around = self.by_id(&base).map_or(around, |resource| resource.draft);
        let fields = Fields::of(fields);
        for (keyword, place) in draft.keywords() {
            let Some(value) = fields.get(keyword) else {
                continue;
            };
            let pointer = below(pointer, keyword);
            match (place, value) {
                (Place::Itself, value) => self.collect(value, &base, &pointer, around)?,
                (Place::Values, Json::Object(values)) => {
                    for (key, value) in values {
                        self.collect(value, &base, &below(&pointer, key), around)?;
                    }
                }
                (Place::Items, Json::Array(items)) => {
                    for (index, item) in items.iter().enumerate() {
                        let pointer = below(&pointer, &index.to_string());
                        self.collect(item, &base, &pointer, around)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn draft_of(
        &self,
        fields: &BTreeMap<String, Json>,
        pointer: &str,
        around: Draft,
    ) -> Result<Draft, Problem> {
        let Some(url) = fields.get("$schema").and_then(Json::as_str) else {
            return Ok(around);
        };
        if let Some(draft) = Draft::from_url(url) {
            return Ok(draft);
        }
        let url = url.split('#').next().unwrap_or_default();
        if pointer.is_empty() && url == &*self.url {
            return Err(format!("draft {} is not supported", quoted(url)).into());
        }
        match load(url)?.get("$schema").and_then(Json::as_str) {
            Some(url) => Ok(Draft::from_url(url).unwrap_or_default()),
            None => Ok(around),
        }
    }

    fn add_resource(&mut self, pointer: &str, id: &str, draft: Draft) -> Result<(), Problem> {
        if let Some(other) = self.by_id(id) {
            if other.pointer == pointer {
                return Ok(());
            }
            return Err(format!(
                "duplicate id {} in {} at {} and {}",
                quoted(id),
                quoted(&self.url),
                quoted(pointer),
                quoted(&other.pointer)
            )
            .into());
        }
        let resource = Resource {
            pointer: pointer.to_owned(),
            id: id.into(),
            draft,
            anchors: BTreeMap::new(),
            dynamic_anchors: Vec::new(),
        };
        self.by_id.insert(id.to_owned(), pointer.to_owned());
        self.resources.insert(pointer.to_owned(), resource);
        Ok(())
    }

    fn collect_anchors(
        &mut self,
        fields: &BTreeMap<String, Json>,
        base: &str,
        pointer: &str,
    ) -> Result<(), Problem> {
        let Some(resource) = self.by_id(base) else {
            return Ok(());
        };
        let (draft, at) = (resource.draft, resource.pointer.clone());
        let text = |keyword: &str| fields.get(keyword).and_then(Json::as_str);
        let mut anchors = Vec::new();
        if draft < Draft::Year2019 {
            if fields.contains_key("$ref") {
                return Ok(());
            }
            if let Some(id) = text(draft.id_keyword()) {
                let (_, fragment) =
                    split_reference(id).map_err(|_| self.wrong_place("anchor", pointer))?;
                if let Fragment::Anchor(anchor) = fragment {
                    anchors.push(anchor);
                }
            }
        } else {
            anchors.extend(text("$anchor").map(str::to_owned));
        }
        let dynamic = text("$dynamicAnchor").filter(|_| draft >= Draft::Year2020);
        anchors.extend(dynamic.map(str::to_owned));
        let url = quoted(&self.url);
        let Some(resource) = self.resources.get_mut(&at) else {
            return Ok(());
        };
        resource.dynamic_anchors.extend(dynamic.map(str::to_owned));
        for anchor in anchors {
            let other = resource
                .anchors
                .get(&anchor)
                .filter(|other| *other != pointer);
            if let Some(other) = other {
                return Err(format!(
                    "duplicate anchor {} in {url} at {} and {}",
                    quoted(&anchor),
                    quoted(other),
                    quoted(pointer)
                )
                .into());
            }
            resource.anchors.insert(anchor, pointer.to_owned());
        }
        Ok(())
    }

    fn wrong_place(&self, what: &str, pointer: &str) -> Problem {
        let place = Address::new(&self.url, pointer).shown();
        format!("error in parsing {what} at {}", quoted(&place)).into()
    }
}

/// The address that a schema gives itself.
fn own_id(fields: &BTreeMap<String, Json>, draft: Draft) -> &str {
    if draft < Draft::Year2019 && fields.contains_key("$ref") {
        return "";
    }
    let id = fields.get(draft.id_keyword()).and_then(Json::as_str);
    id.and_then(|id| id.split('#').next()).unwrap_or_default()
}

/// A document that is not in the chart. What json-schema.org publishes is at hand; nothing is
/// fetched, where Helm would ask the network.
pub(super) fn load(url: &str) -> Result<Arc<Json>, Problem> {
    if let Some(schema) = published(url) {
        return Ok(Arc::new(Json::from(&*schema)));
    }
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let reason = match scheme {
        // Helm takes every value for what an address without a place stands for.
        "urn" => return Ok(Arc::new(Json::Bool(true))),
        "http" | "https" => "schemas are not fetched from the network".to_owned(),
        "file" if url == CHART_SCHEMA => "it is the schema itself".to_owned(),
        "file" => {
            let path = url.strip_prefix("file://").unwrap_or(url);
            format!("open {path}: no such file or directory")
        }
        _ => format!("no URLLoader registered for {}", quoted(url)),
    };
    Err(Problem {
        message: format!("failing loading {}: {reason}", quoted(url)),
        hint: "put the schema's content under `$defs` of `values.schema.json`, and refer to it there",
    })
}
