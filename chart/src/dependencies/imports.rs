//! What a chart takes of the values of the charts it depends on (`import-values`).

use cairn_spec::{Diagnostic, OriginId};

use super::{Branch, Processing, conditions::table_at};
use crate::{
    Dependency, Error, ImportValues,
    values::{Chains, Entry, MAX_DEPTH, Merge, Nulls, Slot, TableId, TooDeep},
};

/// The parent's path that means all of its values.
const ALL: &str = ".";

impl Processing<'_> {
    /// Helm's `processDependencyImportValues`: charts in charts come first.
    pub(super) fn imports(&mut self, branch: &mut Branch) -> Result<(), Error> {
        for below in &mut branch.dependencies {
            self.imports(below)?;
        }
        let Some(mut declared) = self.trunk.metadata(branch).dependencies.clone() else {
            return Ok(());
        };
        // What is imported stands in the metadata in a form that Helm does not import again.
        let is_first = self.trunk.imported.insert(branch.metadata);
        if !is_first {
            for dependency in &mut declared {
                dependency.import_values.clear();
            }
        }
        let chains = Chains::kept(self.origins);
        let mut merge = Merge::new(chains, self.warnings, self.dialect);
        let values = merge.tables.add(OriginId::GENERATED);
        merge.chart(&self.trunk.values(branch), values, Nulls::Keep)?;
        let imported = merge.tables.add(OriginId::GENERATED);
        for dependency in &mut declared {
            import(dependency, values, imported, &mut merge)?;
        }
        let values = if merge.tables.is_empty(imported) {
            values
        } else {
            let values = merge.tables.deep_copy(values)?;
            merge.table_into(values, imported, Nulls::Keep)?;
            values
        };
        branch.chart.values = merge.node(values)?;
        self.trunk.metadata_mut(branch).dependencies = Some(declared);
        Ok(())
    }
}

/// Merges what one dependency gives into `imported`, and says in its metadata what that is.
fn import(
    dependency: &mut Dependency,
    values: TableId,
    imported: TableId,
    merge: &mut Merge<'_, '_>,
) -> Result<(), Error> {
    let wanted = std::mem::take(&mut dependency.import_values);
    for wanted in wanted {
        let (child, parent) = match wanted {
            ImportValues::Export(name) => (format!("exports.{name}"), ALL.to_owned()),
            ImportValues::Path { child, parent } => (child, parent),
            ImportValues::Other(_) => continue,
        };
        let path = format!("{}.{child}", dependency.name);
        match table_at(merge, values, &path) {
            Ok(table) => {
                let source = below_path(&parent, table, merge)?;
                merge.table_into(imported, source, Nulls::Keep)?;
            }
            Err(key) => {
                let name = &dependency.name;
                let message = format!(
                    "the chart `{name}` has no map at `{child}` to import: `{key}` is none"
                );
                let diagnostic = Diagnostic::warning("chart-import-values", message).hint(
                    "correct the path in `import-values`, or add the map to the chart's values",
                );
                merge.report(diagnostic, OriginId::GENERATED);
            }
        }
        dependency
            .import_values
            .push(ImportValues::Path { child, parent });
    }
    Ok(())
}

/// A table that has another one at a path.
fn below_path(path: &str, table: TableId, merge: &mut Merge<'_, '_>) -> Result<TableId, Error> {
    // Helm makes a new map of an empty one.
    let table = if merge.tables.is_empty(table) {
        merge.tables.add(merge.tables.origin(table))
    } else {
        table
    };
    if path == ALL {
        return Ok(table);
    }
    if path.split('.').count() > MAX_DEPTH {
        return Err(TooDeep.into());
    }
    let keys = path.rsplit('.');
    Ok(keys.fold(table, |below, key| {
        let origin = merge.tables.origin(below);
        let above = merge.tables.add(origin);
        let entry = Entry {
            key_origin: origin,
            slot: Slot::Table(below),
        };
        merge.tables.insert(above, key.into(), entry);
        above
    }))
}
