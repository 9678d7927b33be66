//! One comparison of a constraint: an operator and a version, parts of which may be left open.

use std::fmt;

use super::version::{Shape, Version, compare_prereleases};
use crate::go::format::quote;

/// An operator and what it compares with.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    operator: Operator,
    /// The operator as it was written.
    sign: &'static str,
    /// The pattern as it was written.
    pattern: String,
    /// The version, with 0 for what is open.
    version: Version,
    open: Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// How operators are written, each before those that it begins with; no operator at all is last.
pub(super) const OPERATORS: [(&str, Operator); 12] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
    ("", Operator::Equal),
];

/// What a pattern leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Patch,
    Minor,
    Everything,
}

/// Why a version does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmet {
    IsPrerelease,
    Equal,
    NotEqual,
    LessOrEqual,
    GreaterOrEqual,
    Less,
    Greater,
    OtherMajor,
    OtherMajorOrMinor,
    OtherMinor,
    OtherMinorOfZero,
    OtherPatchOfZero,
}

impl Comparison {
    pub(super) fn parse(
        (sign, operator): (&'static str, Operator),
        shape: &Shape<'_>,
    ) -> Result<Self, String> {
        let Shape {
            major,
            minor,
            patch,
            ..
        } = shape;
        let (open, mut closed) = if is_open(major) {
            (Open::Everything, "0.0.0".to_owned())
        } else if is_open(minor) {
            (Open::Minor, format!("{major}.0.0"))
        } else if is_open(patch) {
            (Open::Patch, format!("{major}.{minor}.0"))
        } else {
            (Open::Nothing, shape.text.to_owned())
        };
        if open != Open::Nothing && !shape.prerelease.is_empty() {
            closed.push('-');
            closed.push_str(shape.prerelease);
        }
        let version = Version::parse(&closed).map_err(|_| "constraint parser error".to_owned())?;
        Ok(Self {
            operator,
            sign,
            pattern: shape.text.to_owned(),
            version,
            open,
        })
    }

    /// The version that is compared with is a prerelease.
    pub(super) fn names_prerelease(&self) -> bool {
        !self.version.prerelease().is_empty()
    }

    pub(super) fn check(&self, version: &Version, takes_prereleases: bool) -> Result<(), Unmet> {
        if !version.prerelease().is_empty() && !takes_prereleases {
            return Err(Unmet::IsPrerelease);
        }
        match self.operator {
            Operator::Equal if self.open == Open::Nothing => {
                held(*version == self.version, Unmet::NotEqual)
            }
            Operator::Equal | Operator::Tilde => self.check_tilde(version),
            Operator::NotEqual => held(self.is_other(version), Unmet::Equal),
            Operator::Greater => held(self.is_exceeded_by(version), Unmet::LessOrEqual),
            Operator::Less => held(*version < self.version, Unmet::GreaterOrEqual),
            Operator::GreaterOrEqual => held(*version >= self.version, Unmet::Less),
            Operator::LessOrEqual => held(self.is_least(version), Unmet::Greater),
            Operator::Caret => self.check_caret(version),
        }
    }

    fn is_other(&self, version: &Version) -> bool {
        if self.open == Open::Nothing {
            return *version != self.version;
        }
        if version.major() != self.version.major() {
            return true;
        }
        if self.open == Open::Minor {
            return false;
        }
        if version.minor() != self.version.minor() {
            return true;
        }
        let (left, right) = (version.prerelease(), self.version.prerelease());
        if self.open == Open::Patch {
            return compare_prereleases(left, right).is_ne();
        }
        *version != self.version
    }

    fn is_exceeded_by(&self, version: &Version) -> bool {
        match (version.major().cmp(&self.version.major()), self.open) {
            (_, Open::Nothing) => *version > self.version,
            (order, _) if order.is_ne() => order.is_gt(),
            (_, Open::Minor) => false,
            (_, Open::Patch) => version.minor() > self.version.minor(),
            _ => *version > self.version,
        }
    }

    fn is_least(&self, version: &Version) -> bool {
        if self.open == Open::Nothing {
            return *version <= self.version;
        }
        let (major, minor) = (self.version.major(), self.version.minor());
        version.major() < major
            || version.major() == major && (version.minor() <= minor || self.open == Open::Minor)
    }

    fn check_tilde(&self, version: &Version) -> Result<(), Unmet> {
        held(*version >= self.version, Unmet::Less)?;
        let (major, minor) = (self.version.major(), self.version.minor());
        let is_partly_open = matches!(self.open, Open::Minor | Open::Patch);
        if (major, minor, self.version.patch()) == (0, 0, 0) && !is_partly_open {
            return Ok(());
        }
        held(version.major() == major, Unmet::OtherMajor)?;
        held(
            version.minor() == minor || self.open == Open::Minor,
            Unmet::OtherMajorOrMinor,
        )
    }

    fn check_caret(&self, version: &Version) -> Result<(), Unmet> {
        held(*version >= self.version, Unmet::Less)?;
        let (major, minor) = (self.version.major(), self.version.minor());
        held(version.major() == major, Unmet::OtherMajor)?;
        if major > 0 || self.open == Open::Minor {
            return Ok(());
        }
        if minor > 0 || self.open == Open::Patch {
            return held(version.minor() == minor, Unmet::OtherMinorOfZero);
        }
        held(version.minor() == 0, Unmet::OtherMinor)?;
        held(
            version.patch() == self.version.patch(),
            Unmet::OtherPatchOfZero,
        )
    }

    /// Why a version does not fit, in Go's words.
    pub(super) fn reason(&self, unmet: Unmet, version: &Version) -> String {
        let found = quote(version.to_string().as_bytes());
        let wanted = quote(self.pattern.as_bytes());
        let relation = match unmet {
            Unmet::IsPrerelease => {
                return format!(
                    "{found} is a prerelease version and the constraint is only looking for release versions"
                );
            }
            Unmet::OtherMinorOfZero => {
                return format!(
                    "{found} does not have same minor version as {wanted}. Expected minor versions to match when constraint major version is 0"
                );
            }
            Unmet::OtherPatchOfZero => {
                return format!(
                    "{found} does not equal {wanted}. Expect version and constraint to equal when major and minor versions are 0"
                );
            }
            Unmet::Equal => "is equal to",
            Unmet::NotEqual => "is not equal to",
            Unmet::LessOrEqual => "is less than or equal to",
            Unmet::GreaterOrEqual => "is greater than or equal to",
            Unmet::Less => "is less than",
            Unmet::Greater => "is greater than",
            Unmet::OtherMajor => "does not have same major version as",
            Unmet::OtherMajorOrMinor => "does not have same major and minor version as",
            Unmet::OtherMinor => "does not have same minor version as",
        };
        format!("{found} {relation} {wanted}")
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.sign, self.pattern)
    }
}

fn is_open(segment: &str) -> bool {
    matches!(segment, "" | "x" | "X" | "*")
}

fn held(holds: bool, otherwise: Unmet) -> Result<(), Unmet> {
    if holds { Ok(()) } else { Err(otherwise) }
}
