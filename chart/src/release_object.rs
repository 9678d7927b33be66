//! `.Release`: what is said of a release beside its values. It becomes a small text of its own, so
//! that origins can point at it.

use std::fmt::Write as _;

use cairn_spec::{OriginId, Origins, SourceKind, Sources, Span};
use cairn_template::{Value, go::Renderer};

use crate::RenderOptions;

/// What the text is called.
const TITLE: &str = "release";

/// The fields of `.Release`, each with where it is said.
#[derive(Debug)]
pub(crate) struct ReleaseObject {
    fields: Vec<(&'static str, Field, OriginId)>,
}

#[derive(Debug)]
enum Field {
    Text(String),
    Bool(bool),
    Int(i64),
}

impl ReleaseObject {
    /// The release that `options` are for.
    pub(crate) fn new(
        options: &RenderOptions<'_>,
        sources: &mut Sources,
        origins: &mut Origins,
    ) -> Self {
        let fields = [
            ("Name", Field::Text(options.release_name.clone())),
            ("Namespace", Field::Text(options.namespace.clone())),
            ("IsUpgrade", Field::Bool(options.is_upgrade)),
            ("IsInstall", Field::Bool(!options.is_upgrade)),
            ("Revision", Field::Int(1)),
            ("Service", Field::Text("Helm".to_owned())),
        ];
        let mut text = String::new();
        let mut places = Vec::new();
        for (name, field) in fields {
            let _ = write!(text, "{name}: ");
            let start = text.len();
            let _ = match &field {
                Field::Text(value) => write!(text, "{value}"),
                Field::Bool(value) => write!(text, "{value}"),
                Field::Int(value) => write!(text, "{value}"),
            };
            places.push((name, field, start..text.len()));
            text.push('\n');
        }
        let source = sources.add(TITLE, text, SourceKind::CommandLine);
        let offset = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        let fields = places.into_iter().map(|(name, field, range)| {
            let origin = origins.add_span(Span {
                source,
                start: offset(range.start),
                end: offset(range.end),
            });
            (name, field, origin)
        });
        Self {
            fields: fields.collect(),
        }
    }

    /// What templates see.
    pub(crate) fn value(&self, renderer: &mut Renderer<'_>) -> Value {
        Value::map(self.fields.iter().map(|(name, field, origin)| {
            let value = match field {
                Field::Text(value) => Value::from(value.as_str()),
                Field::Bool(value) => Value::from(*value),
                Field::Int(value) => Value::from(*value),
            };
            (*name, renderer.at_origin(value, *origin))
        }))
    }
}
