//! A constraint: groups of which one must hold, each of comparisons that all must.

use std::fmt;

use super::{
    check::{Comparison, OPERATORS, Operator, Unmet},
    version::{Shape, Version},
};
use crate::{go::format::quote, writer::find};

/// The longest constraint, in bytes.
pub const MAX_CONSTRAINT_BYTES: usize = 512;
/// How many groups may stand between `||`.
pub const MAX_CONSTRAINT_GROUPS: usize = 32;

/// Which versions fit.
#[derive(Debug, Clone)]
pub struct Constraint {
    groups: Vec<Group>,
}

#[derive(Debug, Clone)]
struct Group {
    comparisons: Vec<Comparison>,
    /// One of them names a prerelease, so that prereleases may fit.
    takes_prereleases: bool,
}

impl Constraint {
    /// Reads a constraint, such as `^1.2`, `>=1.0, <2` or `1.x || 2 - 2.5`.
    ///
    /// # Errors
    ///
    /// What Go says is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_bytes(text.as_bytes())
    }

    /// The same of bytes that need not be UTF-8.
    pub(crate) fn parse_bytes(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAX_CONSTRAINT_BYTES {
            return Err(format!(
                "constraint string is too long (max {MAX_CONSTRAINT_BYTES} bytes)"
            ));
        }
        let bytes = without_ranges(bytes);
        let groups = split_groups(&bytes);
        if groups.len() > MAX_CONSTRAINT_GROUPS {
            return Err(format!(
                "too many constraint groups (max {MAX_CONSTRAINT_GROUPS})"
            ));
        }
        let groups = groups
            .into_iter()
            .map(Group::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self { groups })
    }

    /// The version fits.
    pub fn check(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            let mut comparisons = group.comparisons.iter();
            comparisons.all(|comparison| comparison.check(version, group.takes_prereleases).is_ok())
        })
    }

    /// Whether the version fits, and if not, why.
    ///
    /// # Errors
    ///
    /// A reason for each comparison that does not hold, as Go words it; that the version is a
    /// prerelease is said once.
    pub fn validate(&self, version: &Version) -> Result<(), Vec<String>> {
        let mut reasons = Vec::new();
        let mut told_prerelease = false;
        for group in &self.groups {
            let mut fits = true;
            for comparison in &group.comparisons {
                let Err(unmet) = comparison.check(version, group.takes_prereleases) else {
                    continue;
                };
                fits = false;
                if unmet != Unmet::IsPrerelease || !told_prerelease {
                    reasons.push(comparison.reason(unmet, version));
                }
                told_prerelease |= unmet == Unmet::IsPrerelease;
            }
            if fits {
                return Ok(());
            }
        }
        Err(reasons)
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.groups.iter().enumerate() {
            if index > 0 {
                f.write_str(" || ")?;
            }
            for (index, comparison) in group.comparisons.iter().enumerate() {
                if index > 0 {
                    f.write_str(" ")?;
                }
                comparison.fmt(f)?;
            }
        }
        Ok(())
    }
}

impl Group {
    /// Comparisons with blanks or commas between them.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let words = words(bytes).ok_or_else(|| format!("improper constraint: {}", quote(bytes)))?;
        let comparisons = words
            .iter()
            .map(|(operator, pattern)| Comparison::parse(*operator, pattern))
            .collect::<Result<Vec<_>, _>>()?;
        let takes_prereleases = comparisons.iter().any(Comparison::names_prerelease);
        Ok(Self {
            comparisons,
            takes_prereleases,
        })
    }
}

/// The operators and patterns of a group, or nothing if it is made of something else.
fn words(bytes: &[u8]) -> Option<Vec<((&'static str, Operator), Shape<'_>)>> {
    let mut found = Vec::new();
    let mut at = blanks(bytes, 0);
    loop {
        let rest = bytes.get(at..)?;
        let operator = *OPERATORS
            .iter()
            .find(|(sign, _)| rest.starts_with(sign.as_bytes()))?;
        let start = blanks(bytes, at + operator.0.len());
        let pattern = Shape::read(bytes.get(start..)?, &is_pattern)?;
        let end = start + pattern.text.len();
        found.push((operator, pattern));
        at = blanks(bytes, end);
        if at == bytes.len() {
            return Some(found);
        }
        if bytes.get(at) == Some(&b',') {
            at = blanks(bytes, at + 1);
        } else if at == end {
            return None;
        }
    }
}

/// What the numbers of patterns are made of. Go's class has the `|` as well.
fn is_pattern(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'x' | b'X' | b'*' | b'|')
}

/// Where the blanks end that stand there.
fn blanks(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c);
    at + rest.iter().take_while(is_blank).count()
}

fn split_groups(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut groups = Vec::new();
    while let Some(at) = find(bytes, b"||") {
        groups.push(&bytes[..at]);
        bytes = &bytes[at + 2..];
    }
    groups.push(bytes);
    groups
}

/// `1 - 2` becomes `>= 1, <= 2 `.
fn without_ranges(bytes: &[u8]) -> Vec<u8> {
    let mut rewritten = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let Some(range) = Range::read(bytes, at) else {
            at += 1;
            continue;
        };
        let comparisons = [b">= ", range.from, b", <= ", range.to, b" "].concat();
        // Go looks for the text again, and may find it elsewhere.
        let whole = &bytes[at..range.end];
        if let Some(found) = find(&rewritten, whole) {
            rewritten.splice(found..found + whole.len(), comparisons);
        }
        at = range.end;
    }
    rewritten
}

struct Range<'t> {
    from: &'t [u8],
    to: &'t [u8],
    end: usize,
}

impl<'t> Range<'t> {
    /// Two patterns with a hyphen between blanks between them.
    fn read(bytes: &'t [u8], at: usize) -> Option<Self> {
        let pattern = |start: usize| {
            let length = Shape::read(bytes.get(start..)?, &is_pattern)?.text.len();
            bytes.get(start..start + length)
        };
        let start = blanks(bytes, at);
        let from = pattern(start)?;
        let gap = start + from.len();
        let hyphen = blanks(bytes, gap);
        if hyphen == gap || bytes.get(hyphen) != Some(&b'-') {
            return None;
        }
        let start = blanks(bytes, hyphen + 1);
        if start == hyphen + 1 {
            return None;
        }
        let to = pattern(start)?;
        Some(Self {
            from,
            to,
            end: blanks(bytes, start + to.len()),
        })
    }
}
