//! Schemas that mean harm: each ends in a clear error, and none in a panic or without end.

use cairn_chart::Error;

use crate::schemas::check;

fn message(schema: &str, values: &str) -> String {
    let Err(error) = check(schema, values) else {
        return "fits".to_owned();
    };
    assert!(error.diagnostic().hint.is_some());
    Error::helm_message(&error).to_owned()
}

/// Each of `count` definitions refers to the next one, and the last one to the first.
fn circle(count: usize) -> String {
    let definitions: Vec<_> = (0..count)
        .map(|number| {
            let next = (number + 1) % count;
            format!(r##""d{number}": {{"$ref": "#/$defs/d{next}"}}"##)
        })
        .collect();
    let definitions = definitions.join(",");
    format!(r##"{{"$ref": "#/$defs/d0", "$defs": {{{definitions}}}}}"##)
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}true{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn references_in_circles_are_found() {
    for (count, expected) in [
        (1, "causing reference cycle"),
        (2, "causing reference cycle"),
        (200, "causing reference cycle"),
        (5_000, "nests too deep"),
    ] {
        let found = message(&circle(count), "{}");
        assert!(found.contains(expected), "{count}: {found:.300}");
    }
}

/// A schema that is another, which is another, and so on.
fn referring(count: usize) -> String {
    let schemas: Vec<_> = (0..count)
        .map(|index| format!(r##""d{index}": {{"$ref": "#/$defs/d{}"}}"##, index + 1))
        .collect();
    let schemas = schemas.join(",");
    format!(r##"{{"$ref": "#/$defs/d0", "$defs": {{{schemas}, "d{count}": {{}}}}}}"##)
}

#[test]
fn schemas_do_not_nest_without_end() {
    const TOO_DEEP: &str = "nests too deep";
    for (schema, values, expected) in [
        (
            nested(r#"{"not":"#, "}", 100_000),
            "{}",
            "exceeded max depth",
        ),
        (nested("[", "]", 100_000), "{}", "exceeded max depth"),
        (referring(400), "{}", TOO_DEEP),
        (nested(r#"{"not":"#, "}", 150), "{}", "fits"),
        (nested(r#"{"not":"#, "}", 40), "{}", "fits"),
        (
            nested(r#"{"properties":{"a":"#, "}}", 40),
            "a: {a: {a: 1}}",
            "fits",
        ),
    ] {
        let found = message(&schema, values);
        assert!(found.contains(expected), "{schema:.40}: {found:.300}");
    }
}

#[test]
fn patterns_take_time_that_grows_with_the_text() {
    let evil = r#"{"properties": {"a": {"pattern": "^(a+)+$"}}}"#;
    let text = format!("a: {}b", "a".repeat(100_000));
    assert!(message(evil, &text).contains("does not match pattern"));
    let huge = r#"{"properties": {"a": {"pattern": "(((x{1000}){1000}){1000})"}}}"#;
    assert!(message(huge, "a: x").starts_with("values don't meet"));
}

#[test]
fn nothing_is_read_from_elsewhere() {
    for (reference, expected) in [
        ("https://example.com/x", "not fetched from the network"),
        ("http://169.254.169.254/x", "not fetched from the network"),
        ("//example.com/x", "no such file or directory"),
        (
            "file:///etc/passwd",
            "open /etc/passwd: no such file or directory",
        ),
        ("../../etc/passwd", "no such file or directory"),
        ("ftp://example.com/x", "no URLLoader registered"),
    ] {
        let found = message(&format!(r#"{{"$ref": "{reference}"}}"#), "{}");
        assert!(found.contains(expected), "{reference}: {found}");
        let found = message(&format!(r#"{{"$schema": "{reference}"}}"#), "{}");
        assert!(
            found.starts_with("values don't meet"),
            "{reference}: {found}"
        );
    }
}

#[test]
fn large_and_broken_schemas_end() {
    let names = format!(r#"{{"required": ["a", "{}"]}}"#, "x".repeat(1 << 20));
    assert!(message(&names, "{}").contains("missing properties"));
    let items: Vec<_> = (0..8_000).map(|number| number.to_string()).collect();
    let values = format!("a: [{}, 1]", items.join(","));
    let unique = r#"{"properties": {"a": {"uniqueItems": true}}}"#;
    assert!(message(unique, &values).contains("items at 1 and 8,000 are equal"));
    let many: Vec<_> = (0..3_000)
        .map(|number| format!(r#"{{"const": {number}}}"#))
        .collect();
    let one_of = format!(
        r#"{{"properties": {{"a": {{"oneOf": [{}]}}}}}}"#,
        many.join(",")
    );
    assert_eq!(message(&one_of, "a: 5"), "fits");
    for schema in [
        "\0",
        "{",
        r#"{"$id": "http://["}"#,
        r##"{"$ref": "#/%"}"##,
        r##"{"$ref": "#/a~"}"##,
        r#"{"$id": "::"}"#,
        r#"{"$anchor": 5, "$ref": "a b"}"#,
        r#"{"type": ["x"]}"#,
        r#"{"minLength": 1e999}"#,
    ] {
        assert!(
            message(schema, "{}").starts_with("values don't meet"),
            "{schema}"
        );
    }
    let tiny = r#"{"properties": {"a": {"multipleOf": 1e-300}}}"#;
    assert_eq!(message(tiny, "a: 1e300"), "fits");
}

#[test]
fn long_keys_do_not_multiply() {
    let key = "k".repeat(1 << 16);
    let many: Vec<_> = (0..1_000)
        .map(|number| format!(r#""{number}": {{}}"#))
        .collect();
    let many = many.join(",");
    let schema = format!(r#"{{"properties": {{"{key}": {{"properties": {{{many}}}}}}}}}"#);
    assert!(message(&schema, "{}").contains("keys are too long"));
    let texts = format!(r#"{{"properties": {{"{key}": {{"items": {{"type": "string"}}}}}}}}"#);
    let values = format!("? {key}\n: [{}]", "1,".repeat(1_000));
    assert!(message(&texts, &values).contains("too much does not fit"));
}
