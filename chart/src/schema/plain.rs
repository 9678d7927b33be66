//! Schemas that are plainly what their draft wants, so that nobody need make its schema of schemas
//! ready to say so. That one has the last word on all else, and says what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use super::{draft::Draft, formats::Format, json::Json, model::Type};

/// Whether a part of a document is a schema beyond doubt.
pub(super) fn is_plain(schema: &Json, draft: Draft) -> bool {
    match schema {
        Json::Object(fields) => fields
            .iter()
            .all(|(keyword, value)| is_plain_keyword(keyword, value, draft)),
        Json::Bool(_) => draft > Draft::Four,
        _ => false,
    }
}

fn is_plain_keyword(keyword: &str, value: &Json, draft: Draft) -> bool {
    let is_schema = |value: &Json| is_plain(value, draft);
    let are_schemas =
        |values: &[Json]| !values.is_empty() && values.iter().all(|value| is_plain(value, draft));
    match keyword {
        "$comment" | "contentEncoding" | "contentMediaType" | "description" | "format"
        | "title" => value.as_str().is_some(),
        "enum" | "examples" => value.as_array().is_some(),
        "deprecated" | "readOnly" | "uniqueItems" | "writeOnly" => matches!(value, Json::Bool(_)),
        "type" => is_type(value),
        "required" => are_names(value, draft),
        "maxItems" | "maxLength" | "maxProperties" | "minItems" | "minLength" | "minProperties" => {
            matches!(value, Json::Number(number) if number.is_integer() && number.value >= 0.0)
        }
        "maximum" | "minimum" => matches!(value, Json::Number(_)),
        "exclusiveMaximum" | "exclusiveMinimum" => {
            draft > Draft::Four && matches!(value, Json::Number(_))
        }
        "multipleOf" => matches!(value, Json::Number(number) if number.value > 0.0),
        "pattern" => value.as_str().is_some_and(is_regex),
        "$defs" | "definitions" | "dependentSchemas" | "properties" => {
            all_fields(value, |(_, value)| is_schema(value))
        }
        "patternProperties" => all_fields(value, |(pattern, value)| {
            is_regex(pattern) && is_schema(value)
        }),
        "additionalItems" | "additionalProperties" => {
            matches!(value, Json::Bool(_)) || is_schema(value)
        }
        "contains"
        | "contentSchema"
        | "else"
        | "if"
        | "not"
        | "propertyNames"
        | "then"
        | "unevaluatedItems"
        | "unevaluatedProperties" => is_schema(value),
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => value.as_array().is_some_and(are_schemas),
        "items" => match value {
            Json::Array(items) => draft < Draft::Year2020 && are_schemas(items),
            _ => is_schema(value),
        },
        "$ref" => value.as_str().is_some_and(is_local_reference),
        "$id" => value.as_str().is_some_and(is_usual_address),
        "$schema" => value
            .as_str()
            .is_some_and(|url| Draft::from_url(url).is_some()),
        // These are rare, and what they hold has rules of its own.
        "$anchor" | "$dynamicAnchor" | "$dynamicRef" | "$recursiveAnchor" | "$recursiveRef"
        | "$vocabulary" | "dependencies" | "dependentRequired" | "id" | "maxContains"
        | "minContains" => false,
        // Any value may be a constant or a default, and what else there is no draft knows.
        _ => true,
    }
}

fn all_fields(value: &Json, is_plain: impl FnMut((&String, &Json)) -> bool) -> bool {
    let fields: Option<&BTreeMap<String, Json>> = value.as_object();
    fields.is_some_and(|fields| fields.iter().all(is_plain))
}

fn is_type(value: &Json) -> bool {
    let is_named = |value: &Json| {
        value
            .as_str()
            .is_some_and(|name| Type::ALL.iter().any(|it| it.name() == name))
    };
    match value {
        Json::Array(names) => {
            !names.is_empty() && names.iter().all(is_named) && are_different(names)
        }
        _ => is_named(value),
    }
}

fn are_names(value: &Json, draft: Draft) -> bool {
    value.as_array().is_some_and(|names| {
        names.iter().all(|name| name.as_str().is_some())
            && are_different(names)
            && (draft > Draft::Four || !names.is_empty())
    })
}

/// Whether no two texts are the same.
fn are_different(texts: &[Json]) -> bool {
    let mut seen = BTreeSet::new();
    texts.iter().all(|text| seen.insert(text.as_str()))
}

fn is_regex(text: &str) -> bool {
    Format::from_name("regex").is_some_and(|format| format.check(text).is_ok())
}

/// Whether it is a pointer within the document, of which nothing is encoded.
fn is_local_reference(text: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.$".contains(&byte);
    text.strip_prefix('#')
        .is_some_and(|pointer| pointer.bytes().all(is_usual))
}

/// Whether it is the address of a page, with nothing in it that is encoded.
fn is_usual_address(text: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .is_some_and(|rest| rest.starts_with(char::is_alphanumeric) && rest.bytes().all(is_usual))
}

#[cfg(test)]
mod tests {
    use super::{super::metaschema::violations, Draft, Json, is_plain};

    const DRAFTS: [Draft; 5] = [
        Draft::Four,
        Draft::Six,
        Draft::Seven,
        Draft::Year2019,
        Draft::Year2020,
    ];
    const KEYWORDS: &str = "$anchor $comment $defs $dynamicAnchor $dynamicRef $id $recursiveAnchor \
        $recursiveRef $ref $schema $vocabulary additionalItems additionalProperties allOf anyOf const \
        contains contentEncoding contentMediaType contentSchema default definitions dependencies \
        dependentRequired dependentSchemas deprecated description else enum examples \
        exclusiveMaximum exclusiveMinimum format id if items maxContains maxItems maxLength \
        maxProperties maximum minContains minItems minLength minProperties minimum multipleOf not \
        oneOf pattern patternProperties prefixItems properties propertyNames readOnly required then \
        title type unevaluatedItems unevaluatedProperties uniqueItems writeOnly x-mine";
    const VALUES: [&str; 26] = [
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "2e0",
        r#""""#,
        r#""string""#,
        r##""#/a/b""##,
        r##""#a%""##,
        r#""(""#,
        r#""http://json-schema.org/schema#""#,
        r#""http://[""#,
        r#""https://example.com/a-b/c.json""#,
        r#""https://-""#,
        "[]",
        "[[]]",
        "[true]",
        "[{}]",
        r#"["string"]"#,
        r#"["string", "string"]"#,
        r#"["string", "null"]"#,
        "{}",
        r#"{"type": 1}"#,
        r#"{"(": {}}"#,
        r#"{"a": {"type": "object"}, "b": {"minimum": 0}}"#,
    ];

    #[test]
    fn what_is_plain_the_schema_of_schemas_accepts() {
        let mut plain = 0;
        for keyword in KEYWORDS.split_whitespace() {
            for value in VALUES {
                let schema = Json::parse(&format!("{{{keyword:?}: {value}}}")).unwrap();
                for draft in DRAFTS {
                    if is_plain(&schema, draft) {
                        plain += 1;
                        let found = violations(&schema, draft).unwrap();
                        assert!(found.is_empty(), "{keyword}: {value} in {draft:?}");
                    }
                }
            }
        }
        assert!(plain > 1_000, "{plain}");
    }

    #[test]
    fn what_charts_say_is_plain() {
        let schema = r##"{
            "$schema": "http://json-schema.org/schema#",
            "type": "object",
            "required": ["image"],
            "properties": {
                "image": {"$ref": "#/$defs/image"},
                "replicas": {"type": ["integer", "null"], "minimum": 0, "default": 1},
                "extra": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}},
                "any": true
            },
            "additionalProperties": false,
            "$defs": {"image": {"oneOf": [{"type": "string"}, {"type": "object"}]}}
        }"##;
        let schema = Json::parse(schema).unwrap();
        assert!(is_plain(&schema, Draft::Year2020));
        assert!(is_plain(&schema, Draft::Seven));
        assert!(!is_plain(&schema, Draft::Four));
    }
}
