//! What expressions say, what they cannot say, and what they may cost.

use insta::assert_snapshot;
use serde_json::{Value as Json, json};

use super::*;

fn certificate() -> Json {
    json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": {"name": "web", "generation": 3, "labels": {"app.kubernetes.io/name": "web"}},
        "spec": {"dnsNames": ["a.example.org", "b.example.org"], "duration": 1.5, "revision": 4_294_967_296_u64},
        "status": {
            "observedGeneration": 3,
            "conditions": [
                {"type": "Ready", "status": "True", "observedGeneration": 3},
                {"type": "Issuing", "status": "False"},
            ],
            "none": null,
        },
    })
}

fn answer(text: &str) -> String {
    match text.parse::<CelExpression>() {
        Ok(expression) => match expression.holds(&certificate()) {
            Ok(truth) => truth.to_string(),
            Err(error) => error.to_string(),
        },
        Err(error) => format!("{} at {}", error.reason, error.at),
    }
}

#[track_caller]
fn all_true(expressions: &[&str]) {
    for text in expressions {
        assert_eq!(answer(text), "true", "{text}");
    }
}

#[test]
fn conditions_are_found() {
    all_true(&[
        "status.conditions.exists(e, e.type == 'Ready' && e.status == 'True')",
        "status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True' && e.observedGeneration == metadata.generation)",
        "!status.conditions.exists(e, e.type == 'Stalled')",
        "status.conditions.exists_one(e, e.type == \"Ready\")",
        "status.conditions.map(e, e.type) == ['Ready', 'Issuing']",
        "status.conditions.map(e, e.status == 'True', e.type) == ['Ready']",
        "has(status.observedGeneration) && status.observedGeneration == metadata.generation",
        "!has(status.ready)",
        "metadata.labels['app.kubernetes.io/name'] == 'web'",
        "metadata.labels.all(key, key.startsWith('app.'))",
        "size(spec.dnsNames) == 2 && spec.dnsNames.size() == 2",
        "spec.dnsNames[1] == 'b.example.org' && 'a.example.org' in spec.dnsNames",
        "'name' in metadata && !('uid' in metadata)",
        "status.none == null && has(status.none)",
        "kind == 'Certificate' ? spec.duration > 1 : false",
        "status.conditions.exists(a, status.conditions.exists(b, a.type == b.type && a.status == 'False'))",
        "spec.dnsNames.map(n, n.endsWith('.org')).all(it, it)",
        "[1, 2, 3].exists(status, status == 3)",
    ]);
}

#[test]
fn values_are_as_cel_has_them() {
    all_true(&[
        "1 + 2 * 3 - 4 / 2 % 3 == 5 && (1 + 2) * 3 == 9",
        "-7 / 2 == -3 && -7 % 2 == -1 && --1 == 1",
        "9223372036854775807 > 1 && -9223372036854775808 < 1",
        "1 == 1.0 && 1u == 1 && 2 > 1.5 && 1u < 1.5 && 0xff == 255",
        "9007199254740993 != 9007199254740992.0",
        "18446744073709551615u > 9223372036854775807",
        "1e3 == 1000.0 && .5 == 0.5 && 1.5e-1 == 0.15",
        "'a' < 'b' && false < true && 'a' + 'b' == 'ab' && [1] + [2] == [1, 2]",
        "'\\n\\x41\\u0041\\101' == \"\\nAAA\" && r'\\n' == '\\\\n'",
        "'''a\n'b''' == 'a\\n\\'b' // a comment",
        "{'a': 1, 2: [true]} == {2: [true], 'a': 1.0} && {'a': 1}.a == 1 && 'a' in {'a': 1}",
        "{1: 'x'}[1] == 'x' && 1 in {1: 'x'} && !(1 in {'1': 'x'})",
        "[1, 'a', null] != [1, 'a', 0] && null == null && 'a' != 1",
        "int('12') == 12 && int(1.9) == 1 && uint(3) == 3u && double('1.5') == 1.5",
        "string(12) == '12' && string(true) == 'true' && bool('true') && dyn(1) == 1",
        "size('äö') == 2 && 'needle in hay'.contains('in')",
        "spec.revision == 4294967296 && spec.dnsNames[0.0] == 'a.example.org'",
        "!!true && !(!true)",
        "true || false && false",
        "[1, 2,].size() == 2",
    ]);
}

#[test]
fn what_is_not_there_is_not_known() {
    assert_snapshot!(answer("status.ready == true"), @"no such field: `ready`");
    assert_snapshot!(answer("nothing.at == 1"), @"no such field: `nothing`");
    assert_snapshot!(answer("spec.dnsNames[2] == ''"), @"no such field: `[2]`");
    assert_snapshot!(answer("metadata.labels['x'] == ''"), @"no such field: `[x]`");
    assert_snapshot!(answer("status.conditions.all(e, e.observedGeneration == 3)"), @"no such field: `observedGeneration`");
    // One side decides, whatever the other one is.
    all_true(&[
        "!(status.ready == 1 && false)",
        "status.ready == 1 || true",
        "true || status.ready == 1",
        "status.conditions.exists(e, e.observedGeneration == 3)",
        "!status.conditions.all(e, e.observedGeneration == 4)",
    ]);
}

#[test]
fn what_makes_no_sense_is_told() {
    assert_snapshot!(answer("kind"), @"expected a boolean, found a text");
    assert_snapshot!(answer("1 + 'a' == 2"), @"`+` of an integer and a text");
    assert_snapshot!(answer("1 < 'a'"), @"`<` of an integer and a text");
    assert_snapshot!(answer("!1"), @"expected a boolean, found an integer");
    assert_snapshot!(answer("kind.x == 1"), @"a text has no field `x`");
    assert_snapshot!(answer("kind.all(x, true)"), @"a macro goes over lists and maps, not over a text");
    assert_snapshot!(answer("9223372036854775807 + 1 > 0"), @"no such number");
    assert_snapshot!(answer("1 / 0 == 1"), @"no such number");
    assert_snapshot!(answer("{'a': 1, 'a': 2}.a == 1"), @"a map has a key twice");
    assert_snapshot!(answer("int('x') == 1"), @"a text is not an integer");
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    for (text, problem) in [
        ("", "a value is missing at 0"),
        ("a ==", "a value is missing at 4"),
        ("a == 1 b", "there is more than one expression at 7"),
        ("(a", "`)` is missing at 2"),
        ("a.", "the name of a field is missing at 2"),
        ("'a", "this text has no end at 0"),
        ("a = 1", "there is a sign that means nothing at 2"),
        (
            "9223372036854775808 > 0",
            "this number is too large, or none at 0",
        ),
        ("'\\q' == ''", "there is no such escape at 2"),
        ("a.matches('x')", "there is no function `matches` here at 2"),
        (
            "size(1, 2) == 1",
            "`size` takes another number of arguments at 0",
        ),
        (
            "has(a)",
            "`has` takes a field, such as `has(status.phase)` at 0",
        ),
        (
            "a.all(b.c, true)",
            "`all` takes a name and an expression at 2",
        ),
        ("if == 1", "`if` is a reserved word at 0"),
    ] {
        assert_eq!(answer(text), problem, "{text}");
    }
    let deep = format!("{}true{}", "(".repeat(40), ")".repeat(40));
    assert_snapshot!(answer(&deep), @"it is nested more than 32 deep at 32");
    assert_snapshot!(answer(&vec!["true"; 400].join("&&")), @"it has more than 512 parts at 0");
    assert_snapshot!(answer(&" ".repeat(5_000)), @"it is longer than 4096 bytes at 0");
    let error = "kind ==".parse::<CelExpression>().unwrap_err();
    assert_snapshot!(error, @"`kind ==` is not an expression of CEL: a value is missing at character 8");
}

#[test]
fn whatever_it_says_it_ends_soon() {
    let tens = "[1,2,3,4,5,6,7,8,9,0]";
    let nested = |depth: usize| {
        (0..depth).fold("x != 99".to_owned(), |body, _| {
            format!("{tens}.all(x, {body})")
        })
    };
    assert_eq!(answer(&nested(3)), "true");
    assert_snapshot!(answer(&nested(9)), @"the evaluation costs more than 100000 steps");
    // Texts that grow.
    let doubled = (0..30).fold("kind".to_owned(), |text, _| {
        format!("[{text}].map(t, t + t)[0]")
    });
    assert_snapshot!(answer(&format!("{doubled} == ''")), @"the evaluation costs more than 100000 steps");
    // Whoever catches errors does not catch this one.
    let caught = format!("{} || true", nested(9));
    assert_snapshot!(answer(&caught), @"the evaluation costs more than 100000 steps");
    // The deepest that there may be.
    let row = |length: usize| format!("{} == {length}", vec!["1"; length].join("+"));
    assert_eq!(answer(&row(63)), "true");
    assert_snapshot!(answer(&row(64)), @"it has more than 64 levels at 0");
    assert_eq!(answer(&format!("{}true", "!".repeat(60))), "true");
    assert_snapshot!(answer(&format!("{}true", "!".repeat(500))), @"it has more than 64 levels at 0");
    let macros = (0..28).fold("x == 1".to_owned(), |body, _| format!("[1].all(x, {body})"));
    assert_eq!(answer(&macros), "true");
    let fields = format!("status{} == 1", ".a".repeat(200));
    assert_snapshot!(answer(&fields), @"it has more than 64 levels at 0");
}

/// Whatever stands in a row: it is read or refused, and has an answer or none.
#[test]
fn nothing_panics() {
    const PARTS: [&str; 38] = [
        "status",
        "metadata",
        "kind",
        "a",
        "e",
        ".",
        ".",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "?",
        "&&",
        "||",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "==",
        "<",
        ">=",
        " in ",
        "0",
        "1",
        "9223372036854775807",
        "2u",
        "1.5",
        "'x'",
        "conditions",
        ".all(e,",
        ".map(e,",
        "size(",
    ];
    let object = certificate();
    let (mut state, mut read) = (1_u64, 0);
    for _ in 0..20_000 {
        let mut text = String::new();
        loop {
            // A linear congruential generator, as Knuth has it.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let drawn = usize::try_from(state >> 33).unwrap();
            text.push_str(PARTS[drawn % PARTS.len()]);
            if drawn % 7 == 0 {
                break;
            }
        }
        if let Ok(expression) = text.parse::<CelExpression>() {
            read += 1;
            let _ = expression.holds(&object);
        }
    }
    assert!(read > 500, "{read}");
}

#[test]
fn expressions_are_texts_in_files() {
    let expression: CelExpression = serde_json::from_value(json!("kind == 'A'")).unwrap();
    assert_eq!(
        serde_json::to_value(&expression).unwrap(),
        json!("kind == 'A'")
    );
    assert!(serde_json::from_value::<CelExpression>(json!("kind ==")).is_err());
}
