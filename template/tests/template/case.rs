//! One template, its partials and its values; what comes out, as text to compare.

use std::fmt::Write as _;

use cairn_spec::{Diagnostics, Map, Node, Origins, SourceKind, Sources, Value, yaml::read_one};
use cairn_template::{Limits, Rendered, TemplateSet};
use serde_json::Value as Json;

pub(crate) struct Case {
    pub(crate) sources: Sources,
    pub(crate) origins: Origins,
    pub(crate) limits: Limits,
    set: TemplateSet,
    context: Map,
    diagnostics: Diagnostics,
}

impl Case {
    pub(crate) fn new(template: &str) -> Self {
        let mut sources = Sources::new();
        let mut set = TemplateSet::new();
        let mut diagnostics = Diagnostics::new();
        let source = sources.add("t.hbs", template, SourceKind::Template);
        set.add_template("t", &sources, source, &mut diagnostics);
        Self {
            sources,
            origins: Origins::new(),
            limits: Limits::default(),
            set,
            context: Map::new(),
            diagnostics,
        }
    }

    pub(crate) fn partial(mut self, name: &str, text: &str) -> Self {
        let file = format!("_{name}.hbs");
        let source = self.sources.add(file, text, SourceKind::Template);
        self.set
            .add_partial(name, &self.sources, source, &mut self.diagnostics);
        self
    }

    pub(crate) fn values(self, values: Json) -> Self {
        self.context("values", Node::from(values))
    }

    pub(crate) fn context(mut self, key: &str, node: Node) -> Self {
        self.context.insert(key, node);
        self
    }

    /// Values with origins in `values.yaml`.
    pub(crate) fn values_yaml(mut self, text: &str) -> Self {
        let source = self
            .sources
            .add("values.yaml", text, SourceKind::PackDefaults);
        let mut diagnostics = Diagnostics::new();
        let node = read_one(&self.sources, source, &mut self.origins, &mut diagnostics);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        self.context("values", node.expect("the values are valid"))
    }

    pub(crate) fn values_node(&self) -> Node {
        self.context
            .get("values")
            .expect("there are values")
            .clone()
    }

    pub(crate) fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub(crate) fn run(&self) -> Result<Rendered, Diagnostics> {
        let mut diagnostics = self.diagnostics.clone();
        self.set.check(&mut diagnostics);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let context = Node::generated(Value::Map(self.context.clone()));
        self.set.render("t", &context, &self.origins, &self.limits)
    }

    /// As [`Self::run`], but skips the check of what no render came by.
    pub(crate) fn run_unchecked(&self) -> Result<Rendered, Diagnostics> {
        let context = Node::generated(Value::Map(self.context.clone()));
        self.set.render("t", &context, &self.origins, &self.limits)
    }

    pub(crate) fn text(&self) -> String {
        match self.run() {
            Ok(rendered) => rendered.text,
            Err(diagnostics) => panic!("{}", self.shown(&diagnostics)),
        }
    }

    pub(crate) fn errors(&self) -> String {
        match self.run() {
            Ok(rendered) => panic!("no error, but: {:?}", rendered.text),
            Err(diagnostics) => self.shown(&diagnostics),
        }
    }

    fn shown(&self, diagnostics: &Diagnostics) -> String {
        let mut out = String::new();
        for diagnostic in diagnostics.iter() {
            let _ = writeln!(out, "{}: {}", diagnostic.code, diagnostic.message);
            for label in &diagnostic.labels {
                let source = self.sources.get(label.span.source);
                let text = &source.text[label.span.start as usize..label.span.end as usize];
                let place = self.sources.locate(label.span);
                let _ = writeln!(out, "  {place} `{text}` {}", label.text);
            }
            for note in &diagnostic.notes {
                let _ = writeln!(out, "  note: {note}");
            }
            if let Some(hint) = &diagnostic.hint {
                let _ = writeln!(out, "  hint: {hint}");
            }
        }
        out.lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// What a template makes of values.
pub(crate) fn render(template: &str, values: Json) -> String {
    Case::new(template).values(values).text()
}

/// What is wrong with a template, or with its values.
pub(crate) fn errors(template: &str, values: Json) -> String {
    Case::new(template).values(values).errors()
}
