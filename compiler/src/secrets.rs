//! The secrets that a bundle refers to: by placeholders, never by value.

use std::collections::BTreeMap;

use cairn_spec::{BundleSecret, Diagnostic, SecretRef, Value, VariableName};

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
        self.in_host_files(placeholder) || self.in_objects(placeholder)
    }

    fn in_host_files(&self, placeholder: &str) -> bool {
        self.outputs
            .iter()
            .flat_map(|output| output.host.values())
            .any(|bytes| {
                bytes
                    .windows(placeholder.len())
                    .any(|window| window == placeholder.as_bytes())
            })
    }

    fn in_objects(&self, placeholder: &str) -> bool {
        let mut found = false;
        for object in self.objects {
            object.node.walk(&mut |node| {
                found |= matches!(&node.value, Value::String(text) if text.contains(placeholder));
            });
        }
        found
    }
}

/// The secrets that values refer to. One that no object shows was swallowed by a template.
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
                    .hint("a template encodes it: use `stringData` instead of `data` with `b64enc`"),
            );
        }
        let secret = BundleSecret {
            secret_ref: references.get(name).cloned(),
            placeholder,
        };
        secrets.insert(name.clone(), secret);
    }
    secrets
}
