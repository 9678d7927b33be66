//! Puts secrets in the places of their placeholders, between the bundle and the server: in no file,
//! and in no message.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cairn_spec::{BundleManifest, VariableName};
use serde_json::Value as Json;

use super::BundleError;

/// The secrets of a bundle, as far as they are known.
#[derive(Default)]
pub struct Secrets {
    known: Vec<Secret>,
}

struct Secret {
    variable: VariableName,
    placeholder: String,
    value: Option<String>,
}

impl Secrets {
    /// The bundle's secrets with the values that are known.
    pub fn new(manifest: &BundleManifest, values: &BTreeMap<VariableName, String>) -> Self {
        let known = manifest.secrets.iter().map(|(variable, secret)| Secret {
            variable: variable.clone(),
            placeholder: secret.placeholder.clone(),
            value: values.get(variable).cloned(),
        });
        Self {
            known: known.collect(),
        }
    }

    /// A text somewhere in a value holds a secret, as it is or in base64.
    pub fn shows_in(&self, value: &Json) -> bool {
        let is_shown = |text: &str| {
            let values = self
                .known
                .iter()
                .filter_map(|secret| secret.value.as_deref());
            values.filter(|value| !value.is_empty()).any(|value| {
                text.contains(value)
                    || text.len() >= value.len()
                        && decoded(text).is_some_and(|decoded| decoded.contains(value))
            })
        };
        match value {
            Json::String(text) => is_shown(text),
            Json::Array(items) => items.iter().any(|item| self.shows_in(item)),
            Json::Object(fields) => fields
                .iter()
                .any(|(key, field)| is_shown(key) || self.shows_in(field)),
            _ => false,
        }
    }

    /// Fills in all texts of an object, also those that are base64, as in a Secret or the `caBundle` of
    /// a webhook.
    pub(super) fn fill(&self, object: &mut Json) -> Result<(), BundleError> {
        if self.known.is_empty() {
            return Ok(());
        }
        self.fill_texts(object)
    }

    fn fill_texts(&self, value: &mut Json) -> Result<(), BundleError> {
        match value {
            Json::String(text) => {
                if let Some(filled) = self.filled(text)? {
                    *text = filled;
                } else if let Some(decoded) = decoded(text)
                    && let Some(filled) = self.filled(&decoded)?
                {
                    *text = BASE64.encode(filled);
                }
                Ok(())
            }
            Json::Array(items) => items.iter_mut().try_for_each(|item| self.fill_texts(item)),
            Json::Object(fields) => fields
                .values_mut()
                .try_for_each(|field| self.fill_texts(field)),
            _ => Ok(()),
        }
    }

    /// The text with secrets in the places of placeholders, when it holds any. What a secret itself holds
    /// is never taken for a placeholder.
    fn filled(&self, text: &str) -> Result<Option<String>, BundleError> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((at, secret)) = self.first_in(rest) {
            let value = secret
                .value
                .as_ref()
                .ok_or_else(|| BundleError::SecretMissing(secret.variable.clone()))?;
            filled.push_str(&rest[..at]);
            filled.push_str(value);
            rest = &rest[at + secret.placeholder.len()..];
        }
        if rest.len() == text.len() {
            return Ok(None);
        }
        filled.push_str(rest);
        Ok(Some(filled))
    }

    fn first_in(&self, text: &str) -> Option<(usize, &Secret)> {
        let places = self.known.iter().filter(|it| !it.placeholder.is_empty());
        places
            .filter_map(|secret| Some((text.find(&secret.placeholder)?, secret)))
            .min_by_key(|(at, _)| *at)
    }
}

/// The text that a text says in base64.
fn decoded(text: &str) -> Option<String> {
    String::from_utf8(BASE64.decode(text).ok()?).ok()
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.known.iter().map(|secret| &secret.variable);
        f.debug_set().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets(values: &[(&str, Option<&str>)]) -> Secrets {
        let known = values.iter().map(|(name, value)| Secret {
            variable: name.parse().unwrap(),
            placeholder: format!("cairn.secret({name})"),
            value: value.map(str::to_owned),
        });
        Secrets {
            known: known.collect(),
        }
    }

    #[test]
    fn placeholders_are_filled_in_wherever_they_stand() {
        let secrets = secrets(&[
            ("user", Some("root")),
            ("password", Some("cairn.secret(user)")),
        ]);
        let mut object = json!({
            "apiVersion": "v1", "kind": "Secret",
            "stringData": {"url": "https://cairn.secret(user):cairn.secret(password)@db"},
            "data": {
                "encoded": BASE64.encode("a=cairn.secret(user)"), "binary": "/w==", "other": "YQ==",
                "nested": BASE64.encode("cairn.secret(password)"),
            },
            "webhooks": [{"clientConfig": {"caBundle": BASE64.encode("cairn.secret(user)")}}],
        });
        secrets.fill(&mut object).unwrap();
        assert_eq!(
            object["stringData"]["url"],
            "https://root:cairn.secret(user)@db"
        );
        assert_eq!(object["data"]["encoded"], BASE64.encode("a=root"));
        assert_eq!(
            object["data"]["nested"],
            BASE64.encode("cairn.secret(user)")
        );
        assert_eq!(
            object["webhooks"][0]["clientConfig"]["caBundle"],
            BASE64.encode("root")
        );
        assert!(secrets.shows_in(&object["webhooks"]));
        assert!(!secrets.shows_in(&object["data"]["other"]));
        assert_eq!(
            (&object["data"]["binary"], &object["data"]["other"]),
            (&json!("/w=="), &json!("YQ=="))
        );
    }

    #[test]
    fn a_secret_that_is_not_known_is_an_error_only_where_it_is_needed() {
        let secrets = secrets(&[("password", None)]);
        let mut free = json!({"a": ["cairn.secret(user)"]});
        secrets.fill(&mut free).unwrap();
        let mut bound = json!({"a": ["cairn.secret(password)"]});
        let error = secrets.fill(&mut bound).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the bundle needs the secret `password`, which was not given"
        );
    }

    #[test]
    fn secrets_are_not_printed() {
        let secrets = secrets(&[("password", Some("hunter2"))]);
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }
}
