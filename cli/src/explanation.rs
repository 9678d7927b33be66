//! Shows where the fields of rendered objects came from, to people and to machines.

use std::fmt::Write as _;

use cairn_chart::explain::{Cause, CauseKind, Explanation, Line, ValuePaths, Written};
use cairn_spec::{OriginId, Origins, Sources, Span};
use serde::Serialize;

/// Longer lines push what stands beside them to the right.
const WIDEST: usize = 64;

/// What explanations point at.
pub(crate) struct Pointers<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) origins: &'a Origins,
    pub(crate) paths: ValuePaths,
}

/// An explained field.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedField {
    path: String,
    value: serde_json::Value,
    /// `exact`, `derived`, `controlled`, `template` or `opaque`; in a profile also `patched`, `manifest` or
    /// `cairn`.
    origin: String,
    /// Where patches wrote it, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    patched: Vec<String>,
    /// The image that a mirror stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    mirror_of: Option<String>,
    from: Vec<ValueOrigin>,
    written: Vec<WrittenBy>,
    because: Vec<Reason>,
    /// Why more is not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    without: Vec<Reason>,
}

/// A value that something came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ValueOrigin {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    place: String,
    /// What the text there refers to, such as a variable's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    refers_to: Option<String>,
    /// What it replaced, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<String>,
}

/// A place in a template, and where that template was included.
#[derive(Debug, Serialize)]
struct WrittenBy {
    place: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    included: Vec<String>,
}

/// Why something is there.
#[derive(Debug, Serialize)]
struct Reason {
    kind: &'static str,
    place: String,
    from: Vec<ValueOrigin>,
}

impl Pointers<'_> {
    /// A field for machines; people get it by [`ExplainedField::text`].
    pub(crate) fn field(
        &self,
        path: String,
        value: serde_json::Value,
        explanation: &Explanation<'_>,
    ) -> ExplainedField {
        ExplainedField {
            path,
            value,
            origin: explanation.kind.to_string(),
            patched: Vec::new(),
            mirror_of: None,
            from: self.values(&explanation.origins),
            written: explanation
                .written
                .iter()
                .map(|it| self.written(it))
                .collect(),
            because: self.reasons(&explanation.because),
            without: self.reasons(&explanation.without),
        }
    }

    /// A field that no template wrote.
    pub(crate) fn written_as_it_is(
        &self,
        path: String,
        value: serde_json::Value,
        origin: &str,
        place: Option<Span>,
    ) -> ExplainedField {
        let written = place.map(|place| WrittenBy {
            place: self.place(Some(place)),
            included: Vec::new(),
        });
        ExplainedField {
            path,
            value,
            origin: origin.to_owned(),
            patched: Vec::new(),
            mirror_of: None,
            from: Vec::new(),
            written: written.into_iter().collect(),
            because: Vec::new(),
            without: Vec::new(),
        }
    }

    /// The field as patches and a mirror left it.
    pub(crate) fn changed(
        &self,
        field: ExplainedField,
        places: &[Span],
        mirror_of: Option<&str>,
    ) -> ExplainedField {
        let patched: Vec<String> = places.iter().map(|it| self.place(Some(*it))).collect();
        ExplainedField {
            origin: if patched.is_empty() {
                field.origin
            } else {
                "patched".to_owned()
            },
            patched,
            mirror_of: mirror_of.map(str::to_owned),
            ..field
        }
    }

    fn values(&self, origins: &[OriginId]) -> Vec<ValueOrigin> {
        let mut values: Vec<ValueOrigin> = Vec::new();
        for &origin in origins {
            let value = self.value(origin);
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    fn value(&self, origin: OriginId) -> ValueOrigin {
        let origins = self.origins;
        let mut overrides: Vec<String> = Vec::new();
        let place = self.place(origins.span(origin));
        for writer in origins.history(origin).skip(1) {
            let older = self.place(writer.span);
            if older != place && !overrides.contains(&older) {
                overrides.push(older);
            }
        }
        ValueOrigin {
            path: self.paths.get(origin, origins).map(str::to_owned),
            place,
            refers_to: origins
                .get(origin)
                .refers_to
                .map(|bound| self.place(origins.span(bound))),
            overrides,
        }
    }

    fn place(&self, span: Option<Span>) -> String {
        span.map_or_else(
            || "no text says it".to_owned(),
            |span| self.sources.locate(span),
        )
    }

    fn written(&self, written: &Written) -> WrittenBy {
        WrittenBy {
            place: self.place(Some(written.place)),
            included: written
                .included
                .iter()
                .map(|place| self.place(Some(*place)))
                .collect(),
        }
    }

    fn reasons(&self, causes: &[Cause<'_>]) -> Vec<Reason> {
        causes.iter().map(|cause| self.reason(cause)).collect()
    }

    fn reason(&self, cause: &Cause<'_>) -> Reason {
        Reason {
            kind: match cause.kind {
                CauseKind::Condition => "if",
                CauseKind::Loop => "range",
                CauseKind::With => "with",
                CauseKind::Choice => "choice",
                CauseKind::Partial => "include",
                CauseKind::Text => "tpl",
                CauseKind::Chart => "chart",
            },
            place: self.place(Some(cause.place)),
            from: self.values(cause.origins),
        }
    }

    /// Lines side by side with where they came from.
    pub(crate) fn side_by_side(&self, lines: &[Line<'_>]) -> String {
        let texts: Vec<String> = lines
            .iter()
            .map(|line| String::from_utf8_lossy(line.text).into_owned())
            .collect();
        let widths = texts.iter().map(|text| text.chars().count());
        let width = widths.filter(|&it| it <= WIDEST).max().unwrap_or(0);
        let mut shown = String::new();
        for (line, text) in lines.iter().zip(&texts) {
            let beside = line
                .explanation
                .as_ref()
                .map_or_else(String::new, |explanation| self.beside(explanation));
            let _ = writeln!(shown, "{}", format!("{text:<width$}  {beside}").trim_end());
        }
        shown
    }

    /// The kind, the first source, and the innermost reason that follows from values.
    fn beside(&self, explanation: &Explanation<'_>) -> String {
        let from = self.values(&explanation.origins);
        let written = explanation.written.first();
        let mut shown = format!("{:<10}", explanation.kind);
        if let Some(first) = from.first() {
            let _ = write!(shown, "  {}", first.short());
            if from.len() > 1 {
                let _ = write!(shown, " and {} more", from.len() - 1);
            }
        } else if let Some(written) = written {
            let _ = write!(shown, "  {}", self.place(Some(written.place)));
        }
        let mut reasons = explanation.because.iter().rev().chain(&explanation.without);
        if let Some(cause) = reasons.find(|cause| !cause.origins.is_empty()) {
            let reason = self.reason(cause);
            if let Some(first) = reason.from.first() {
                let _ = write!(shown, "  {} {}", reason.kind, first.short());
            }
        }
        shown
    }
}

impl ValueOrigin {
    fn short(&self) -> String {
        match &self.path {
            Some(path) => format!("{path} ({})", self.place),
            None => self.place.clone(),
        }
    }

    fn text(&self) -> String {
        let mut text = self.short();
        if let Some(bound) = &self.refers_to {
            let _ = write!(text, ", which refers to {bound}");
        }
        for older in &self.overrides {
            let _ = write!(text, ", over {older}");
        }
        text
    }
}

impl ExplainedField {
    /// The field for people.
    pub(crate) fn text(&self, object: &str) -> String {
        let mut text = format!("{object} {}\n  = {}\n", self.path, self.value);
        let kind = match self.origin.as_str() {
            _ if self.from.is_empty() => self.origin.clone(),
            kind => format!("{kind} from"),
        };
        let _ = writeln!(text, "  {kind}");
        for value in &self.from {
            let _ = writeln!(text, "    {}", value.text());
        }
        for place in &self.patched {
            let _ = writeln!(text, "  patched at {place}");
        }
        if let Some(image) = &self.mirror_of {
            let _ = writeln!(text, "  in the place of {image}, by a mirror");
        }
        for (index, written) in self.written.iter().enumerate() {
            let words = if index == 0 { "written by" } else { "and by" };
            let _ = writeln!(text, "  {words} {}", written.place);
            for place in &written.included {
                let _ = writeln!(text, "    included at {place}");
            }
        }
        for (words, reasons) in [
            ("there because of", &self.because),
            ("and no more because of", &self.without),
        ] {
            if !reasons.is_empty() {
                let _ = writeln!(text, "  {words}");
            }
            for reason in reasons {
                let _ = write!(text, "    {:<6} {}", reason.kind, reason.place);
                let from: Vec<String> = reason.from.iter().map(ValueOrigin::short).collect();
                if !from.is_empty() {
                    let _ = write!(text, ", which reads {}", from.join(", "));
                }
                text.push('\n');
            }
        }
        text
    }

    /// What it is and its value, on one line.
    fn equation(&self) -> String {
        format!("{} = {}", self.path, self.value)
    }

    /// How wide a column must be for it; longer ones push what stands beside them to the right.
    pub(crate) fn width(&self) -> usize {
        let width = self.equation().chars().count();
        if width <= WIDEST { width } else { 0 }
    }

    /// The field on one line, with where it came from.
    pub(crate) fn line(&self, width: usize) -> String {
        let mut line = format!("{:<width$}  {:<10}", self.equation(), self.origin);
        let written = self.written.iter().map(|it| it.place.clone());
        let from = self.from.iter().map(ValueOrigin::short);
        let places: Vec<String> = self
            .patched
            .iter()
            .cloned()
            .chain(from)
            .chain(written)
            .collect();
        if let Some(place) = places.first() {
            let _ = write!(line, "  {place}");
        }
        format!("{}\n", line.trim_end())
    }

    /// The places that it came from, one a line: values, or else the template.
    pub(crate) fn places(&self) -> String {
        let values = self.from.iter().map(|it| it.place.as_str());
        let written = self.written.iter().map(|it| it.place.as_str());
        let places: Vec<&str> = if !self.patched.is_empty() {
            self.patched.iter().map(String::as_str).collect()
        } else if self.from.is_empty() {
            written.collect()
        } else {
            values.collect()
        };
        crate::output::lines(places)
    }
}
