//! `Chart.yaml`, `requirements.yaml` and the lock files, as Go decodes them.

use cairn_spec::{Node, Value};
use cairn_template::go_yaml::text_of;

use crate::{
    Dependency, Dialect, ImportValues, Maintainer, Metadata,
    go_decode::{Decoder, Mistyped},
    go_time::check_time,
};

/// The package of Helm's types, as Go's messages name it.
fn package(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Helm4 => "v2",
        Dialect::Helm3 => "chart",
    }
}

/// What `Chart.yaml` says, before anything is checked.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) metadata: Metadata,
    pub(super) chart_type: String,
    pub(super) maintainers: Vec<Option<Maintainer>>,
    /// Go tells a list that is not there from an empty one.
    pub(super) dependencies: Option<Vec<Option<Dependency>>>,
}

const METADATA_FIELDS: &[&str] = &[
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
    "dependencies",
    "type",
];

impl Decoded {
    /// Adds what a file says to what others said before.
    pub(super) fn decode(&mut self, node: &Node, dialect: Dialect) -> Result<(), Mistyped> {
        let mut decoder = Decoder::new(package(dialect));
        let metadata = &mut self.metadata;
        decoder.structure(
            node,
            "Metadata",
            METADATA_FIELDS,
            |decoder, field, node| match field {
                "name" => decoder.text(node, &mut metadata.name),
                "home" => decoder.text(node, &mut metadata.home),
                "sources" => decoder.texts(node, &mut metadata.sources),
                "version" => decoder.text(node, &mut metadata.version),
                "description" => decoder.text(node, &mut metadata.description),
                "keywords" => decoder.texts(node, &mut metadata.keywords),
                "maintainers" => {
                    let into = &mut self.maintainers;
                    decoder.pointers(node, "Maintainer", into, maintainer);
                }
                "icon" => decoder.text(node, &mut metadata.icon),
                "apiVersion" => decoder.text(node, &mut metadata.api_version),
                "condition" => decoder.text(node, &mut metadata.condition),
                "tags" => decoder.text(node, &mut metadata.tags),
                "appVersion" => decoder.text(node, &mut metadata.app_version),
                "deprecated" => decoder.flag(node, &mut metadata.deprecated),
                "annotations" => decoder.text_map(node, &mut metadata.annotations),
                "kubeVersion" => decoder.text(node, &mut metadata.kube_version),
                "type" => decoder.text(node, &mut self.chart_type),
                _ if node.value == Value::Null => self.dependencies = None,
                _ => {
                    let into = self.dependencies.get_or_insert_default();
                    decoder.pointers(node, "Dependency", into, dependency);
                }
            },
        );
        decoder.finish()
    }
}

/// The `apiVersion` alone, by which Helm chooses how to load the chart.
pub(super) fn api_version(node: &Node) -> Result<String, Mistyped> {
    let mut decoder = Decoder::new("loader");
    let mut version = String::new();
    decoder.structure(node, "chartBase", &["apiVersion"], |decoder, _, node| {
        decoder.text(node, &mut version);
    });
    decoder.finish()?;
    Ok(version)
}

/// A lock file, of which nothing is kept: Helm reads it only to refuse what it cannot decode.
pub(super) fn check_lock(node: &Node, dialect: Dialect) -> Result<(), Mistyped> {
    let mut decoder = Decoder::new(package(dialect));
    let mut time_mistake = None;
    let mut dependencies = Vec::new();
    let mut digest = String::new();
    decoder.structure(
        node,
        "Lock",
        &["generated", "digest", "dependencies"],
        |decoder, field, node| match field {
            "digest" => decoder.text(node, &mut digest),
            "dependencies" => {
                let into = &mut dependencies;
                decoder.pointers(node, "Dependency", into, dependency);
            }
            _ => time_mistake = time_mistake.take().or_else(|| mistaken_time(node)),
        },
    );
    // Go's decoder goes on after a value of a wrong kind, but not after a time that is none.
    time_mistake.map_or(Ok(()), Err)?;
    decoder.finish()
}

fn mistaken_time(node: &Node) -> Option<Mistyped> {
    let message = match &node.value {
        Value::Null => return None,
        Value::String(text) => check_time(text).err()?,
        _ => "Time.UnmarshalJSON: input is not a JSON string".to_owned(),
    };
    Some(Mistyped {
        message,
        origin: node.origin,
    })
}

fn maintainer(decoder: &mut Decoder, node: &Node, into: &mut Maintainer) {
    decoder.structure(
        node,
        "Maintainer",
        &["name", "email", "url"],
        |decoder, field, node| match field {
            "name" => decoder.text(node, &mut into.name),
            "email" => decoder.text(node, &mut into.email),
            _ => decoder.text(node, &mut into.url),
        },
    );
}

const DEPENDENCY_FIELDS: &[&str] = &[
    "name",
    "version",
    "repository",
    "condition",
    "tags",
    "enabled",
    "import-values",
    "alias",
];

fn dependency(decoder: &mut Decoder, node: &Node, into: &mut Dependency) {
    decoder.structure(
        node,
        "Dependency",
        DEPENDENCY_FIELDS,
        |decoder, field, node| match field {
            "name" => decoder.text(node, &mut into.name),
            "version" => decoder.text(node, &mut into.version),
            "repository" => decoder.text(node, &mut into.repository),
            "condition" => decoder.text(node, &mut into.condition),
            "tags" => decoder.texts(node, &mut into.tags),
            "enabled" => decoder.flag(node, &mut into.enabled),
            "alias" => decoder.text(node, &mut into.alias),
            _ => {
                let mut nodes = Vec::new();
                decoder.list(node, "[]interface {}", &mut nodes, |_, node, slot| {
                    *slot = Some(node.clone());
                });
                into.import_values = nodes.iter().flatten().map(import_values).collect();
            }
        },
    );
}

fn import_values(node: &Node) -> ImportValues {
    match &node.value {
        Value::String(name) => ImportValues::Export(name.to_string()),
        Value::Map(map) => ImportValues::Path {
            child: printed(map.get("child")),
            parent: printed(map.get("parent")),
        },
        _ => ImportValues::Other(node.clone()),
    }
}

/// A path as `%v` prints it.
fn printed(node: Option<&Node>) -> String {
    let text = node.and_then(|node| text_of(&node.value));
    text.unwrap_or_else(|| "<nil>".to_owned())
}
