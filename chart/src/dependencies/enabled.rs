//! Puts the charts that are declared in their places, and removes those that are switched off.

use cairn_spec::{Node, OriginId};
use cairn_template::go_semver::{Constraint, Version};

use super::{Branch, Processing, conditions::Switches};
use crate::{
    Dependency, Error,
    values::{Chains, Merge, Nulls},
};

impl Processing<'_> {
    /// Helm's `processDependencyEnabled`. `values` are those of the chart above, and `path` leads
    /// to this chart in them.
    pub(super) fn enabled(
        &mut self,
        branch: &mut Branch,
        values: &Node,
        path: &str,
    ) -> Result<(), Error> {
        let Some(mut declared) = self.trunk.metadata(branch).dependencies.clone() else {
            return Ok(());
        };
        branch.dependencies =
            self.in_place(std::mem::take(&mut branch.dependencies), &mut declared);
        for dependency in &mut declared {
            dependency.enabled = true;
        }
        let mut deciders = vec![Vec::new(); declared.len()];
        let values = self.switch(branch, values, path, (&mut declared, &mut deciders))?;
        branch
            .dependencies
            .retain(|branch| !is_off(&declared, self.trunk.name(branch)));
        for (dependency, deciders) in declared.iter().zip(deciders) {
            let below = branch.dependencies.iter_mut();
            for below in below.filter(|below| self.trunk.name(below) == dependency.name) {
                below.chart.switched_on_by.extend(&deciders);
            }
        }
        if let Some(values) = values {
            for below in &mut branch.dependencies {
                let path = format!("{path}{}.", self.trunk.name(below));
                self.enabled(below, &values, &path)?;
            }
        }
        let kept: Vec<Dependency> = declared
            .iter()
            .filter(|dependency| !is_off(&declared, &dependency.name))
            .cloned()
            .collect();
        self.trunk.metadata_mut(branch).dependencies = (!kept.is_empty()).then_some(kept);
        Ok(())
    }

    /// First the charts that nobody declares, then a copy for each declaration that one of them
    /// fits, under its alias.
    fn in_place(&mut self, charts: Vec<Branch>, declared: &mut [Dependency]) -> Vec<Branch> {
        let fits = |chart: &Branch, dependency: &Dependency| {
            let metadata = self.trunk.metadata(chart);
            metadata.name == dependency.name
                && is_compatible(&dependency.version, &metadata.version)
        };
        let chosen: Vec<Option<usize>> = declared
            .iter()
            .map(|dependency| charts.iter().position(|chart| fits(chart, dependency)))
            .collect();
        let is_declared =
            |chart: &Branch| declared.iter().any(|dependency| fits(chart, dependency));
        let undeclared: Vec<bool> = charts.iter().map(|chart| !is_declared(chart)).collect();
        let mut charts: Vec<Option<Branch>> = charts.into_iter().map(Some).collect();
        let mut placed: Vec<Branch> = charts
            .iter_mut()
            .zip(&undeclared)
            .filter(|&(_, &undeclared)| undeclared)
            .filter_map(|(chart, _)| chart.take())
            .collect();
        for (number, dependency) in declared.iter_mut().enumerate() {
            if let Some(index) = chosen[number] {
                let is_needed_again = chosen[number + 1..].contains(&Some(index));
                let chart = if is_needed_again {
                    charts[index].clone()
                } else {
                    charts[index].take()
                };
                placed.extend(chart.map(|mut chart| {
                    self.trunk.separate(&mut chart);
                    if !dependency.alias.is_empty() {
                        self.trunk
                            .metadata_mut(&chart)
                            .name
                            .clone_from(&dependency.alias);
                    }
                    chart
                }));
            }
            if !dependency.alias.is_empty() {
                dependency.name.clone_from(&dependency.alias);
            }
        }
        placed
    }

    /// Switches dependencies on and off, and gives the values of the chart, if a chart that stays in
    /// it needs them.
    fn switch(
        &mut self,
        branch: &Branch,
        values: &Node,
        path: &str,
        (declared, deciders): (&mut [Dependency], &mut [Vec<OriginId>]),
    ) -> Result<Option<Node>, Error> {
        let chains = Chains::forgotten(self.origins);
        let mut merge = Merge::new(chains, self.warnings, self.dialect);
        let table = merge.tables.of(values);
        merge.chart(&self.trunk.values(branch), table, Nulls::Delete)?;
        let mut switches = Switches {
            merge: &mut merge,
            values: table,
        };
        switches.tags(declared, deciders);
        switches.conditions(declared, path, deciders);
        let mut below = branch.dependencies.iter();
        let is_needed = below.any(|branch| {
            let metadata = self.trunk.metadata(branch);
            metadata.dependencies.is_some() && !is_off(declared, &metadata.name)
        });
        is_needed.then(|| merge.node(table)).transpose()
    }
}

fn is_off(declared: &[Dependency], name: &str) -> bool {
    let mut declared = declared.iter();
    declared.any(|dependency| !dependency.enabled && dependency.name == name)
}

fn is_compatible(constraint: &str, version: &str) -> bool {
    let Ok(version) = Version::parse(version) else {
        return false;
    };
    Constraint::parse(constraint).is_ok_and(|constraint| constraint.check(&version))
}
