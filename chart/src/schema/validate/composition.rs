//! Schemas that call on others: `allOf` and its like, conditions, references.

use super::{Check, Validator, flattened};
use crate::schema::{
    model::SchemaId,
    violation::{Violation, What, count},
};

impl<'s> Validator<'s> {
    pub(super) fn conditions(&mut self, check: &mut Check<'s, '_>) {
        let schema = check.schema;
        if let Some(id) = schema.not
            && self.check_self(check, id, "", true).is_ok()
        {
            self.add(check, || "'not' failed".to_owned());
        }
        let mut causes = Vec::new();
        for id in &schema.all_of {
            if let Err(found) = self.check_self(check, *id, "", false) {
                causes.push(found);
                if check.quiet {
                    break;
                }
            }
        }
        if !causes.is_empty() {
            self.add_with(check, causes, || "'allOf' failed".to_owned());
        }
        self.any_of(check);
        self.one_of(check);
        if let Some(condition) = schema.condition {
            let holds = self.check_self(check, condition.if_valid, "", true).is_ok();
            let next = if holds {
                condition.then
            } else {
                condition.otherwise
            };
            if let Some(id) = next {
                let found = self.check_self(check, id, "", false);
                check.found.extend(found.err());
            }
        }
    }

    fn any_of(&mut self, check: &mut Check<'s, '_>) {
        let mut causes = Vec::new();
        let mut matched = check.schema.any_of.is_empty();
        for id in &check.schema.any_of {
            if let Err(found) = self.check_self(check, *id, "", false) {
                causes.push(found);
                continue;
            }
            matched = true;
            // Whoever asks what was looked at needs to know of all of them.
            if check.unevaluated.is_empty() {
                break;
            }
        }
        if !matched {
            self.add_with(check, causes, || "'anyOf' failed".to_owned());
        }
    }

    fn one_of(&mut self, check: &mut Check<'s, '_>) {
        let mut causes = Vec::new();
        let mut matched = None;
        for (index, id) in check.schema.one_of.iter().enumerate() {
            match (self.check_self(check, *id, "", matched.is_some()), matched) {
                (Err(found), None) => causes.push(found),
                (Err(_), Some(_)) => {}
                (Ok(()), None) => matched = Some(index),
                (Ok(()), Some(first)) => {
                    self.add(check, || {
                        let (first, second) = (count(first), count(index));
                        format!("'oneOf' failed, subschemas {first}, {second} matched")
                    });
                    break;
                }
            }
        }
        if matched.is_none() && !check.schema.one_of.is_empty() {
            self.add_with(check, causes, || "'oneOf' failed, none matched".to_owned());
        }
    }

    pub(super) fn follow(
        &mut self,
        check: &mut Check<'s, '_>,
        target: SchemaId,
        keyword: &'static str,
    ) -> Result<(), Violation> {
        self.check_self(check, target, keyword, false)
            .map_err(|found| Violation {
                location: self.location(),
                origin: check.value.origin(),
                what: What::Reference,
                causes: flattened(found),
            })
    }

    pub(super) fn dynamic_references(&mut self, check: &mut Check<'s, '_>) {
        let schema = check.schema;
        if let Some(target) = schema.recursive_reference {
            let is_anchor = |id: SchemaId| {
                let schema = self.schemas.get(id);
                schema.is_some_and(|schema| schema.recursive_anchor)
            };
            let outermost = self.resources().find(|id| is_anchor(*id));
            let target = outermost.filter(|_| is_anchor(target)).unwrap_or(target);
            let found = self.follow(check, target, "$recursiveRef");
            check.found.extend(found.err());
        }
        if let Some(reference) = &schema.dynamic_reference {
            let mut target = reference.target;
            let first = self.schemas.get(target);
            let is_dynamic = !reference.anchor.is_empty()
                && first.is_some_and(|first| first.dynamic_anchor == reference.anchor);
            if is_dynamic {
                let anchored = |id: SchemaId| {
                    let anchors = &self.schemas.get(id)?.dynamic_anchors;
                    anchors.get(&reference.anchor).copied()
                };
                target = self.resources().find_map(anchored).unwrap_or(target);
            }
            let found = self.follow(check, target, "$dynamicRef");
            check.found.extend(found.err());
        }
    }

    /// The resources that lie around, the outermost first.
    fn resources(&self) -> impl Iterator<Item = SchemaId> {
        let schemas = self.scopes.iter();
        schemas.filter_map(|scope| self.schemas.get(scope.schema)?.resource)
    }
}
