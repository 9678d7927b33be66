//! Merges the values of a chart and of the charts in it, as Helm's `CoalesceValues` and
//! `MergeValues` do, rule by rule.

use std::{fmt, sync::Arc};

use cairn_spec::{Diagnostic, Node, OriginId, Value};
use cairn_template::go::{quote, show};

use super::{
    chains::Chains,
    tables::{Entry, MAX_DEPTH, Slot, TableId, Tables, TooDeep, Untouched},
};
use crate::{Chart, Dialect, Error};

/// The key of what all charts share.
const GLOBAL: &str = "global";
/// How many warnings are collected; a chart that gives more is not worth reading them.
const MAX_WARNINGS: usize = 1_000;

/// A chart as far as its values are concerned.
#[derive(Debug)]
pub(crate) struct ChartValues<'n> {
    pub(crate) name: &'n str,
    pub(crate) values: &'n Node,
    pub(crate) dependencies: Vec<Self>,
}

impl<'n> From<&'n Chart> for ChartValues<'n> {
    fn from(chart: &'n Chart) -> Self {
        Self {
            name: chart.name(),
            values: &chart.values,
            dependencies: chart.dependencies.iter().map(Self::from).collect(),
        }
    }
}

/// What becomes of nulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// They delete what is below them: `CoalesceValues`.
    Delete,
    /// They stay, for a merge that comes later: `MergeValues`.
    Keep,
}

/// A merge under way. What is merged into is always what has priority.
#[derive(Debug)]
pub(crate) struct Merge<'n, 'w> {
    pub(crate) tables: Tables<'n>,
    pub(crate) chains: Chains<'w>,
    warnings: &'w mut Vec<Diagnostic>,
    dialect: Dialect,
}

/// The keys that lead to a value, for messages.
#[derive(Debug, Clone, Copy)]
struct Path<'p> {
    above: Option<&'p Self>,
    key: &'p str,
    length: usize,
}

/// What is merged into a table: a map of a chart that is only this merge's, or a table.
#[derive(Debug, Clone, Copy)]
enum Source<'n> {
    Map(Untouched<'n>),
    Table(TableId),
}

/// A table that is merged into.
#[derive(Debug, Clone, Copy)]
struct Target<'p> {
    table: TableId,
    path: Path<'p>,
    nulls: Nulls,
}

impl<'n, 'w> Merge<'n, 'w> {
    pub(crate) fn new(
        chains: Chains<'w>,
        warnings: &'w mut Vec<Diagnostic>,
        dialect: Dialect,
    ) -> Self {
        Self {
            tables: Tables::default(),
            chains,
            warnings,
            dialect,
        }
    }

    /// Merges the values of a chart and of all charts in it into `dest`.
    pub(crate) fn chart(
        &mut self,
        chart: &ChartValues<'n>,
        dest: TableId,
        nulls: Nulls,
    ) -> Result<(), Error> {
        self.chart_at(chart, dest, Path::START, nulls)
    }

    fn chart_at(
        &mut self,
        chart: &ChartValues<'n>,
        dest: TableId,
        prefix: Path<'_>,
        nulls: Nulls,
    ) -> Result<(), Error> {
        let path = prefix.below(chart.name);
        self.own_values(chart, dest, path, nulls)?;
        for subchart in &chart.dependencies {
            let below = self.table_of_subchart(subchart.name, dest)?;
            self.globals(below, dest, path)?;
            self.chart_at(subchart, below, path, nulls)?;
        }
        Ok(())
    }

    fn table_of_subchart(&mut self, name: &str, dest: TableId) -> Result<TableId, Error> {
        match self.tables.get(dest, name) {
            None => {
                let below = self.tables.add(OriginId::GENERATED);
                self.tables
                    .insert(dest, name.into(), Entry::generated(below));
                Ok(below)
            }
            Some(slot) => self
                .tables
                .table(dest, name)
                .ok_or_else(|| self.mismatch(name, slot)),
        }
    }

    fn mismatch(&self, name: &str, slot: Slot<'n>) -> Error {
        let shown = show(&self.tables.shown(slot), 't');
        let diagnostic = Diagnostic::error(
            "chart-values",
            format!("the values of the chart `{name}` are no map"),
        )
        .at(self.chains.span(self.tables.origin_of(slot)))
        .hint(format!(
            "what stands under `{name}` is given to that chart: write a map"
        ));
        Error::new(format!("type mismatch on {name}: {shown}"), diagnostic)
    }

    /// Puts the globals of a chart into the values of a chart in it, where they have priority.
    fn globals(&mut self, dest: TableId, from: TableId, path: Path<'_>) -> Result<(), Error> {
        if self.are_no_table(dest, "destination") || self.are_no_table(from, "source") {
            return Ok(());
        }
        let shared = self.tables.table(from, GLOBAL);
        // Of a chart that is itself called `global` its values are the globals: what is put into them is no part
        // of what is taken from them.
        let entries = shared.map(|shared| self.tables.shared_entries(shared));
        let globals = self.tables.table(dest, GLOBAL).unwrap_or_else(|| {
            let origin = shared.map_or(OriginId::GENERATED, |shared| self.tables.origin(shared));
            let globals = self.tables.add(origin);
            self.tables
                .insert(dest, GLOBAL.into(), Entry::generated(globals));
            globals
        });
        for (key, entry) in entries.unwrap_or_default() {
            self.global(globals, key, entry, path)?;
        }
        Ok(())
    }

    fn are_no_table(&mut self, table: TableId, whose: &str) -> bool {
        match self.tables.get(table, GLOBAL) {
            Some(slot) if !slot.is_table() => {
                self.warn(slot, |_| {
                    format!("skipping globals because {whose} {GLOBAL} is not a table.")
                });
                true
            }
            _ => false,
        }
    }

    fn global(
        &mut self,
        globals: TableId,
        key: Arc<str>,
        entry: Entry<'n>,
        path: Path<'_>,
    ) -> Result<(), Error> {
        let own = self.tables.get(globals, &key);
        let slot = match (entry.slot, own) {
            (Slot::Table(shared), None) => Slot::Table(self.tables.shallow_copy(shared)),
            (Slot::Table(shared), Some(own)) => {
                let Some(below) = self.tables.table(globals, &key) else {
                    self.warn(own, |_| {
                        let key = quote(key.as_bytes());
                        format!("Conflict: cannot merge map onto non-map for {key}. Skipping.")
                    });
                    return Ok(());
                };
                let copy = self.tables.shallow_copy(shared);
                self.replaces(copy, self.tables.origin(below));
                let path = path.below(&key);
                let target = Target {
                    table: copy,
                    path,
                    nulls: Nulls::Keep,
                };
                self.source_into(target, Source::Table(below))?;
                Slot::Table(copy)
            }
            (_, Some(own)) if own.is_table() => {
                self.warn(own, |_| format!("key {key} is table. Skipping"));
                return Ok(());
            }
            (Slot::Leaf(value, origin), Some(own)) => {
                let loser = self.tables.origin_of(own);
                Slot::Leaf(value, self.chains.above(origin, loser))
            }
            (slot, _) => slot,
        };
        self.tables.insert(globals, key, Entry { slot, ..entry });
        Ok(())
    }

    /// Merges what `values.yaml` of a chart says into `dest`.
    fn own_values(
        &mut self,
        chart: &ChartValues<'n>,
        dest: TableId,
        path: Path<'_>,
        nulls: Nulls,
    ) -> Result<(), Error> {
        let Some(own) = chart.values.value.as_map() else {
            return Ok(());
        };
        let dialect = self.dialect;
        // Helm 4 takes a chart's own nulls for nothing, Helm 3 keeps them.
        let cleans = |nulls| nulls == Nulls::Delete && dialect == Dialect::Helm4;
        self.replaces(dest, chart.values.origin);
        for (key, field) in own.fields() {
            let below = Slot::of(&field.node, cleans(nulls));
            let Some(slot) = self.tables.get(dest, key) else {
                let entry = Entry::of(field, cleans(nulls));
                self.tables.insert(dest, Arc::clone(key), entry);
                if below.is_null() && cleans(nulls) {
                    self.tables.delete(dest, key);
                }
                continue;
            };
            self.replaces_at(
                dest,
                key,
                &Entry {
                    key_origin: field.key_origin,
                    slot: below,
                },
            );
            if slot.is_null() && nulls == Nulls::Delete {
                self.tables.delete(dest, key);
                continue;
            }
            let Some(table) = self.tables.table(dest, key) else {
                continue;
            };
            match below {
                Slot::Untouched(untouched) => {
                    // A chart's own nulls in what it gives to a chart in it delete only there.
                    let is_subchart = chart
                        .dependencies
                        .iter()
                        .any(|subchart| subchart.name == &**key);
                    let nulls = if is_subchart { Nulls::Keep } else { nulls };
                    let source = Source::Map(Untouched {
                        without_nulls: cleans(nulls),
                        ..untouched
                    });
                    let path = path.below(key);
                    let target = Target { table, path, nulls };
                    self.source_into(target, source)?;
                }
                below if !below.is_null() => {
                    let path = path.below(key);
                    self.warn(below, |_| format!("skipped value for {path}: Not a table."));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Merges a table into another that has priority.
    pub(crate) fn table_into(
        &mut self,
        dest: TableId,
        source: TableId,
        nulls: Nulls,
    ) -> Result<(), Error> {
        let target = Target {
            table: dest,
            path: Path::START,
            nulls,
        };
        self.source_into(target, Source::Table(source))
    }

    fn source_into(&mut self, target: Target<'_>, source: Source<'n>) -> Result<(), Error> {
        let dest = target.table;
        if target.path.length > MAX_DEPTH {
            return Err(TooDeep.into());
        }
        match source {
            Source::Map(Untouched {
                map, without_nulls, ..
            }) => {
                for (key, field) in map.fields() {
                    if without_nulls && field.node.value == Value::Null {
                        self.tables.remember_null(dest, key, field.node.origin);
                        continue;
                    }
                    self.entry_into(target, key, Entry::of(field, without_nulls))?;
                }
            }
            Source::Table(source) => {
                let entries = self.tables.shared_entries(source);
                for (key, null) in self.tables.nulls(dest) {
                    self.tables.insert(source, key, null);
                }
                for (key, entry) in entries {
                    self.entry_into(target, &key, entry)?;
                }
            }
        }
        Ok(())
    }

    fn entry_into(
        &mut self,
        target: Target<'_>,
        key: &Arc<str>,
        entry: Entry<'n>,
    ) -> Result<(), Error> {
        let dest = target.table;
        let Some(above) = self.tables.entry_mut(dest, key) else {
            self.tables.insert(dest, Arc::clone(key), entry);
            return Ok(());
        };
        let slot = above.slot;
        // Most entries are neither tables nor null, and need no second look.
        if let (Slot::Leaf(_, origin), Slot::Leaf(_, loser)) = (&mut above.slot, entry.slot)
            && !slot.is_null()
        {
            *origin = self.chains.above(*origin, loser);
            above.key_origin = entry.key_origin;
            return Ok(());
        }
        let below = entry.slot;
        self.replaces_at(dest, key, &entry);
        if slot.is_null() {
            if target.nulls == Nulls::Delete && !below.is_null() {
                self.tables.delete(dest, key);
            }
            return Ok(());
        }
        let path = target.path.below(key);
        let source = match below {
            Slot::Leaf(..) => None,
            Slot::Untouched(untouched) => Some(Source::Map(untouched)),
            Slot::Table(table) => Some(Source::Table(table)),
        };
        match (self.tables.table(dest, key), source) {
            (Some(table), Some(source)) => {
                let target = Target {
                    table,
                    path,
                    ..target
                };
                self.source_into(target, source)?;
            }
            (None, Some(_)) => self.warn(slot, |tables| {
                let shown = show(&tables.shown(below), 'v');
                format!("cannot overwrite table with non table for {path} ({shown})")
            }),
            (Some(_), None) if !below.is_null() => self.warn(below, |tables| {
                let shown = show(&tables.shown(below), 'v');
                format!("destination for {path} is a table. Ignoring non-table value ({shown})")
            }),
            _ => {}
        }
        Ok(())
    }

    /// What stands under a key replaced what `loser` is.
    fn replaces_at(&mut self, dest: TableId, key: &str, loser: &Entry<'n>) {
        let loser_origin = self.tables.origin_of(loser.slot);
        let Some(entry) = self.tables.entry_mut(dest, key) else {
            return;
        };
        entry.key_origin = loser.key_origin;
        match &mut entry.slot {
            Slot::Leaf(_, origin) | Slot::Untouched(Untouched { origin, .. }) => {
                *origin = self.chains.above(*origin, loser_origin);
            }
            &mut Slot::Table(table) => self.replaces(table, loser_origin),
        }
    }

    fn replaces(&mut self, table: TableId, loser: OriginId) {
        let origin = match self.tables.origin(table) {
            OriginId::GENERATED => loser,
            winner => self.chains.above(winner, loser),
        };
        self.tables.set_origin(table, origin);
    }

    /// Says in Helm's words what is not merged as its writer may have meant it.
    fn warn(&mut self, slot: Slot<'n>, message: impl FnOnce(&Tables<'n>) -> String) {
        if self.warnings.len() >= MAX_WARNINGS {
            return;
        }
        let message = message(&self.tables);
        let origin = self.tables.origin_of(slot);
        self.report(Diagnostic::warning("chart-values-kind", message), origin);
    }

    /// Adds a warning, once, although Helm merges more than once.
    pub(crate) fn report(&mut self, warning: Diagnostic, origin: OriginId) {
        let warning = warning.at(self.chains.span(origin));
        if self.warnings.len() < MAX_WARNINGS && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    pub(crate) fn node(&self, table: TableId) -> Result<Node, Error> {
        Ok(self.tables.node(table)?)
    }
}

impl Entry<'_> {
    fn generated(table: TableId) -> Self {
        Self {
            key_origin: OriginId::GENERATED,
            slot: Slot::Table(table),
        }
    }
}

impl From<TooDeep> for Error {
    fn from(_: TooDeep) -> Self {
        let message = format!("the values nest deeper than {MAX_DEPTH} levels");
        let diagnostic = Diagnostic::error("chart-values", message.clone())
            .hint("look for `import-values` that take values into themselves");
        Self::new(message, diagnostic)
    }
}

impl Path<'_> {
    const START: Self = Self {
        above: None,
        key: "",
        length: 0,
    };

    fn below<'p>(&'p self, key: &'p str) -> Path<'p> {
        Path {
            above: Some(self),
            key,
            length: self.length + 1,
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(above) = self.above else {
            return Ok(());
        };
        let before = above.to_string();
        if !before.is_empty() {
            write!(f, "{before}.")?;
        }
        f.write_str(self.key)
    }
}
