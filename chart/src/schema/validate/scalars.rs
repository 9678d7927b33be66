//! Texts and numbers.

use super::{Check, Validator};
use crate::schema::{
    decimal::is_multiple,
    violation::{number, single_quoted, sizes},
};

impl<'s> Validator<'s> {
    pub(super) fn string(&mut self, check: &mut Check<'s, '_>, text: &str) {
        let schema = check.schema;
        if schema.min_length.or(schema.max_length).is_some() {
            let length = text.chars().count();
            if let Some(least) = schema.min_length.filter(|least| length < *least) {
                self.add(check, || sizes("minLength", length, least));
            }
            if let Some(most) = schema.max_length.filter(|most| length > *most) {
                self.add(check, || sizes("maxLength", length, most));
            }
        }
        if let Some(pattern) = &schema.pattern
            && !pattern.is_match(text)
        {
            self.add(check, || {
                let (text, pattern) = (single_quoted(text), single_quoted(pattern.text()));
                format!("{text} does not match pattern {pattern}")
            });
        }
    }

    pub(super) fn number(&mut self, check: &mut Check<'s, '_>, value: f64) {
        let schema = check.schema;
        let limits = [
            ("minimum", &schema.minimum),
            ("maximum", &schema.maximum),
            ("exclusiveMinimum", &schema.exclusive_minimum),
            ("exclusiveMaximum", &schema.exclusive_maximum),
            ("multipleOf", &schema.multiple_of),
        ];
        for (keyword, limit) in limits {
            let Some(limit) = limit else {
                continue;
            };
            let fits = match keyword {
                "minimum" => value >= limit.value,
                "maximum" => value <= limit.value,
                "exclusiveMinimum" => value > limit.value,
                "exclusiveMaximum" => value < limit.value,
                _ => is_multiple(value, &limit.text),
            };
            if !fits {
                self.add(check, || {
                    format!(
                        "{keyword}: got {}, want {}",
                        number(value),
                        number(limit.value)
                    )
                });
            }
        }
    }
}
