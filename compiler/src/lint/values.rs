//! Values: described, covered by a schema, exported only when they exist.

use std::collections::BTreeSet;

use cairn_spec::{Diagnostic, Diagnostics, Map, Node, nearest};

use crate::{Session, pack::Pack};

pub(super) fn check(pack: &Pack, session: &Session, found: &mut Diagnostics) {
    let has_values = pack.values.as_map().is_some_and(|map| !map.is_empty());
    if has_values && pack.schema.is_none() {
        found.push(
            Diagnostic::warning("schema-missing", "the pack has values but no `values.schema.json`, so mistyped values pass unnoticed")
                .at(session.span(&pack.values)),
        );
    }
    check_described(pack, session, found);
    for (index, path) in pack.manifest.spec.exports.keys().enumerate() {
        let keys: Vec<&str> = path.split('.').collect();
        if pack.values.at(&keys).is_none() {
            let known: Vec<&str> = pack
                .values
                .as_map()
                .map(|map| map.keys().map(|key| &**key).collect())
                .unwrap_or_default();
            let exports = pack
                .manifest_node
                .pointer("/spec/exports")
                .and_then(Node::as_map);
            let place = exports
                .and_then(|exports| exports.fields().nth(index))
                .map(|(_, field)| field.key_origin);
            found.push(
                Diagnostic::warning(
                    "export-undefined",
                    format!("the pack exports `{path}`, which `values.yaml` does not have"),
                )
                .at(place.and_then(|origin| session.origins.span(origin)))
                .maybe_hint(
                    nearest(keys[0], known.iter().copied())
                        .map(|near| format!("did you mean `{near}`?")),
                ),
            );
        }
    }
}

/// Every top-level value has a comment above it, beside it, or a description in the schema.
fn check_described(pack: &Pack, session: &Session, found: &mut Diagnostics) {
    let Some(map) = pack.values.as_map() else {
        return;
    };
    for (key, field) in map.fields() {
        let Some(span) = session.origins.span(field.key_origin) else {
            continue;
        };
        let source = session.sources.get(span.source);
        let line = source.position(span.start).line as usize;
        let lines: Vec<&str> = source.text.lines().collect();
        let is_comment = |index: usize| {
            lines
                .get(index)
                .is_some_and(|line| line.trim_start().starts_with('#'))
        };
        let commented = (line >= 2 && is_comment(line - 2))
            || lines.get(line - 1).is_some_and(|line| line.contains(" #"));
        let in_schema = pack
            .schema
            .as_ref()
            .and_then(|schema| {
                schema
                    .as_json()
                    .pointer(&format!("/properties/{key}/description"))
            })
            .is_some();
        if !commented && !in_schema {
            found.push(
                Diagnostic::warning(
                    "value-undescribed",
                    format!("nothing says what `{key}` is for"),
                )
                .at(span)
                .hint("put a comment above it, or a `description` into the schema"),
            );
        }
    }
}

/// Every value is read by some template, or exported for other layers. `read` holds JSON Pointers
/// into the context of templates.
pub(super) fn check_read(
    pack: &Pack,
    read: &BTreeSet<String>,
    session: &Session,
    found: &mut Diagnostics,
) {
    let exported = pack.manifest.spec.exports.keys();
    let exported = exported.map(|path| format!("/values/{}", path.replace('.', "/")));
    let check = Unread {
        read: read.iter().cloned().chain(exported).collect(),
        session,
    };
    if let Some(values) = pack.values.as_map() {
        check.map(values, "/values", found);
    }
}

struct Unread<'a> {
    read: BTreeSet<String>,
    session: &'a Session,
}

impl Unread<'_> {
    fn map(&self, map: &Map, pointer: &str, found: &mut Diagnostics) {
        for (key, field) in map.fields() {
            let escaped = key.replace('~', "~0").replace('/', "~1");
            let here = format!("{pointer}/{escaped}");
            if self.read.contains(&here) {
                continue;
            }
            match field.node.as_map() {
                Some(inner) if self.reads_below(&here) => self.map(inner, &here, found),
                _ if self.reads_below(&here) => {}
                _ => {
                    let path = here["/values/".len()..].replace('/', ".");
                    found.push(
                        Diagnostic::warning("value-unread", format!("no template reads `{path}`"))
                            .at(self.session.origins.span(field.key_origin))
                            .hint(
                                "remove it, or add a preset or a test in which a template reads it",
                            ),
                    );
                }
            }
        }
    }

    fn reads_below(&self, pointer: &str) -> bool {
        let below = format!("{pointer}/");
        self.read
            .range(below.clone()..)
            .next()
            .is_some_and(|next| next.starts_with(&below))
    }
}
