//! Binds a profile's variables to a cluster's values.

use std::collections::BTreeMap;

use cairn_spec::{
    Diagnostic, Map, Node, Schema, SecretRef, Span, VariableName, decode_json, suggest,
};
use serde_json::json;

use super::{
    cluster::Cluster,
    load::{DeclaredVariable, Stack},
};
use crate::{Session, values::interpolate::Binding};

/// The text that stands for a secret in manifests until the agent puts the secret in its place.
pub(crate) fn secret_placeholder(name: &VariableName) -> String {
    format!("cairn.secret({name})")
}

/// The bindings of all declared variables, and where the secrets among them are kept. A variable
/// may have a value that cannot be read, which is reported already.
pub(crate) fn bind(
    stack: &Stack,
    cluster: Option<&Cluster>,
    given: &BTreeMap<VariableName, Node>,
    is_unreadable: &dyn Fn(&VariableName) -> bool,
    session: &mut Session,
) -> (
    BTreeMap<VariableName, Binding>,
    BTreeMap<VariableName, SecretRef>,
) {
    let no_values = Node::generated(Map::new());
    let values = cluster
        .and_then(|cluster| cluster.node.pointer("/spec/variables"))
        .unwrap_or(&no_values);
    refuse_unknown(stack, values, given, session);
    let mut bindings = BTreeMap::new();
    let mut secrets = BTreeMap::new();
    for (name, declared) in &stack.variables {
        let value = given.get(name).or_else(|| values.get(name.as_str()));
        if value.is_none() && is_unreadable(name) {
            bindings.insert(name.clone(), Binding::Broken);
            continue;
        }
        let binding = if declared.spec.sensitive {
            bind_secret(name, declared, value, &mut secrets, session)
        } else {
            bind_value(name, declared, value, cluster, session)
        };
        bindings.insert(name.clone(), binding);
    }
    (bindings, secrets)
}

fn refuse_unknown(
    stack: &Stack,
    values: &Node,
    given: &BTreeMap<VariableName, Node>,
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
            unknown.push((name.to_string(), session.span(node)));
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
        Err(error) => session.report(
            Diagnostic::error(
                "variable-schema",
                format!("the schema of variable `{name}` cannot be used: {error}"),
            )
            .at(session.span_at(&declared.node, "/schema"))
            .hint("schemas are JSON Schema 2020-12"),
        ),
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
