//! Objects: `properties`, `required` and their like.

use super::{Check, Validator, flattened};
use crate::schema::{
    draft::Draft,
    instance::{Fields, Instance},
    model::{Additional, Dependency, SchemaId},
    violation::{Violation, What, list, single_quoted, sizes},
};

impl<'s> Validator<'s> {
    pub(super) fn object<'v>(&mut self, check: &mut Check<'s, 'v>, fields: Fields<'v>) {
        let schema = check.schema;
        let counted = fields.len();
        if let Some(least) = schema.min_properties.filter(|least| counted < *least) {
            self.add(check, || sizes("minProperties", counted, least));
        }
        if let Some(most) = schema.max_properties.filter(|most| counted > *most) {
            self.add(check, || sizes("maxProperties", counted, most));
        }
        let missing = missing(fields, &schema.required);
        match missing.as_slice() {
            [] => {}
            [one] => self.add(check, || format!("missing property {}", single_quoted(one))),
            several => self.add(check, || format!("missing properties {}", list(several))),
        }
        if check.is_decided() {
            return;
        }
        for (name, dependency) in &schema.dependencies {
            if fields.get(name).is_none() {
                continue;
            }
            match dependency {
                Dependency::Properties(required) => self.dependent(check, fields, name, required),
                Dependency::Schema(id) => {
                    let found = self.check_self(check, *id, "", false);
                    check.found.extend(found.err());
                }
            }
        }
        self.properties(check, fields);
        if schema.draft == Draft::Four {
            return;
        }
        if let Some(id) = schema.property_names {
            self.property_names(check, id, fields);
        }
        if schema.draft == Draft::Six {
            return;
        }
        for (name, id) in &schema.dependent_schemas {
            if fields.get(name).is_some() {
                let found = self.check_self(check, *id, "", false);
                check.found.extend(found.err());
            }
        }
        for (name, required) in &schema.dependent_required {
            if fields.get(name).is_some() {
                self.dependent(check, fields, name, required);
            }
        }
    }

    fn properties<'v>(&mut self, check: &mut Check<'s, 'v>, fields: Fields<'v>) {
        let schema = check.schema;
        let mut additional = Vec::new();
        for (name, value) in fields.iter() {
            if check.is_decided() {
                return;
            }
            let mut evaluated = false;
            if let Some(id) = schema.properties.get(name) {
                evaluated = true;
                let found = self.check_child(check, *id, value, name);
                check.found.extend(found.err());
            }
            for (pattern, id) in &schema.pattern_properties {
                if pattern.is_match(name) {
                    evaluated = true;
                    let found = self.check_child(check, *id, value, name);
                    check.found.extend(found.err());
                }
            }
            if !evaluated {
                evaluated = schema.additional_properties.is_said();
                match schema.additional_properties {
                    Additional::Allowed(false) => additional.push(name),
                    Additional::Schema(id) => {
                        let found = self.check_child(check, id, value, name);
                        check.found.extend(found.err());
                    }
                    Additional::Allowed(true) | Additional::Unsaid => {}
                }
            }
            if evaluated {
                check.unevaluated.properties.remove(name);
            }
        }
        if !additional.is_empty() {
            self.add(check, || {
                format!("additional properties {} not allowed", list(&additional))
            });
        }
    }

    fn property_names<'v>(&mut self, check: &mut Check<'s, 'v>, id: SchemaId, fields: Fields<'v>) {
        for (name, _) in fields.iter() {
            if let Err(found) = self.check_alone(id, Instance::Name(name), false) {
                // The library forgets where the object is.
                check.found.push(Violation {
                    location: String::new(),
                    what: What::Words(format!("invalid propertyName {}", single_quoted(name))),
                    causes: flattened(found),
                    origin: check.value.origin(),
                });
            }
        }
    }

    fn dependent(
        &mut self,
        check: &mut Check<'s, '_>,
        fields: Fields<'_>,
        name: &str,
        required: &[String],
    ) {
        let missing = missing(fields, required);
        if !missing.is_empty() {
            self.add(check, || {
                let (missing, name) = (list(&missing), single_quoted(name));
                format!("properties {missing} required, if {name} exists")
            });
        }
    }
}

fn missing<'n>(fields: Fields<'_>, required: &'n [String]) -> Vec<&'n str> {
    required
        .iter()
        .map(String::as_str)
        .filter(|name| fields.get(name).is_none())
        .collect()
}
