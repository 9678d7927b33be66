//! The text of a path, such as `../values.[odd key].0`, taken apart.

use std::{ops::Range, sync::Arc};

use cairn_spec::{SourceId, suggest};

use super::{
    ast::{LoopVariable, Path, PathStart, Segment, span},
    problem::Problem,
};

/// Parses a path that the grammar has accepted.
pub(super) fn parse_path(
    text: &str,
    range: &Range<usize>,
    source: SourceId,
) -> Result<Path, Problem> {
    let raw = &text[range.clone()];
    let (start, rest) = path_start(raw, range)?;
    let mut segments = Vec::new();
    let mut at = range.end - rest.len();
    while at < range.end {
        let rest = &text[at..range.end];
        let (key, length) = if let Some(bracketed) = rest.strip_prefix('[') {
            let end = bracketed.find(']').unwrap_or(bracketed.len());
            (&bracketed[..end], (end + 2).min(rest.len()))
        } else {
            let end = rest.find(['.', '/']).unwrap_or(rest.len());
            (&rest[..end], end)
        };
        segments.push(Segment {
            key: Arc::from(key),
            span: span(source, &(at..at + length)),
        });
        // One separator follows each segment but the last.
        at += length + 1;
    }
    if matches!(start, PathStart::Loop(..)) && !segments.is_empty() {
        let problem = Problem::new(
            range.clone(),
            format!("`{raw}` looks for a key in a number"),
        );
        return Err(problem.hint("loop variables have no keys"));
    }
    Ok(Path { start, segments })
}

/// How the path starts, and what follows.
fn path_start<'t>(raw: &'t str, range: &Range<usize>) -> Result<(PathStart, &'t str), Problem> {
    if let Some(rest) = raw.strip_prefix('@') {
        return loop_variable(rest, range);
    }
    let mut rest = raw;
    let mut levels = 0;
    while let Some(outer) = rest.strip_prefix("../") {
        levels += 1;
        rest = outer;
    }
    if rest == "this" {
        return Ok((PathStart::Context(levels), ""));
    }
    for prefix in ["this.", "this/", "./"] {
        if let Some(rest) = rest.strip_prefix(prefix) {
            return Ok((PathStart::Context(levels), rest));
        }
    }
    if levels > 0 {
        return Ok((PathStart::Context(levels), rest));
    }
    Ok((PathStart::Name, rest))
}

fn loop_variable<'t>(
    after_at: &'t str,
    range: &Range<usize>,
) -> Result<(PathStart, &'t str), Problem> {
    let mut rest = after_at;
    let mut levels = 0;
    while let Some(outer) = rest.strip_prefix("../") {
        levels += 1;
        rest = outer;
    }
    let end = rest.find(['.', '/']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let rest = rest.get(1..).unwrap_or_default();
    let variable = match name {
        "root" if levels == 0 => return Ok((PathStart::Root, rest)),
        "index" => LoopVariable::Index,
        "key" => LoopVariable::Key,
        "first" => LoopVariable::First,
        "last" => LoopVariable::Last,
        _ => {
            let known = ["@root", "@index", "@key", "@first", "@last"];
            let name = format!("@{name}");
            let mut problem = Problem::new(range.clone(), format!("there is no `{name}`"));
            problem.code = "template-undefined";
            problem.hint = suggest(&name, known);
            return Err(problem);
        }
    };
    Ok((PathStart::Loop(levels, variable), rest))
}
