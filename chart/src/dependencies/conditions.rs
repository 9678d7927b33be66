//! Which dependencies the values switch on: tags first, then conditions.

use cairn_spec::{Diagnostic, Value};

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
    /// One tag that is on is enough; tags that are all off switch off.
    pub(super) fn tags(&mut self, dependencies: &mut [Dependency]) {
        let Some(tags) = self.merge.tables.table(self.values, "tags") else {
            return;
        };
        for dependency in dependencies {
            let (mut any_on, mut any_off) = (false, false);
            for tag in &dependency.tags {
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

    /// The first path of a condition that leads to a boolean decides.
    pub(super) fn conditions(&mut self, dependencies: &mut [Dependency], path: &str) {
        for dependency in dependencies {
            let condition = dependency.condition.trim();
            for part in condition.split(',').filter(|part| !part.is_empty()) {
                match self.at(&format!("{path}{part}")) {
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

    /// What stands at a path and is no table.
    fn at(&mut self, path: &str) -> Option<Slot<'n>> {
        let (above, key) = path.rsplit_once('.').unwrap_or(("", path));
        let above = match above {
            "" if !path.starts_with('.') => self.values,
            above => table_at(self.merge, self.values, above).ok()?,
        };
        let slot = self.merge.tables.get(above, key)?;
        (!slot.is_table()).then_some(slot)
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
