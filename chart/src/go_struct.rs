//! Structs of Helm's, as templates see them: fields by name, `%v`, and what JSON makes of them.

use std::any::Any;

use cairn_template::{Encoded, Encoder, Object, Value};

/// A struct, or a pointer to one.
#[derive(Debug, Clone)]
pub(crate) struct GoStruct {
    type_name: &'static str,
    is_pointer: bool,
    fields: Vec<Field>,
}

/// A field of a struct.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    name: &'static str,
    json: &'static str,
    value: Value,
    omitted_when_empty: bool,
}

impl Field {
    /// A field and what JSON calls it.
    pub(crate) fn new(name: &'static str, json: &'static str, value: Value) -> Self {
        Self {
            name,
            json,
            value,
            omitted_when_empty: false,
        }
    }

    /// JSON leaves it out where it is empty.
    pub(crate) fn omitted_when_empty(self) -> Self {
        Self {
            omitted_when_empty: true,
            ..self
        }
    }
}

impl GoStruct {
    pub(crate) fn new(type_name: &'static str, fields: Vec<Field>) -> Self {
        Self {
            type_name,
            is_pointer: false,
            fields,
        }
    }

    /// A pointer to a struct; the name of its type starts with `*`.
    pub(crate) fn pointer(type_name: &'static str, fields: Vec<Field>) -> Self {
        Self {
            is_pointer: true,
            ..Self::new(type_name, fields)
        }
    }

    /// What an encoder makes of its fields, of which it sees all.
    pub(crate) fn encoded_fields(&self, encoder: Encoder) -> Vec<(String, Value)> {
        let fields = self.fields.iter();
        fields
            .map(|field| (encoder.name_of(field.name), field.value.clone()))
            .collect()
    }

    /// What JSON makes of its fields.
    pub(crate) fn fields_of_json(&self) -> impl Iterator<Item = (&'static str, Value)> {
        self.fields
            .iter()
            .filter(|field| !field.omitted_when_empty || field.value.is_true())
            .map(|field| (field.json, field.value.clone()))
    }
}

impl Object for GoStruct {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn kind_name(&self) -> &'static str {
        if self.is_pointer { "ptr" } else { "struct" }
    }

    fn field(&self, name: &str) -> Option<Value> {
        let mut fields = self.fields.iter();
        let field = fields.find(|field| field.name == name)?;
        Some(field.value.clone())
    }

    fn print(&self) -> String {
        let values = self.fields.iter().map(|field| field.value.to_string());
        let values: Vec<String> = values.collect();
        let pointer = if self.is_pointer { "&" } else { "" };
        format!("{pointer}{{{}}}", values.join(" "))
    }

    /// An action shows what a pointer points to.
    fn print_shown(&self) -> String {
        self.print().trim_start_matches('&').to_owned()
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(self.fields_of_json().collect())
    }

    fn encoded(&self, encoder: Encoder) -> Option<Encoded> {
        Some(Encoded::Fields(self.encoded_fields(encoder)))
    }

    fn to_value(&self) -> Value {
        Value::map(self.fields_of_json())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
