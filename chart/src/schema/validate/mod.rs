//! Holds values against compiled schemas, step by step as Helm's library does: what it finds,
//! and in which order, is what people see.

mod arrays;
mod composition;
mod mismatch;
mod objects;
mod scalars;

use std::{cell::Cell, collections::BTreeSet};

use self::mismatch::mismatch;
use super::{
    address::{push_token, quoted},
    draft::Draft,
    instance::{Instance, Shape},
    model::{Schema, SchemaId, Schemas},
    violation::{Violation, What},
};

/// How deep schemas may call on schemas: keeps the stack of a thread with 2 MiB safe.
const MAX_DEPTH: usize = 300;
/// How often schemas may be held against values: about a second of work.
pub(super) const MAX_STEPS: u64 = 5_000_000;

/// How long what is found may be, in bytes: far more than anybody reads.
const MAX_FINDINGS_BYTES: usize = 16 << 20;

/// Why values were not checked to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exhausted {
    Depth,
    Steps,
    Findings,
}

/// What is wrong with the value, if anything is; `steps` is how often schemas may be held against
/// values.
pub(super) fn validate(
    schemas: &Schemas,
    root: SchemaId,
    value: Instance<'_>,
    steps: u64,
) -> Result<Vec<Violation>, Exhausted> {
    let mut validator = Validator {
        schemas,
        scopes: Vec::new(),
        path: String::new(),
        next_value: 0,
        steps_left: steps,
        depth: 0,
        text_left: Cell::new(MAX_FINDINGS_BYTES),
        exhausted: None,
    };
    let found = validator.check_alone(root, value, false);
    if validator.text_left.get() == 0 {
        return Err(Exhausted::Findings);
    }
    if let Some(exhausted) = validator.exhausted {
        return Err(exhausted);
    }
    Ok(found.err().map(flattened).unwrap_or_default())
}

/// A group is only what is in it.
fn flattened(violation: Violation) -> Vec<Violation> {
    match violation.what {
        What::Group => violation.causes,
        _ => vec![violation],
    }
}

/// What no schema has looked at yet.
#[derive(Debug, Default)]
struct Unevaluated<'v> {
    properties: BTreeSet<&'v str>,
    items: BTreeSet<usize>,
}

impl<'v> Unevaluated<'v> {
    fn new(value: Shape<'v>, schema: &Schema, caller_asks: bool) -> Self {
        let mut new = Self::default();
        match value {
            Shape::Object(fields)
                if !schema.all_properties_evaluated
                    && (caller_asks || schema.unevaluated_properties.is_some()) =>
            {
                new.properties = fields.iter().map(|(key, _)| key).collect();
            }
            Shape::Array(items)
                if !schema.all_items_evaluated
                    && (caller_asks || schema.unevaluated_items.is_some()) =>
            {
                new.items = (schema.items_evaluated..items.len()).collect();
            }
            _ => {}
        }
        new
    }

    fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.items.is_empty()
    }

    /// Keeps what neither has looked at.
    fn merge(&mut self, other: &Self) {
        self.properties.retain(|key| other.properties.contains(key));
        self.items.retain(|index| other.items.contains(index));
    }
}

#[derive(Debug, Clone, Copy)]
struct Scope {
    schema: SchemaId,
    /// Which value it is held against.
    value: u64,
    /// The keyword that led here, where it is a reference.
    keyword: &'static str,
}

struct Validator<'s> {
    schemas: &'s Schemas,
    scopes: Vec<Scope>,
    /// The JSON Pointer to the value.
    path: String,
    next_value: u64,
    steps_left: u64,
    depth: usize,
    /// How many bytes of findings are left.
    text_left: Cell<usize>,
    exhausted: Option<Exhausted>,
}

/// One schema held against one value.
struct Check<'s, 'v> {
    schema: &'s Schema,
    value: Instance<'v>,
    shape: Shape<'v>,
    unevaluated: Unevaluated<'v>,
    /// Only whether the value fits is of interest.
    quiet: bool,
    found: Vec<Violation>,
}

impl Check<'_, '_> {
    fn is_decided(&self) -> bool {
        self.quiet && !self.found.is_empty()
    }
}

type Outcome<'v> = Result<Unevaluated<'v>, Violation>;

impl<'s> Validator<'s> {
    /// Begins anew, without what is around.
    fn check_alone<'v>(&mut self, id: SchemaId, value: Instance<'v>, quiet: bool) -> Outcome<'v> {
        let around = std::mem::take(&mut self.scopes);
        let path = std::mem::take(&mut self.path);
        let found = self.check_value(id, value, quiet);
        (self.scopes, self.path) = (around, path);
        found
    }

    /// Holds a schema against another value.
    fn check_value<'v>(&mut self, id: SchemaId, value: Instance<'v>, quiet: bool) -> Outcome<'v> {
        self.next_value += 1;
        let scope = Scope {
            schema: id,
            value: self.next_value,
            keyword: "",
        };
        self.check(scope, value, quiet, false)
    }

    fn check_child<'v>(
        &mut self,
        check: &mut Check<'_, 'v>,
        id: SchemaId,
        value: Instance<'v>,
        token: &str,
    ) -> Result<(), Violation> {
        let length = self.path.len();
        push_token(&mut self.path, token);
        let found = self.check_value(id, value, check.quiet);
        self.path.truncate(length);
        found.map(drop)
    }

    /// Holds another schema against the same value.
    fn check_self(
        &mut self,
        check: &mut Check<'_, '_>,
        id: SchemaId,
        keyword: &'static str,
        quiet: bool,
    ) -> Result<(), Violation> {
        let value = self.scopes.last().map_or(0, |scope| scope.value);
        let scope = Scope {
            schema: id,
            value,
            keyword,
        };
        let asks = !check.unevaluated.is_empty();
        let quiet = check.quiet || quiet;
        let unevaluated = self.check(scope, check.value, quiet, asks)?;
        check.unevaluated.merge(&unevaluated);
        Ok(())
    }

    fn check<'v>(
        &mut self,
        scope: Scope,
        value: Instance<'v>,
        quiet: bool,
        caller_asks: bool,
    ) -> Outcome<'v> {
        let exhausted = if self.depth == MAX_DEPTH {
            Some(Exhausted::Depth)
        } else if self.steps_left == 0 {
            Some(Exhausted::Steps)
        } else {
            None
        };
        let schema = self.schemas.get(scope.schema);
        let (None, None, Some(schema)) = (self.exhausted, exhausted, schema) else {
            self.exhausted = self.exhausted.or(exhausted);
            return Err(Violation::default());
        };
        self.steps_left -= 1;
        self.depth += 1;
        self.scopes.push(scope);
        let shape = value.shape();
        let check = Check {
            schema,
            value,
            shape,
            unevaluated: Unevaluated::new(shape, schema, caller_asks),
            quiet,
            found: Vec::new(),
        };
        let found = self.run(check);
        self.scopes.pop();
        self.depth -= 1;
        found
    }

    fn run<'v>(&mut self, mut check: Check<'s, 'v>) -> Outcome<'v> {
        let schema = check.schema;
        if let Some(allowed) = schema.boolean {
            return if allowed {
                Ok(check.unevaluated)
            } else {
                Err(self.violation(&check, || "false schema".to_owned()))
            };
        }
        if let Some(cycle) = self.reference_cycle() {
            return Err(self.violation(&check, || cycle));
        }
        if let Some(words) = mismatch(schema, check.shape) {
            return Err(self.violation(&check, words));
        }
        if let Some(target) = schema.reference {
            let found = self.follow(&mut check, target, "$ref");
            if schema.draft < Draft::Year2019 {
                return found.map(|()| check.unevaluated);
            }
            check.found.extend(found.err());
        }
        match check.shape {
            Shape::Object(fields) => self.object(&mut check, fields),
            Shape::Array(items) => self.array(&mut check, items),
            Shape::String(text) => self.string(&mut check, text),
            Shape::Number(value) => self.number(&mut check, value),
            Shape::Null | Shape::Bool(_) => {}
        }
        if !check.is_decided() {
            if schema.draft >= Draft::Year2019 {
                self.dynamic_references(&mut check);
            }
            self.conditions(&mut check);
            if schema.draft >= Draft::Year2019 {
                self.unevaluated(&mut check);
            }
        }
        match check.found.len() {
            0 => Ok(check.unevaluated),
            1 => Err(check.found.pop().unwrap_or_default()),
            _ if check.quiet => Err(Violation::default()),
            _ => Err(Violation {
                location: self.location(),
                origin: check.value.origin(),
                what: What::Group,
                causes: check.found,
            }),
        }
    }

    fn unevaluated<'v>(&mut self, check: &mut Check<'s, 'v>) {
        let schema = check.schema;
        match (
            check.shape,
            schema.unevaluated_properties,
            schema.unevaluated_items,
        ) {
            (Shape::Object(fields), Some(id), _) => {
                for name in std::mem::take(&mut check.unevaluated.properties) {
                    if let Some(value) = fields.get(name) {
                        let found = self.check_child(check, id, value, name);
                        check.found.extend(found.err());
                    }
                }
            }
            (Shape::Array(items), _, Some(id)) => {
                let unevaluated = std::mem::take(&mut check.unevaluated.items);
                for (index, item) in items.iter().enumerate() {
                    if unevaluated.contains(&index) {
                        let found = self.check_child(check, id, item, &index.to_string());
                        check.found.extend(found.err());
                    }
                }
            }
            _ => {}
        }
    }

    /// What is wrong when the same schema is held against the same value within itself.
    fn reference_cycle(&self) -> Option<String> {
        let (last, around) = self.scopes.split_last()?;
        let first = around
            .iter()
            .rposition(|scope| scope.value != last.value)
            .map_or(0, |index| index + 1);
        let same = around.get(first..)?;
        let index = same.iter().rposition(|scope| scope.schema == last.schema)?;
        let location = self.schemas.address(last.schema)?.shown();
        Some(format!(
            "both {} and {} resolve to {} causing reference cycle",
            self.keyword_location(self.scopes.len()),
            self.keyword_location(first + index + 1),
            quoted(&location)
        ))
    }

    /// Through which keywords the scopes lead.
    fn keyword_location(&self, count: usize) -> String {
        let mut out = String::new();
        let mut parent = String::new();
        for (index, scope) in self.scopes.iter().take(count).enumerate() {
            let Some(address) = self.schemas.address(scope.schema) else {
                continue;
            };
            let location = address.shown();
            if index > 0 {
                if scope.keyword.is_empty() {
                    out.push_str(location.get(parent.len()..).unwrap_or_default());
                } else {
                    push_token(&mut out, scope.keyword);
                }
            }
            parent = location;
        }
        out
    }

    fn violation(&self, check: &Check<'_, '_>, words: impl FnOnce() -> String) -> Violation {
        if check.quiet {
            return Violation::default();
        }
        let words = words();
        self.spend(words.len());
        Violation {
            location: self.location(),
            what: What::Words(words),
            causes: Vec::new(),
            origin: check.value.origin(),
        }
    }

    /// Where the value is, for a finding.
    fn location(&self) -> String {
        self.spend(self.path.len());
        if self.text_left.get() == 0 {
            return String::new();
        }
        self.path.clone()
    }

    fn spend(&self, bytes: usize) {
        let left = self.text_left.get().saturating_sub(bytes);
        self.text_left.set(left);
    }

    fn add(&mut self, check: &mut Check<'_, '_>, words: impl FnOnce() -> String) {
        let violation = self.violation(check, words);
        check.found.push(violation);
    }

    fn add_with(
        &mut self,
        check: &mut Check<'_, '_>,
        causes: Vec<Violation>,
        words: impl FnOnce() -> String,
    ) {
        let violation = self.violation(check, words);
        check.found.push(Violation {
            causes,
            ..violation
        });
    }
}
