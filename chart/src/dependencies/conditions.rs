//! Which dependencies the values switch on: tags first, then conditions.

use cairn_spec::{Diagnostic, OriginId, Value};

use crate::{
    Dependency,
    values::{Merge, Slot, TableId},
};

/// The values that decide, and what is wrong with them.
pub(super) struct Switches<'s, 'n, 'w> {
    pub(super) merge: &'s mut Merge<'n, 'w>,
    pub(super) values: TableId,
}

impl<'n> Switches<'_, 'n, '_> {
    /// One tag that is on is enough; tags that are all off switch off. `deciders` get the values
    /// that were asked.
    pub(super) fn tags(&mut self, dependencies: &mut [Dependency], deciders: &mut [Vec<OriginId>]) {
        let Some(tags) = self.merge.tables.table(self.values, "tags") else {
            return;
        };
        for (dependency, deciders) in dependencies.iter_mut().zip(deciders) {
            let (mut any_on, mut any_off) = (false, false);
            for tag in &dependency.tags {
                deciders.extend(self.merge.tables.origin_at(tags, tag));
                match self.merge.tables.get(tags, tag) {
                    None => {}
                    Some(Slot::Leaf(Value::Bool(true), _)) => any_on = true,
                    Some(Slot::Leaf(Value::Bool(false), _)) => any_off = true,
                    Some(slot) => self.no_boolean("tag", tag, &dependency.name, slot),
                }
            }
            dependency.enabled = any_on || !any_off;
        }
    }

    /// The first path of a condition that leads to a boolean decides. `deciders` get the values
    /// that were asked.
    pub(super) fn conditions(
        &mut self,
        dependencies: &mut [Dependency],
        path: &str,
        deciders: &mut [Vec<OriginId>],
    ) {
        for (dependency, deciders) in dependencies.iter_mut().zip(deciders) {
            let condition = dependency.condition.trim();
            for part in condition.split(',').filter(|part| !part.is_empty()) {
                let (slot, origin) = self.at(&format!("{path}{part}"));
                deciders.extend(origin);
                match slot {
                    Some(Slot::Leaf(Value::Bool(value), _)) => {
                        dependency.enabled = *value;
                        break;
                    }
                    Some(slot) => self.no_boolean("condition", part, &dependency.name, slot),
                    None => {}
                }
            }
        }
    }

    /// What stands at a path and is no table, and where that is said, or that nothing is there.
    fn at(&mut self, path: &str) -> (Option<Slot<'n>>, Option<OriginId>) {
        let (above, key) = path.rsplit_once('.').unwrap_or(("", path));
        let above = match above {
            "" if !path.starts_with('.') => self.values,
            above => match table_at(self.merge, self.values, above) {
                Ok(table) => table,
                Err(_) => return (None, None),
            },
        };
        let slot = self.merge.tables.get(above, key);
        (
            slot.filter(|slot| !slot.is_table()),
            self.merge.tables.origin_at(above, key),
        )
    }

    fn no_boolean(&mut self, what: &str, path: &str, chart: &str, slot: Slot<'n>) {
        let message = format!("the {what} `{path}` of the chart `{chart}` is no boolean");
        let origin = self.merge.tables.origin_of(slot);
        let diagnostic = Diagnostic::warning("chart-condition", message)
            .hint("write `true` or `false`; what is neither switches nothing");
        self.merge.report(diagnostic, origin);
    }
}

/// The table at a path of keys with dots between them, else the key where it ends.
pub(super) fn table_at<'p>(
    merge: &mut Merge<'_, '_>,
    table: TableId,
    path: &'p str,
) -> Result<TableId, &'p str> {
    path.split('.').try_fold(table, |table, key| {
        merge.tables.table(table, key).ok_or(key)
    })
}
