//! Draws a finding: the message, the source lines with the places marked, notes and a hint.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use cairn_spec::{Diagnostic, Label, Severity, Source, SourceId, Sources};

/// A finding as text.
pub(crate) fn render(diagnostic: &Diagnostic, sources: &Sources, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Advice => Level::INFO.with_name("advice"),
    };
    let mut group = Group::with_title(
        level
            .primary_title(diagnostic.message.as_str())
            .id(diagnostic.code),
    );
    for (index, source) in sources_of(diagnostic).into_iter().enumerate() {
        let labels: Vec<&Label> = diagnostic
            .labels
            .iter()
            .filter(|label| label.span.source == source)
            .collect();
        group = group.element(snippet(sources.get(source), &labels, index == 0));
    }
    // Without a place there is no margin to hang notes and hints on.
    if diagnostic.labels.is_empty() {
        let mut text = renderer(color).render(&[group]).trim_end().to_owned();
        for note in &diagnostic.notes {
            text = format!("{text}\n  = note: {note}");
        }
        if let Some(hint) = &diagnostic.hint {
            text = format!("{text}\n  = hint: {hint}");
        }
        return text;
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.with_name("hint").message(hint.as_str()));
    }
    renderer(color).render(&[group]).trim_end().to_owned()
}

fn renderer(color: bool) -> Renderer {
    if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
}

/// The sources that the labels are in, the main one first.
fn sources_of(diagnostic: &Diagnostic) -> Vec<SourceId> {
    let mut sources = Vec::new();
    for label in &diagnostic.labels {
        if !sources.contains(&label.span.source) {
            sources.push(label.span.source);
        }
    }
    sources
}

fn snippet<'a>(
    source: &'a Source,
    labels: &[&'a Label],
    is_main: bool,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let mut snippet = Snippet::source(&*source.text)
        .path(&*source.name)
        .fold(true);
    for (index, label) in labels.iter().enumerate() {
        let kind = if is_main && index == 0 {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let annotation = kind.span(first_line(&source.text, label));
        snippet = snippet.annotation(if label.text.is_empty() {
            annotation
        } else {
            annotation.label(label.text.as_str())
        });
    }
    snippet
}

/// The part of a span on its first line: a map of forty lines is marked where it starts.
fn first_line(text: &str, label: &Label) -> Range<usize> {
    let start = floor_char_boundary(text, label.span.start as usize);
    let end = floor_char_boundary(text, label.span.end as usize).max(start);
    let line_end = text[start..end]
        .find('\n')
        .map_or(end, |newline| start + newline);
    start..line_end
}

fn floor_char_boundary(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len()))
        .rev()
        .find(|&offset| text.is_char_boundary(offset))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use cairn_spec::{SourceKind, Span};

    use super::*;

    #[test]
    fn findings_show_the_line_and_the_hint() {
        let mut sources = Sources::new();
        let source = sources.add(
            "profile.yaml",
            "a: 1\nlayers:\n- nmae: x\n",
            SourceKind::Profile,
        );
        let diagnostic = Diagnostic::error("schema", "unknown key `nmae`")
            .label(
                Span {
                    source,
                    start: 15,
                    end: 19,
                },
                "here",
            )
            .hint("did you mean `name`?");
        insta::assert_snapshot!(render(&diagnostic, &sources, false), @"
        error[schema]: unknown key `nmae`
         --> profile.yaml:3:3
          |
        3 | - nmae: x
          |   ^^^^ here
          |
          = hint: did you mean `name`?
        ");
        insta::assert_snapshot!(render(&Diagnostic::warning("x", "no place"), &sources, false), @"warning[x]: no place");
    }
}
