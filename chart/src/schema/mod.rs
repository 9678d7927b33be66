//! `values.schema.json`: whether values fit it, in the words of Helm's library
//! (`santhosh-tekuri/jsonschema` 6), for drafts 4 to 2020-12.

mod address;
mod compile;
mod decimal;
mod draft;
mod fields;
mod formats;
mod instance;
mod json;
mod metaschema;
mod model;
mod pattern;
mod plain;
mod roots;
mod validate;
mod violation;

use std::{fmt::Write as _, sync::Arc};

use cairn_spec::{Diagnostic, Node, Origins, Value};
use cairn_template::go_json;

use self::{
    address::CHART_SCHEMA,
    compile::Compiler,
    instance::Instance,
    json::Json,
    roots::Problem,
    validate::{Exhausted, MAX_STEPS},
    violation::Violation,
};
use crate::{Chart, Error};

/// The most places that a finding points at.
const MAX_LABELS: usize = 10;
const CODE: &str = "chart-schema";

/// Checks the values of a chart, and those of the charts in it, against their schemas.
///
/// `values` are those that templates see: coalesced, those of a subchart under its name. Nothing
/// is fetched: a schema that refers to one elsewhere is refused, except for what
/// `https://json-schema.org/` publishes.
pub fn validate(chart: &Chart, values: &Node, origins: &Origins) -> Result<(), Error> {
    let mut findings = Findings::default();
    check_chart(chart, values, &mut findings);
    if findings.message.is_empty() {
        return Ok(());
    }
    let message = format!(
        "values don't meet the specifications of the schema(s) in the following chart(s):\n{}",
        findings.message
    );
    let mut diagnostic = Diagnostic::error(CODE, message.trim_end());
    for violation in findings.leaves.iter().take(MAX_LABELS) {
        let place = violation.origin.and_then(|origin| origins.span(origin));
        let words = match &violation.what {
            violation::What::Words(words) => words.as_str(),
            _ => "validation failed",
        };
        diagnostic = diagnostic.label(place, words);
    }
    let hint = findings.hint.unwrap_or("change the values, or the schema");
    Err(Error::new(message, diagnostic.hint(hint)))
}

#[derive(Default)]
struct Findings {
    message: String,
    leaves: Vec<Violation>,
    hint: Option<&'static str>,
}

fn check_chart(chart: &Chart, values: &Node, findings: &mut Findings) {
    if let Some(schema) = &chart.schema {
        match check(schema, values, MAX_STEPS) {
            Ok(violations) if violations.is_empty() => {}
            Ok(violations) => {
                let _ = writeln!(findings.message, "{}:", chart.name());
                let mut lines = String::new();
                for violation in &violations {
                    violation.write(&mut lines, 0);
                    let mut leaves = Vec::new();
                    violation.leaves(&mut leaves);
                    findings
                        .leaves
                        .extend(leaves.into_iter().take(MAX_LABELS).cloned());
                }
                findings.message += &lines;
                findings.message.push('\n');
            }
            Err(problem) => {
                let _ = write!(findings.message, "{}:\n{}", chart.name(), problem.message);
                findings.hint = Some(problem.hint);
            }
        }
    }
    for subchart in &chart.dependencies {
        let below = values.get(subchart.name());
        match below.map(|below| (below, &below.value)) {
            None | Some((_, Value::Null)) => {}
            Some((below, Value::Map(_))) => check_chart(subchart, below, findings),
            Some((_, other)) => {
                let go_type = match other {
                    Value::Bool(_) => "bool",
                    Value::Int(_) => "int64",
                    Value::Float(_) => "float64",
                    Value::String(_) => "string",
                    _ => "[]interface {}",
                };
                let _ = writeln!(
                    findings.message,
                    "{}:\ninvalid type for values: expected object (map), got {go_type}",
                    subchart.name()
                );
            }
        }
    }
}

/// What in the values does not fit the schema.
fn check(schema: &[u8], values: &Node, steps: u64) -> Result<Vec<Violation>, Problem> {
    let document = Arc::new(parse(schema)?);
    let mut compiler = Compiler::new(false);
    compiler.add_root(CHART_SCHEMA, &document, metaschema::check)?;
    let (schemas, root) = compiler.compile(CHART_SCHEMA, metaschema::check)?;
    validate::validate(&schemas, root, Instance::Node(values), steps).map_err(exhausted)
}

fn exhausted(exhausted: Exhausted) -> Problem {
    Problem {
        message: match exhausted {
            Exhausted::Depth => "the schema nests too deep for these values",
            Exhausted::Steps => "the schema takes too long to check these values",
            Exhausted::Findings => "too much does not fit the schema to tell all of it",
        }
        .to_owned(),
        hint: "make the schema simpler",
    }
}

fn parse(schema: &[u8]) -> Result<Json, Problem> {
    let text = String::from_utf8_lossy(schema);
    Json::parse(&text).ok_or_else(|| {
        let message =
            go_json::read(schema).map_or_else(|error| error.to_string(), |_| String::new());
        let message = match message.as_str() {
            "unexpected end of JSON input" if text.trim().is_empty() => "EOF",
            "unexpected end of JSON input" => "unexpected EOF",
            "" => "exceeded max depth",
            other if other.ends_with(" after top-level value") => {
                "invalid character after top-level value"
            }
            other => other,
        };
        Problem::new(message)
    })
}

#[cfg(test)]
mod tests {
    use cairn_spec::Map;

    use super::{Node, check};

    /// Each level asks the next one twice, so that there are 2^40 ways to the last.
    #[test]
    fn a_schema_that_takes_too_long_is_given_up() {
        let levels: Vec<_> = (0..40)
            .map(|level| {
                let next = format!(r##"{{"$ref": "#/$defs/d{}"}}"##, level + 1);
                format!(r#""d{level}": {{"allOf": [{next}, {next}]}}"#)
            })
            .collect();
        let levels = levels.join(",");
        let schema = format!(r##"{{"$ref": "#/$defs/d0", "$defs": {{{levels}, "d40": {{}}}}}}"##);
        let values = Node::generated(Map::new());
        let problem = check(schema.as_bytes(), &values, 10_000).unwrap_err();
        assert_eq!(
            problem.message,
            "the schema takes too long to check these values"
        );
    }
}
