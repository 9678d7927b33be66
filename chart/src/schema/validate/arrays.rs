//! Arrays: `items`, `contains` and their like.

use std::collections::{HashMap, hash_map::Entry};

use super::{Check, Validator};
use crate::schema::{
    draft::Draft,
    instance::Items,
    model::{Additional, SchemaId},
    violation::{count, sizes},
};

impl<'s> Validator<'s> {
    pub(super) fn array<'v>(&mut self, check: &mut Check<'s, 'v>, items: Items<'v>) {
        let schema = check.schema;
        let counted = items.len();
        if let Some(least) = schema.min_items.filter(|least| counted < *least) {
            self.add(check, || sizes("minItems", counted, least));
        }
        if let Some(most) = schema.max_items.filter(|most| counted > *most) {
            self.add(check, || sizes("maxItems", counted, most));
        }
        if schema.unique_items
            && let Some((first, second)) = duplicates(items)
        {
            self.add(check, || {
                let (first, second) = (count(first), count(second));
                format!("items at {first} and {second} are equal")
            });
        }
        for (index, (item, id)) in items.iter().zip(&schema.first_items).enumerate() {
            let found = self.check_child(check, *id, item, &index.to_string());
            check.found.extend(found.err());
        }
        let first = schema.first_items.len();
        let others = match schema.additional_items {
            Additional::Schema(id) => Some(id),
            _ => schema.items,
        };
        if let Some(id) = others {
            // The library counts them from 0.
            for (index, item) in items.iter().skip(first).enumerate() {
                let found = self.check_child(check, id, item, &index.to_string());
                check.found.extend(found.err());
            }
        }
        if matches!(schema.additional_items, Additional::Allowed(false)) && first < counted {
            let more = count(counted - first);
            self.add(check, || {
                format!("last {more} additionalItem(s) not allowed")
            });
        }
        if let Some(id) = schema.contains {
            self.contains(check, id, items);
        }
    }

    fn contains<'v>(&mut self, check: &mut Check<'s, 'v>, id: SchemaId, items: Items<'v>) {
        let schema = check.schema;
        let mut causes = Vec::new();
        let mut matched = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let found = self.check_child(check, id, item, &index.to_string());
            if let Err(found) = found {
                causes.push(found);
                continue;
            }
            matched.push(index.to_string());
            if schema.draft >= Draft::Year2020 {
                check.unevaluated.items.remove(&index);
            }
        }
        let at = matched.join(" ");
        let got = count(matched.len());
        match schema.min_contains {
            Some(least) if matched.len() < least => self.add_with(check, causes, || {
                let start = format!(
                    "min {} items required to match contains schema",
                    count(least)
                );
                if matched.is_empty() {
                    format!("{start}, but none matched")
                } else {
                    format!("{start}, but matched {got} items at {at}")
                }
            }),
            None if matched.is_empty() => {
                self.add_with(check, causes, || {
                    "no items match contains schema".to_owned()
                });
            }
            _ => {}
        }
        if let Some(most) = schema.max_contains.filter(|most| matched.len() > *most) {
            let most = count(most);
            self.add(check, || {
                format!(
                    "max {most} items required to match contains schema, but matched {got} items at {at}"
                )
            });
        }
    }
}

/// The first item that equals one before it, and that one.
fn duplicates(items: Items<'_>) -> Option<(usize, usize)> {
    let mut seen = HashMap::new();
    items.iter().enumerate().find_map(|(second, item)| {
        let mut key = String::new();
        item.shape().write_key(&mut key);
        match seen.entry(key) {
            Entry::Occupied(first) => Some((*first.get(), second)),
            Entry::Vacant(slot) => {
                slot.insert(second);
                None
            }
        }
    })
}
