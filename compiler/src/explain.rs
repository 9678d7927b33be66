//! Where the fields of what a profile builds to came from: values of the pack, the profile and the
//! cluster, lines of templates, and patches.

use std::collections::BTreeMap;

use cairn_chart::explain::{
    Explanation, FieldPath, FoundNode, NoField, ObjectName, ValuePaths, find_object,
};
use cairn_spec::{LayerName, Node, OriginId, SourceId, Span};

use crate::{Session, image::UsedImage, object::Object, resolve::ResolvedLayer};

/// All objects of a build, and what is known of their making.
#[derive(Debug, Default)]
pub struct Explainable {
    objects: Vec<Object>,
    /// The layers in order.
    layers: Vec<ResolvedLayer>,
    /// The final values of layers.
    values: BTreeMap<LayerName, Node>,
    /// Images of mirrors, and what they stand for.
    mirrored: BTreeMap<String, String>,
}

/// An object of a build.
#[derive(Debug, Clone)]
pub struct BuiltObject<'b> {
    /// What people call it.
    pub name: String,
    /// The layer that brings it.
    pub layer: &'b LayerName,
    /// What the values are called that it was made of.
    pub paths: ValuePaths,
    node: &'b Node,
    mirrored: &'b BTreeMap<String, String>,
}

/// A scalar, or an empty list or map, of an object.
#[derive(Debug)]
pub struct BuiltField<'b> {
    /// Its path.
    pub path: String,
    /// Its value.
    pub value: &'b Node,
    /// Where patches of the profile wrote it, the newest first.
    pub patches: Vec<Span>,
    /// The image that stood there before a mirror was put in its place.
    pub mirror_of: Option<&'b str>,
    /// What wrote it first.
    pub maker: Maker<'b>,
}

/// What wrote a field first.
#[derive(Debug)]
pub enum Maker<'b> {
    /// A template.
    Template(Box<Explanation<'b>>),
    /// A manifest or definition, at this place.
    Manifest(Span),
    /// Only patches.
    Patch,
    /// Cairn itself: a namespace that an object lacked, or a Namespace.
    Cairn,
}

impl Explainable {
    pub(crate) fn new(
        layers: Vec<ResolvedLayer>,
        values: BTreeMap<LayerName, Node>,
        objects: Vec<Object>,
        images: &[UsedImage],
    ) -> Self {
        let images = images.iter().map(|used| &used.image);
        let mirrored = images.filter_map(|it| Some((it.image.clone(), it.mirror_of.clone()?)));
        Self {
            objects,
            layers,
            values,
            mirrored: mirrored.collect(),
        }
    }

    /// The one object that is meant: `KIND/NAME`, `KIND/NAMESPACE/NAME`, or as much as names one.
    ///
    /// # Errors
    ///
    /// There is none, or more than one; which there are is in the hint.
    pub fn object(&self, wanted: &str, session: &Session) -> Result<BuiltObject<'_>, NoField> {
        let known: Vec<(&Object, &ResolvedLayer)> = self
            .objects
            .iter()
            .filter_map(|object| Some((object, self.layers.get(object.layer)?)))
            .collect();
        let sources: Vec<String> = known
            .iter()
            .map(|(_, layer)| format!("layer {}", layer.layer.name))
            .collect();
        let names: Vec<ObjectName<'_>> = known
            .iter()
            .zip(&sources)
            .map(|((object, _), source)| ObjectName {
                kind: &object.id.kind,
                namespace: object.id.namespace.as_deref().unwrap_or_default(),
                name: &object.id.name,
                source,
            })
            .collect();
        let index = find_object(wanted, &names, "the profile")?;
        let (object, layer) = known[index];
        let mut paths = ValuePaths::default();
        let layer_name = &layer.layer.name;
        if let Some(values) = self.values.get(layer_name) {
            paths.add_values(values, &session.origins);
        }
        for (loaded, _) in layer.charts() {
            paths.add_chart(&loaded.chart, &session.origins);
        }
        Ok(BuiltObject {
            name: names[index].to_string(),
            layer: layer_name,
            paths,
            node: &object.node,
            mirrored: &self.mirrored,
        })
    }
}

impl<'b> BuiltObject<'b> {
    /// The field at a path.
    ///
    /// # Errors
    ///
    /// There is none; the nearest key is in the hint.
    pub fn find(&self, path: &FieldPath) -> Result<FoundNode<'b>, NoField> {
        path.find_node(self.node)
    }

    /// All leaves at and below a field.
    pub fn explain(&self, found: FoundNode<'b>, session: &'b Session) -> Vec<BuiltField<'b>> {
        let home = self.home(session);
        let leaves = found.leaves().into_iter();
        leaves.map(|leaf| self.leaf(leaf, home, session)).collect()
    }

    /// The text that says of what kind the object is, which patches do not change.
    fn home(&self, session: &Session) -> Option<SourceId> {
        let kind = self.node.get("kind")?;
        let first = session.origins.history(kind.origin).last()?;
        Some(first.span?.source)
    }

    fn leaf(
        &self,
        leaf: FoundNode<'b>,
        home: Option<SourceId>,
        session: &'b Session,
    ) -> BuiltField<'b> {
        let mut patches = Vec::new();
        let mut maker = Maker::Cairn;
        for writer in session.origins.history(leaf.node.origin) {
            let Some(span) = writer.span else {
                break;
            };
            if let Some(explanation) = explanation(span, &leaf.keys, session) {
                maker = Maker::Template(Box::new(explanation));
                break;
            }
            if Some(span.source) == home {
                maker = Maker::Manifest(span);
                break;
            }
            patches.push(span);
            maker = Maker::Patch;
        }
        let image = leaf
            .node
            .as_str()
            .filter(|_| leaf.path.ends_with("image") || leaf.path.ends_with("reference"));
        BuiltField {
            mirror_of: image
                .and_then(|image| self.mirrored.get(image))
                .map(String::as_str),
            path: leaf.path,
            value: leaf.node,
            patches,
            maker,
        }
    }
}

/// What is known of a place in a text that a template rendered.
fn explanation<'b>(span: Span, keys: &[OriginId], session: &'b Session) -> Option<Explanation<'b>> {
    let rendered = session.rendered.get(&span.source)?;
    let bytes =
        |span: Span| rendered.start + span.start as usize..rendered.start + span.end as usize;
    let written_here = |key: &OriginId| {
        let mut writers = session.origins.history(*key).filter_map(|it| it.span);
        writers.find(|it| it.source == span.source)
    };
    let leads: Vec<_> = keys.iter().filter_map(written_here).map(bytes).collect();
    Some(Explanation::of(&rendered.document, bytes(span), &leads))
}
