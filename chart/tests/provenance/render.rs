//! A chart rendered so that it can be compared: what is not deterministic is the same each time,
//! and the documents stand in the order of their templates.

use std::{collections::BTreeMap, sync::Arc};

use cairn_chart::{
    Chart, Document, Error, Release, RenderOptions, RenderedFile, explain::Fields, render,
};
use cairn_spec::{Map, Node, Origins, Sources, Value};
use cairn_template::{GeneratedCall, Generation, Host, LookupQuery};

/// The same for each call, whatever was called before it.
#[derive(Debug)]
struct Constant;

impl Host for Constant {
    fn lookup(&self, _query: &LookupQuery<'_>) -> Option<Node> {
        None
    }

    fn generate(&self, call: &GeneratedCall<'_>) -> Generation {
        match call.function {
            "genPrivateKey" => Generation::Fixed(Node::generated("key")),
            name if name.starts_with("gen") => {
                let mut map = Map::new();
                map.insert("Cert", Node::generated("certificate"));
                map.insert("Key", Node::generated("key"));
                Generation::Fixed(Node::generated(map))
            }
            _ => Generation::Seeded {
                seed: [7; 32],
                now: 1_800_000_000,
            },
        }
    }
}

/// What a chart rendered, by the paths of its templates.
pub(crate) struct Rendered {
    pub(crate) files: BTreeMap<Arc<str>, Vec<Part>>,
    /// All that each template rendered.
    pub(crate) texts: BTreeMap<Arc<str>, Arc<RenderedFile>>,
    pub(crate) origins: Origins,
}

/// A document and its fields; none where it is no YAML.
pub(crate) struct Part {
    pub(crate) document: Document,
    pub(crate) fields: std::cell::OnceCell<Option<Fields>>,
}

impl Part {
    /// There is nothing but comments in it.
    pub(crate) fn is_blank(&self) -> bool {
        self.fields()
            .is_some_and(|fields| fields.root().value == Value::Null)
    }

    pub(crate) fn fields(&self) -> Option<&Fields> {
        let read = || Fields::of(&self.document).ok();
        self.fields.get_or_init(read).as_ref()
    }
}

/// A chart with its defaults.
pub(crate) fn release(
    chart: Chart,
    sources: &mut Sources,
    origins: &mut Origins,
) -> Result<Release, Error> {
    let options = RenderOptions {
        host: &Constant,
        ..RenderOptions::new("demo")
    };
    render(
        chart,
        &Node::generated(Map::new()),
        &options,
        sources,
        origins,
    )
}

pub(crate) fn rendered(
    chart: Chart,
    sources: &Sources,
    origins: &Origins,
) -> Result<Rendered, Error> {
    let (mut sources, mut origins) = (sources.clone(), origins.clone());
    let release = release(chart, &mut sources, &mut origins)?;
    let texts = release.files.into_iter();
    let texts = texts.map(|file| (Arc::clone(file.path()), file)).collect();
    let hooks = release.hooks.into_iter().map(|hook| hook.document);
    let mut files: BTreeMap<Arc<str>, Vec<Part>> = BTreeMap::new();
    for document in release.documents.into_iter().chain(hooks) {
        let documents = files.entry(Arc::clone(document.path())).or_default();
        documents.push(Part {
            document,
            fields: std::cell::OnceCell::new(),
        });
    }
    for documents in files.values_mut() {
        documents.sort_by_key(|one| one.document.offset());
    }
    Ok(Rendered {
        files,
        texts,
        origins,
    })
}
