//! What does not fit a schema, in the words and the layout of Helm's library.

use std::fmt::Write as _;

use cairn_spec::OriginId;

use super::address::quoted;

/// Something that does not fit.
#[derive(Debug, Clone, Default)]
pub(super) struct Violation {
    /// A JSON Pointer to the value.
    pub(super) location: String,
    pub(super) what: What,
    pub(super) causes: Vec<Self>,
    /// Where the value was written.
    pub(super) origin: Option<OriginId>,
}

#[derive(Debug, Clone, Default)]
pub(super) enum What {
    /// Several things at once.
    #[default]
    Group,
    /// What is at the end of a reference.
    Reference,
    /// In words.
    Words(String),
}

impl Violation {
    /// Adds the line of this and those of its causes.
    pub(super) fn write(&self, out: &mut String, indent: usize) {
        let mut indent = indent;
        // A reference with one cause is not worth a line.
        if !(matches!(self.what, What::Reference) && self.causes.len() == 1) {
            if !out.is_empty() {
                out.push('\n');
            }
            let words = match &self.what {
                What::Words(words) => words,
                What::Group | What::Reference => "validation failed",
            };
            let location = single_quoted(&self.location);
            let _ = write!(out, "{:1$}- at {location}: {words}", "", indent * 2);
            indent += 1;
        }
        for cause in &self.causes {
            cause.write(out, indent);
        }
    }

    /// The violations that have no further cause.
    pub(super) fn leaves<'v>(&'v self, found: &mut Vec<&'v Self>) {
        if self.causes.is_empty() {
            found.push(self);
        }
        for cause in &self.causes {
            cause.leaves(found);
        }
    }
}

/// A text in single quotes.
pub(super) fn single_quoted(text: &str) -> String {
    let text = quoted(text).replace("\\\"", "\"").replace('\'', "\\'");
    let text = text.strip_prefix('"').unwrap_or(&text);
    format!("'{}'", text.strip_suffix('"').unwrap_or(text))
}

pub(super) fn list(names: &[impl AsRef<str>]) -> String {
    let names: Vec<_> = names
        .iter()
        .map(|name| single_quoted(name.as_ref()))
        .collect();
    names.join(", ")
}

/// A count as English writes it: `1,234`.
pub(super) fn count(count: usize) -> String {
    grouped(&count.to_string())
}

/// That there are too many or too few of something.
pub(super) fn sizes(keyword: &str, got: usize, want: usize) -> String {
    format!("{keyword}: got {}, want {}", count(got), count(want))
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number as English writes it: `1,234.5`, and `1.5×10⁰⁶` from a million on.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if value != 0.0 && !(-4..6).contains(&exponent) {
        let mut out = format!("{mantissa}×10");
        if exponent < 0 {
            out.push('⁻');
        }
        for digit in format!("{:02}", exponent.abs()).bytes() {
            let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
            out.extend(digits.get(usize::from(digit - b'0')));
        }
        return out;
    }
    let plain = format!("{}", value.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let sign = if value < 0.0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", grouped(whole))
}

#[cfg(test)]
mod tests {
    use super::{count, single_quoted};

    #[test]
    fn texts_and_counts_are_written_as_the_library_does() {
        assert_eq!(single_quoted("a\"b'c\n"), "'a\"b\\'c\\n'");
        assert_eq!(
            [count(999), count(1000), count(1_234_567)],
            ["999", "1,000", "1,234,567"]
        );
    }
}
