//! What fuzzers run: expressions of CEL, as strangers write them in packs.

use serde_json::{Value as Json, json};

use crate::{CelError, CelExpression};

/// An expression, and after a zero byte the object that it is asked about, as JSON: parsed, evaluated within its
/// price, and true or false as logic has it.
pub fn cel(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (text, object) = match text.split_once('\0') {
        Some((text, object)) => (text, serde_json::from_str(object).unwrap_or(Json::Null)),
        None => (text, object()),
    };
    let Ok(expression) = text.parse::<CelExpression>() else {
        return;
    };
    assert_eq!(expression.as_str(), text);
    let answer = expression.holds(&object);
    assert_eq!(expression.holds(&object), answer, "it says the same twice");
    let related = |text: String| text.parse::<CelExpression>().ok()?.holds(&object).ok();
    // A comment would take what follows with it, so it gets a line of its own.
    let Ok(truth) = answer else {
        // What has no answer has none where it decides; what costs too much, nowhere.
        assert_eq!(related(format!("!({text}\n)")), None, "{text}");
        if answer == Err(CelError::TooCostly) {
            assert_eq!(related(format!("({text}\n) || true")), None, "{text}");
        }
        return;
    };
    for (wrapped, expected) in [
        (format!("!({text}\n)"), !truth),
        (format!("({text}\n) && true"), truth),
        (format!("false || ({text}\n)"), truth),
        (format!("({text}\n) ? false : true"), !truth),
        (format!("[1].exists(unlikely_name, ({text}\n))"), truth),
    ] {
        // Longer, deeper and dearer than the expression, it may be over a limit.
        if let Some(found) = related(wrapped.clone()) {
            assert_eq!(found, expected, "{wrapped}");
        }
    }
}

/// An object with values of all kinds.
fn object() -> Json {
    json!({
        "apiVersion": "example.org/v1", "kind": "Gauge",
        "metadata": {"name": "web", "generation": 3, "labels": {"a.b/c": "d", "true": "1"}},
        "spec": {
            "names": ["a", "b", "\u{e9}\u{1f600}"], "ratio": 1.5, "small": -9_223_372_036_854_775_808_i64,
            "large": 18_446_744_073_709_551_615_u64, "off": false, "empty": {}, "none": [],
        },
        "status": {
            "observedGeneration": 3,
            "conditions": [
                {"type": "Ready", "status": "True", "observedGeneration": 3},
                {"type": "Issuing", "status": "False"},
            ],
            "nothing": null,
        },
    })
}

#[cfg(test)]
mod tests {
    use crate::kept::run;

    #[test]
    fn kept_expressions_are_evaluated() {
        run("cel", super::cel);
    }
}
