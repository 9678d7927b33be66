//! The fields of one schema, which is asked for far more keywords than it has.

use std::collections::BTreeMap;

use super::json::Json;

/// A list is read faster than a map when there are a few fields, which is nearly always.
pub(super) struct Fields<'c> {
    fields: Vec<(&'c str, &'c Json)>,
    /// The bits of all keys: a keyword whose bit is missing is not there.
    bits: u64,
}

impl<'c> Fields<'c> {
    pub(super) fn of(fields: &'c BTreeMap<String, Json>) -> Self {
        let bits = fields.keys().fold(0, |bits, key| bits | bit(key));
        let fields = fields.iter().map(|(key, value)| (key.as_str(), value));
        Self {
            fields: fields.collect(),
            bits,
        }
    }

    pub(super) fn get(&self, keyword: &str) -> Option<&'c Json> {
        if self.bits & bit(keyword) == 0 {
            return None;
        }
        let mut fields = self.fields.iter();
        fields
            .find(|(key, _)| *key == keyword)
            .map(|&(_, value)| value)
    }
}

/// One of 64 bits: the keywords of JSON Schema differ in their lengths and in their letters at
/// either end.
fn bit(keyword: &str) -> u64 {
    let ends = [keyword.bytes().next(), keyword.bytes().next_back()];
    let [first, last] = ends.map(|end| u64::from(end.unwrap_or_default()));
    1 << ((first + 3 * last + 5 * keyword.len() as u64) % 64)
}
