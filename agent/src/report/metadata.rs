//! Which object it is, as the metadata of all that are in a namespace say it.

use jiff::Timestamp;
use serde::Deserialize;

/// Which object of its kind it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    namespace: Option<Box<str>>,
    name: Box<str>,
}

impl Key {
    pub(super) fn new(namespace: Option<String>, name: String) -> Self {
        Self {
            namespace: namespace.map(String::into_boxed_str),
            name: name.into_boxed_str(),
        }
    }

    pub(super) fn place(&self) -> (Option<&str>, &str) {
        (self.namespace.as_deref(), &self.name)
    }

    /// `NAMESPACE/NAME`.
    pub(super) fn written(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.to_string(),
        }
    }
}

/// What is read of the metadata of objects in namespaces.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    namespace: String,
    name: String,
    pub(super) resource_version: String,
    pub(super) creation_timestamp: Option<Timestamp>,
}

impl Metadata {
    pub(super) fn key(&self) -> Key {
        Key::new(Some(self.namespace.clone()), self.name.clone())
    }
}
