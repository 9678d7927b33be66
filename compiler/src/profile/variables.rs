//! Binds a profile's variables to a cluster's values.

use std::collections::BTreeMap;

use cairn_spec::{
    Diagnostic, Map, Node, Schema, SecretRef, SourceKind, Span, VariableName, decode_json, suggest,
};
use serde_json::json;

use super::{
    cluster::Cluster,
    stack::{DeclaredVariable, Stack},
};
use crate::{Session, values::interpolate::Binding};

/// The text that stands for a secret in manifests until the agent puts the secret in its place.
pub(crate) fn secret_placeholder(name: &VariableName) -> String {
    format!("cairn.secret({name})")
}

/// Who sets variables, besides the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Setting<'a> {
    /// A cluster.
    Cluster(&'a Cluster),
    /// Nobody.
    Nobody,
    /// A cluster whose file cannot be read, which is reported: what it sets is not known.
    Unreadable,
}

/// A profile's variables as a cluster and the command line set them.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    /// All declared variables.
    pub(crate) bindings: BTreeMap<VariableName, Binding>,
    /// Where the secrets among them are kept.
    pub(crate) secrets: BTreeMap<VariableName, SecretRef>,
}

/// Binds all declared variables. `given` are those of the command line, as YAML; they win over the
/// cluster's.
pub(crate) fn bind(
    stack: &Stack,
    setting: Setting<'_>,
    given: &[(VariableName, String)],
    session: &mut Session,
) -> Bound {
    let no_values = Node::generated(Map::new());
    let cluster = match setting {
        Setting::Cluster(cluster) => Some(cluster),
        Setting::Nobody | Setting::Unreadable => None,
    };
    let values = cluster
        .and_then(|cluster| cluster.node.pointer("/spec/variables"))
        .unwrap_or(&no_values);
    let given = read_given(stack, given, session);
    refuse_unknown(stack, values, &given, session);
    let mut bound = Bound::default();
    for (name, declared) in &stack.variables {
        let set = given
            .get(name)
            .map_or_else(|| values.get(name.as_str()), Option::as_ref);
        let unread = matches!(setting, Setting::Unreadable) && set.is_none();
        let broken = unread || matches!(given.get(name), Some(None));
        let binding = if declared.spec.sensitive && !unread {
            bind_secret(name, declared, set, &mut bound.secrets, session)
        } else if broken {
            Binding::Broken
        } else {
            bind_value(name, declared, set, cluster, session)
        };
        bound.bindings.insert(name.clone(), binding);
    }
    bound
}

/// The variables of the command line; none for one that is not YAML.
fn read_given(
    stack: &Stack,
    given: &[(VariableName, String)],
    session: &mut Session,
) -> BTreeMap<VariableName, Option<Node>> {
    let sensitive = |name| {
        stack
            .variables
            .get(name)
            .is_some_and(|declared| declared.spec.sensitive)
    };
    given
        .iter()
        .map(|(name, text)| {
            let title = format!("--var {name}");
            // A finding would show the line, and with it a secret.
            let shown = !sensitive(name) || text.trim_start().starts_with("{secretRef");
            let node = if shown {
                session
                    .read_yaml(&title, text.as_str(), SourceKind::CommandLine)
                    .map(|(_, node)| node)
            } else {
                let hidden = session.read_yaml(&title, "\"…\"", SourceKind::CommandLine);
                hidden.map(|(_, node)| node)
            };
            (name.clone(), node)
        })
        .collect()
}

fn refuse_unknown(
    stack: &Stack,
    values: &Node,
    given: &BTreeMap<VariableName, Option<Node>>,
    session: &mut Session,
) {
    let known: Vec<&str> = stack.variables.keys().map(VariableName::as_str).collect();
    let mut unknown: Vec<(String, Option<Span>)> = Vec::new();
    for (key, field) in values.as_map().into_iter().flat_map(Map::fields) {
        if !known.contains(&&**key) {
            unknown.push((key.to_string(), session.origins.span(field.key_origin)));
        }
    }
    for (name, node) in given {
        if !known.contains(&name.as_str()) {
            unknown.push((
                name.to_string(),
                node.as_ref().and_then(|node| session.span(node)),
            ));
        }
    }
    for (name, span) in unknown {
        session.report(
            Diagnostic::error(
                "variable-undefined",
                format!("the profile has no variable `{name}`"),
            )
            .at(span)
            .maybe_hint(suggest(&name, known.iter().copied()).or_else(|| {
                Some(format!(
                    "declare it under `variables` of the profile: `- name: {name}`"
                ))
            })),
        );
    }
}

fn bind_value(
    name: &VariableName,
    declared: &DeclaredVariable,
    value: Option<&Node>,
    cluster: Option<&Cluster>,
    session: &mut Session,
) -> Binding {
    let declared_at = session.span_at(&declared.node, "/name");
    let bound = value.or_else(|| declared.node.get("default"));
    let Some(bound) = bound else {
        if declared.spec.required {
            let in_cluster =
                cluster.and_then(|cluster| session.span_at(&cluster.node, "/spec/variables"));
            session.report(
                Diagnostic::error(
                    "variable-required",
                    format!("the variable `{name}` must be set"),
                )
                .at(in_cluster)
                .label(declared_at, "required here")
                .hint(format!("add `{name}: …` under `variables` of the cluster")),
            );
            return Binding::Broken;
        }
        return Binding::Unset(declared_at);
    };
    let schema = declared
        .spec
        .schema
        .clone()
        .unwrap_or_else(|| json!({"type": "string"}));
    match Schema::compile(schema) {
        Ok(schema) => {
            let before = session.diagnostics.error_count();
            let Session {
                origins,
                diagnostics,
                ..
            } = &mut *session;
            let mut found = cairn_spec::Diagnostics::new();
            schema.check(bound, origins, "variable-schema", &mut found);
            for diagnostic in found {
                let message =
                    diagnostic
                        .message
                        .replacen("this ", &format!("the variable `{name}` "), 1);
                diagnostics.push(
                    Diagnostic {
                        message,
                        ..diagnostic
                    }
                    .label(declared_at, "declared here"),
                );
            }
            if session.diagnostics.error_count() > before {
                return Binding::Broken;
            }
        }
        Err(error) => {
            session.report(
                Diagnostic::error(
                    "variable-schema",
                    format!("the schema of variable `{name}` cannot be used: {error}"),
                )
                .at(session.span_at(&declared.node, "/schema"))
                .hint("schemas are JSON Schema 2020-12"),
            );
            return Binding::Broken;
        }
    }
    Binding::Value(bound.clone())
}

/// Hides a value and everything below it: lines with secrets are shown without them.
fn hide(value: &Node, session: &mut Session) {
    let mut spans = Vec::new();
    value.walk(&mut |node| spans.extend(session.origins.span(node.origin)));
    for span in spans {
        session.sources.hide(span);
    }
}

fn bind_secret(
    name: &VariableName,
    declared: &DeclaredVariable,
    value: Option<&Node>,
    secrets: &mut BTreeMap<VariableName, SecretRef>,
    session: &mut Session,
) -> Binding {
    if let Some(default) = declared.node.get("default") {
        hide(default, session);
        session.report(
            Diagnostic::error("variable-secret", format!("the sensitive variable `{name}` has a default, so the secret would stand in the profile"))
                .at(session.span(default))
                .hint("remove the default; the cluster names the Secret that keeps the value"),
        );
    }
    let declared_at = session.span_at(&declared.node, "/name");
    match value {
        Some(value) if value.get("secretRef").is_some() => {
            let reference = value.get("secretRef").and_then(|node| {
                let Session { origins, diagnostics, .. } = &mut *session;
                decode_json::<SecretRef>(node, origins, diagnostics)
            });
            secrets.extend(reference.map(|reference| (name.clone(), reference)));
        }
        Some(value) => {
            hide(value, session);
            // The line with the value is named, not shown: it holds the secret.
            let place = session.span(value).map(|span| session.sources.locate(span)).unwrap_or_default();
            session.report(
                Diagnostic::error("variable-secret", format!("the variable `{name}` is sensitive, so its value must not stand in {place}"))
                    .label(declared_at, "sensitive by this")
                    .hint(format!("write `{name}: {{secretRef: {{namespace: …, name: …, key: …}}}}` and keep the value in that Secret")),
            );
        }
        None if declared.spec.required => session.report(
            Diagnostic::error("variable-required", format!("the sensitive variable `{name}` must be set"))
                .label(declared_at, "required here")
                .hint(format!("add `{name}: {{secretRef: {{namespace: …, name: …, key: …}}}}` under `variables` of the cluster")),
        ),
        None => {}
    }
    Binding::Secret(secret_placeholder(name))
}
