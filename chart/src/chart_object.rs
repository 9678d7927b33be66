//! `.Chart`: what `Chart.yaml` says, as templates see it. Helm 4 makes a map of it, of which every
//! part is one; Helm 3 shows its own structs.

use std::any::Any;

use cairn_spec::{Node, Value as Tree};
use cairn_template::{ElementType, Encoded, Encoder, MapType, Object, Value};

use crate::{
    ChartType, Dependency, Dialect, ImportValues, Maintainer, Metadata,
    go_struct::{Field, GoStruct},
};

/// A part of `.Chart` of which more is known than its value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part<'p> {
    /// A text, by the field of `Chart.yaml` that says it.
    Field(&'p str),
    /// A dependency, by its name.
    Dependency(&'p str),
}

/// The value of `.Chart`. `known` adds to parts of it what is known of their origin.
pub(crate) fn chart_object(
    metadata: &Metadata,
    is_root: bool,
    dialect: Dialect,
    known: &mut dyn FnMut(Part<'_>, Value) -> Value,
) -> Value {
    match dialect {
        Dialect::Helm4 => chart_map(metadata, is_root, known),
        Dialect::Helm3 => Value::object(ChartStruct {
            metadata: metadata_struct(metadata),
            is_root,
        }),
    }
}

fn chart_map(
    metadata: &Metadata,
    is_root: bool,
    known: &mut dyn FnMut(Part<'_>, Value) -> Value,
) -> Value {
    let text = |text: &String| Value::from(text.as_str());
    let dependencies = metadata.dependencies.iter().flatten().map(|dependency| {
        let part = Part::Dependency(&dependency.name);
        known(part, dependency_map(dependency))
    });
    let dependencies: Vec<Value> = dependencies.collect();
    let mut field = |name: &str, value: &String| known(Part::Field(name), text(value));
    let texts = |texts: &Vec<String>| Value::list(texts.iter().map(text));
    Value::map([
        ("Name", field("name", &metadata.name)),
        ("Home", field("home", &metadata.home)),
        ("Sources", texts(&metadata.sources)),
        ("Version", field("version", &metadata.version)),
        ("Description", field("description", &metadata.description)),
        ("Keywords", texts(&metadata.keywords)),
        (
            "Maintainers",
            Value::list(metadata.maintainers.iter().map(maintainer_map)),
        ),
        ("Icon", field("icon", &metadata.icon)),
        ("APIVersion", field("apiVersion", &metadata.api_version)),
        ("Condition", field("condition", &metadata.condition)),
        ("Tags", field("tags", &metadata.tags)),
        ("AppVersion", field("appVersion", &metadata.app_version)),
        ("Deprecated", metadata.deprecated.into()),
        ("Annotations", annotations(metadata)),
        ("KubeVersion", field("kubeVersion", &metadata.kube_version)),
        ("Dependencies", Value::list(dependencies)),
        ("Type", Value::from(type_name(metadata.chart_type))),
        ("IsRoot", is_root.into()),
    ])
}

fn maintainer_map(maintainer: &Maintainer) -> Value {
    Value::map([
        ("Name", Value::from(maintainer.name.as_str())),
        ("Email", Value::from(maintainer.email.as_str())),
        ("URL", Value::from(maintainer.url.as_str())),
    ])
}

fn dependency_map(dependency: &Dependency) -> Value {
    let text = |text: &String| Value::from(text.as_str());
    Value::map([
        ("Name", text(&dependency.name)),
        ("Version", text(&dependency.version)),
        ("Repository", text(&dependency.repository)),
        ("Condition", text(&dependency.condition)),
        ("Tags", Value::list(dependency.tags.iter().map(text))),
        ("Enabled", dependency.enabled.into()),
        (
            "ImportValues",
            Value::list(dependency.import_values.iter().map(import_value)),
        ),
        ("Alias", text(&dependency.alias)),
    ])
}

fn import_value(import: &ImportValues) -> Value {
    match import {
        ImportValues::Export(name) => Value::from(name.as_str()),
        ImportValues::Path { child, parent } => Value::map([
            ("child", Value::from(child.as_str())),
            ("parent", Value::from(parent.as_str())),
        ]),
        ImportValues::Other(node) => of_node(node),
    }
}

fn of_node(node: &Node) -> Value {
    match &node.value {
        Tree::Null => Value::nil(),
        Tree::Bool(value) => (*value).into(),
        Tree::Int(value) => (*value).into(),
        Tree::Float(value) => (*value).into(),
        Tree::String(text) => Value::from(&**text),
        Tree::List(items) => Value::list(items.iter().map(of_node)),
        Tree::Map(map) => {
            let entries = map.iter().map(|(key, item)| (&**key, of_node(item)));
            Value::map(entries)
        }
    }
}

/// `map[string]string`, which is nil where there are none.
fn annotations(metadata: &Metadata) -> Value {
    if metadata.annotations.is_empty() {
        return Value::object(NoAnnotations);
    }
    let entries = metadata.annotations.iter();
    Value::typed_map(
        entries.map(|(key, value)| (key.as_str(), Value::from(value.as_str()))),
        MapType::String,
    )
}

/// A `map[string]string` that is nil.
#[derive(Debug)]
struct NoAnnotations;

impl Object for NoAnnotations {
    fn type_name(&self) -> &str {
        MapType::String.name()
    }

    fn kind_name(&self) -> &'static str {
        "map"
    }

    fn field(&self, _name: &str) -> Option<Value> {
        Some(Value::from(""))
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        Some(Vec::new())
    }

    fn print(&self) -> String {
        "map[]".to_owned()
    }

    fn to_value(&self) -> Value {
        Value::nil()
    }

    fn encoded(&self, encoder: Encoder) -> Option<Encoded> {
        match encoder {
            Encoder::Yaml => Some(Encoded::Fields(Vec::new())),
            Encoder::Toml => None,
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn type_name(chart_type: ChartType) -> &'static str {
    match chart_type {
        ChartType::Unspecified => "",
        ChartType::Application => "application",
        ChartType::Library => "library",
    }
}

/// `Chart.yaml` as Go's struct, which is also how `helm show chart` writes it.
pub(crate) fn metadata_struct(metadata: &Metadata) -> GoStruct {
    let omitted = |name, json, value| Field::new(name, json, value).omitted_when_empty();
    let text = |name, json, text: &String| omitted(name, json, Value::from(text.as_str()));
    let texts = |name, json, texts: &Vec<String>| omitted(name, json, strings(texts));
    let maintainers = metadata.maintainers.iter().map(maintainer_struct);
    let dependencies = metadata.dependencies.iter().flatten();
    let dependencies = dependencies.map(dependency_struct);
    GoStruct::new(
        "chart.Metadata",
        vec![
            text("Name", "name", &metadata.name),
            text("Home", "home", &metadata.home),
            texts("Sources", "sources", &metadata.sources),
            text("Version", "version", &metadata.version),
            text("Description", "description", &metadata.description),
            texts("Keywords", "keywords", &metadata.keywords),
            omitted(
                "Maintainers",
                "maintainers",
                list(maintainers, ElementType::Named("[]*chart.Maintainer")),
            ),
            text("Icon", "icon", &metadata.icon),
            text("APIVersion", "apiVersion", &metadata.api_version),
            text("Condition", "condition", &metadata.condition),
            text("Tags", "tags", &metadata.tags),
            text("AppVersion", "appVersion", &metadata.app_version),
            omitted("Deprecated", "deprecated", metadata.deprecated.into()),
            omitted("Annotations", "annotations", annotations(metadata)),
            text("KubeVersion", "kubeVersion", &metadata.kube_version),
            omitted(
                "Dependencies",
                "dependencies",
                list(dependencies, ElementType::Named("[]*chart.Dependency")),
            ),
            omitted("Type", "type", Value::from(type_name(metadata.chart_type))),
        ],
    )
}

fn strings(texts: &[String]) -> Value {
    let texts = texts.iter().map(|text| Value::from(text.as_str()));
    list(texts, ElementType::String)
}

/// A list that is nil where there is nothing in it, as what is not written is in Go.
fn list(items: impl Iterator<Item = Value>, of: ElementType) -> Value {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return Value::nil_list(of);
    }
    Value::typed_list(items, of)
}

fn maintainer_struct(maintainer: &Maintainer) -> Value {
    let text = |name, json, text: &String| {
        Field::new(name, json, Value::from(text.as_str())).omitted_when_empty()
    };
    let fields = vec![
        text("Name", "name", &maintainer.name),
        text("Email", "email", &maintainer.email),
        text("URL", "url", &maintainer.url),
    ];
    Value::object(GoStruct::pointer("*chart.Maintainer", fields))
}

fn dependency_struct(dependency: &Dependency) -> Value {
    let text = |name, json, text: &String| Field::new(name, json, Value::from(text.as_str()));
    let imports = dependency.import_values.iter().map(import_value);
    let fields = vec![
        text("Name", "name", &dependency.name),
        text("Version", "version", &dependency.version).omitted_when_empty(),
        text("Repository", "repository", &dependency.repository),
        text("Condition", "condition", &dependency.condition).omitted_when_empty(),
        Field::new("Tags", "tags", strings(&dependency.tags)).omitted_when_empty(),
        Field::new("Enabled", "enabled", dependency.enabled.into()).omitted_when_empty(),
        Field::new("ImportValues", "import-values", Value::list(imports)).omitted_when_empty(),
        text("Alias", "alias", &dependency.alias).omitted_when_empty(),
    ];
    Value::object(GoStruct::pointer("*chart.Dependency", fields))
}

/// Helm 3's `.Chart`: the metadata, whose fields are its own, and whether the chart is the root.
#[derive(Debug)]
struct ChartStruct {
    metadata: GoStruct,
    is_root: bool,
}

impl ChartStruct {
    fn fields_of_json(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let is_root = ("IsRoot", Value::from(self.is_root));
        self.metadata.fields_of_json().chain([is_root])
    }
}

impl Object for ChartStruct {
    fn type_name(&self) -> &'static str {
        "struct { chart.Metadata; IsRoot bool }"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "IsRoot" => Some(self.is_root.into()),
            name => self.metadata.field(name),
        }
    }

    fn print(&self) -> String {
        format!("{{{} {}}}", self.metadata.print(), self.is_root)
    }

    fn to_value(&self) -> Value {
        Value::map(self.fields_of_json())
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(self.fields_of_json().collect())
    }

    /// TOML takes the fields of the metadata for the chart's own, YAML does not.
    fn encoded(&self, encoder: Encoder) -> Option<Encoded> {
        let is_root = (encoder.name_of("IsRoot"), Value::from(self.is_root));
        Some(Encoded::Fields(match encoder {
            Encoder::Yaml => vec![
                ("metadata".to_owned(), Value::object(self.metadata.clone())),
                is_root,
            ],
            Encoder::Toml => self
                .metadata
                .encoded_fields(encoder)
                .into_iter()
                .chain([is_root])
                .collect(),
        }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
