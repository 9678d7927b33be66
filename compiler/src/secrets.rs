//! The secrets that a bundle refers to: by placeholders, never by value.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cairn_spec::{BundleSecret, Diagnostic, Node, SecretRef, Value, VariableName};

use crate::{
    Session, object::Object, profile::secret_placeholder, render::LayerOutput,
    values::interpolate::Interpolator,
};

/// Where a placeholder can stand.
pub(crate) struct Shown<'a> {
    pub(crate) objects: &'a [Object],
    pub(crate) outputs: &'a [LayerOutput],
}

impl Shown<'_> {
    fn holds(&self, placeholder: &str) -> bool {
        let mut files = self.outputs.iter().flat_map(|output| output.host.values());
        files.any(|bytes| holds(bytes, placeholder))
            || self.objects.iter().any(|it| shows(&it.node, placeholder))
    }
}

/// An object holds a placeholder, as it is or in base64: so it can be filled in.
pub(crate) fn shows(object: &Node, placeholder: &str) -> bool {
    let mut found = false;
    object.walk(&mut |node| {
        if let Value::String(text) = &node.value {
            found = found || text.contains(placeholder) || is_encoded(text, placeholder);
        }
    });
    found
}

fn is_encoded(text: &str, placeholder: &str) -> bool {
    text.len() >= placeholder.len()
        && BASE64
            .decode(text)
            .is_ok_and(|bytes| holds(&bytes, placeholder))
}

/// The text of an object holds a placeholder, as it is or as the beginning of base64.
pub(crate) fn is_in_text(text: &[u8], placeholder: &str) -> bool {
    // What follows the last group of three bytes would be written otherwise if more came behind it.
    let whole = placeholder.len() - placeholder.len() % 3;
    let encoded = BASE64.encode(&placeholder.as_bytes()[..whole]);
    holds(text, placeholder) || holds(text, &encoded)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// The secrets that values and charts refer to. One that no object shows was swallowed by a template.
pub(crate) fn secrets(
    interpolator: &Interpolator<'_>,
    references: &BTreeMap<VariableName, SecretRef>,
    shown: &Shown<'_>,
    session: &mut Session,
) -> BTreeMap<VariableName, BundleSecret> {
    let mut secrets = BTreeMap::new();
    for name in &interpolator.secrets {
        let placeholder = secret_placeholder(name);
        if !session.diagnostics.has_errors() && !shown.holds(&placeholder) {
            session.report(
                Diagnostic::warning("secret-not-shown", format!("no object holds the secret `{name}` as it is, so the agent cannot fill it in"))
                    .hint("a template hashes it, cuts it or changes its letters: have it print the value as it is, or in base64"),
            );
        }
        let secret = BundleSecret {
            secret_ref: references.get(name).cloned(),
            placeholder,
        };
        secrets.insert(name.clone(), secret);
    }
    for (name, reference) in shown.outputs.iter().flat_map(|output| &output.secrets) {
        let placeholder = secret_placeholder(name);
        // A patch may have removed what needed it.
        if !shown.holds(&placeholder) {
            continue;
        }
        let secret = BundleSecret {
            secret_ref: Some(reference.clone()),
            placeholder,
        };
        let known = secrets.insert(name.clone(), secret.clone());
        if known.is_some_and(|known| known != secret) {
            session.report(
                Diagnostic::error("chart-secret", format!("the profile has a variable called `{name}`, which stands for a Secret that a chart is given"))
                    .hint("give the variable another name"),
            );
        }
    }
    secrets
}
