//! A chart of one template, some partials and values, rendered as Helm renders it.

use std::collections::BTreeMap;

use cairn_spec::{
    Diagnostics, Map, Node, Origins, SourceKind, Sources, Value as Tree, yaml::read_one,
};
use cairn_template::{
    Host, Limits, MapType, NoHost, Value,
    go::{Error, Options, Rendered, Templates, helm_order},
};

/// The name of the template.
pub(crate) const NAME: &str = "p/templates/a.txt";

pub(crate) struct Chart {
    pub(crate) sources: Sources,
    pub(crate) origins: Origins,
    pub(crate) limits: Limits,
    pub(crate) provenance: bool,
    pub(crate) host: &'static dyn Host,
    files: BTreeMap<String, String>,
    values: Node,
}

impl Chart {
    pub(crate) fn new(template: &str) -> Self {
        Self {
            sources: Sources::new(),
            origins: Origins::new(),
            limits: Limits::GO,
            provenance: true,
            host: &NoHost,
            files: BTreeMap::from([(NAME.to_owned(), template.to_owned())]),
            values: Node::generated(Tree::Map(Map::new())),
        }
    }

    pub(crate) fn file(mut self, name: &str, text: &str) -> Self {
        self.files.insert(format!("p/{name}"), text.to_owned());
        self
    }

    /// Values as Helm reads them: numbers are floats, and nulls in maps are nothing.
    pub(crate) fn values(mut self, text: &str) -> Self {
        let source = self
            .sources
            .add("values.yaml", text, SourceKind::PackDefaults);
        let mut diagnostics = Diagnostics::new();
        let node = read_one(&self.sources, source, &mut self.origins, &mut diagnostics);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        self.values = helm_values(node.expect("the values are valid"));
        self
    }

    pub(crate) fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub(crate) fn render(&mut self) -> Result<Rendered, Error> {
        let mut names: Vec<&str> = self.files.keys().map(String::as_str).collect();
        helm_order(&mut names);
        let mut templates = Templates::new();
        for name in names {
            let text = self.files[name].as_str();
            let source = self.sources.add(name, text, SourceKind::Template);
            templates.add(name, &self.sources, source)?;
        }
        let options = Options {
            limits: self.limits,
            provenance: self.provenance,
            host: self.host,
            ..Options::helm()
        };
        let mut renderer = templates.renderer(&self.origins, &options);
        let values = renderer.typed_value(&self.values, MapType::Named("common.Values"));
        let release = Value::map([
            ("Name", Value::from("r")),
            ("Namespace", Value::from("n")),
            ("Service", Value::from("Helm")),
            ("Revision", Value::from(1)),
            ("IsInstall", Value::from(true)),
            ("IsUpgrade", Value::from(false)),
        ]);
        let about = [
            ("Name", Value::from(NAME)),
            ("BasePath", Value::from("p/templates")),
        ];
        let empty = || Value::map::<&str>([]);
        let entries = [
            ("Values", values),
            ("Release", release),
            ("Template", Value::map(about)),
            ("Chart", empty()),
            ("Files", empty()),
            ("Capabilities", empty()),
            ("Subcharts", empty()),
        ];
        let context = Value::typed_map(entries, MapType::Named("common.Values"));
        let output = renderer.render(NAME, &context)?;
        let mut finished = renderer.finish(vec![output]);
        Ok(finished.remove(0))
    }

    pub(crate) fn text(&mut self) -> String {
        match self.render() {
            Ok(rendered) => String::from_utf8_lossy(&rendered.bytes).into_owned(),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn error(&mut self) -> Error {
        match self.render() {
            Ok(rendered) => panic!(
                "no error, but: {:?}",
                String::from_utf8_lossy(&rendered.bytes)
            ),
            Err(error) => error,
        }
    }
}

fn helm_values(node: Node) -> Node {
    let value = match node.value {
        #[expect(clippy::cast_precision_loss, reason = "as Helm does")]
        Tree::Int(value) => Tree::Float(value as f64),
        Tree::List(items) => Tree::List(items.into_iter().map(helm_values).collect()),
        Tree::Map(map) => {
            let mut kept = Map::new();
            for (key, mut field) in map.into_fields() {
                if !matches!(field.node.value, Tree::Null) {
                    field.node = helm_values(field.node);
                    kept.insert_field(key, field);
                }
            }
            Tree::Map(kept)
        }
        scalar => scalar,
    };
    Node { value, ..node }
}
