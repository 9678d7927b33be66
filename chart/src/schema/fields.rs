//! The fields of one schema, which is asked for far more keywords than it has.

use std::collections::BTreeMap;

use super::json::Json;

/// A list is read faster than a map when there are a few fields, which is nearly always.
pub(super) struct Fields<'c>(Vec<(&'c str, &'c Json)>);

impl<'c> Fields<'c> {
    pub(super) fn of(fields: &'c BTreeMap<String, Json>) -> Self {
        let fields = fields.iter().map(|(key, value)| (key.as_str(), value));
        Self(fields.collect())
    }

    pub(super) fn get(&self, keyword: &str) -> Option<&'c Json> {
        let mut fields = self.0.iter();
        fields
            .find(|(key, _)| *key == keyword)
            .map(|&(_, value)| value)
    }
}
