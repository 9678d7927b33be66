//! Versions and version ranges: SemVer, read as leniently as Helm and cargo users write it.

use std::{borrow::Cow, cmp::Ordering, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is not a version or a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{input}` is not a {what}: {reason}")]
pub struct VersionError {
    /// The text as it was given.
    pub input: String,
    /// `version` or `version range`.
    pub what: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// A SemVer 2.0.0 version. Reading pads missing parts (`1.5` is `1.5.0`) and drops a leading `v`.
///
/// Build metadata takes part in equality and, last, in order, so that sorting is total.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(semver::Version);

impl Version {
    /// A release version.
    pub fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self(semver::Version::new(major, minor, patch))
    }

    /// The major number.
    pub fn major(&self) -> u64 {
        self.0.major
    }

    /// The minor number.
    pub fn minor(&self) -> u64 {
        self.0.minor
    }

    /// The patch number.
    pub fn patch(&self) -> u64 {
        self.0.patch
    }

    /// The version has a pre-release part, such as `-rc.1`.
    pub fn is_pre_release(&self) -> bool {
        !self.0.pre.is_empty()
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let refuse = |reason: String| VersionError {
            input: text.to_owned(),
            what: "version",
            reason,
        };
        let bare = text.strip_prefix('v').unwrap_or(text);
        let core_end = bare.find(['-', '+']).unwrap_or(bare.len());
        let (core, suffix) = bare.split_at(core_end);
        let padded = match core.split('.').count() {
            1 => format!("{core}.0.0{suffix}"),
            2 => format!("{core}.0{suffix}"),
            _ => bare.to_owned(),
        };
        semver::Version::parse(&padded)
            .map(Self)
            .map_err(|error| refuse(format!("expected `MAJOR.MINOR.PATCH` ({error})")))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Version {
    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "title": "version", "description": "a SemVer version such as `1.2.3`; quote it" })
    }
}

/// One bound of a comparator set: from `lower` on, below `upper`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Interval {
    lower: Option<semver::Version>,
    lower_inclusive: bool,
    upper: Option<semver::Version>,
    upper_inclusive: bool,
    not: Vec<semver::Version>,
    /// A comparator named a pre-release, so pre-releases are considered.
    pre_releases: bool,
}

/// A set of versions, in the syntax that cargo and Helm (Masterminds) share:
/// `^1.2`, `~1.2`, `>=1 <2`, `1.2.x`, `*`, `1.2 - 2.3`, `!=1.3.0`, with `,` or space for *and*
/// and `||` for *or*. A bare full version means exactly that version; a bare partial one
/// (`1.2`) means any version that starts with it.
///
/// Two deliberate kindnesses of the field: build metadata is ignored, and a pre-release matches
/// only when the range names one; a vendor suffix after a full release (`v1.31.4-eks-abc`,
/// `1.34.1-rancher1`) counts as that release (see [`VersionRange::matches_platform`]).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VersionRange {
    text: String,
    alternatives: Vec<Interval>,
}

impl VersionRange {
    /// Every release.
    pub fn any() -> Self {
        Self {
            text: "*".to_owned(),
            alternatives: vec![Interval::any()],
        }
    }

    /// The range as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The version lies in the range. Pre-releases match only where the range names one.
    pub fn matches(&self, version: &Version) -> bool {
        self.alternatives
            .iter()
            .any(|interval| interval.contains(&version.0, interval.pre_releases))
    }

    /// As [`Self::matches`], but a pre-release part is a vendor suffix and is ignored: the rule
    /// for Kubernetes versions such as `1.31.4-eks-abc123`.
    pub fn matches_platform(&self, version: &Version) -> bool {
        let release = semver::Version::new(version.0.major, version.0.minor, version.0.patch);
        self.matches(&Version(release)) || self.matches(version)
    }

    /// The highest version of `versions` that lies in the range.
    pub fn highest<'a>(
        &self,
        versions: impl IntoIterator<Item = &'a Version>,
    ) -> Option<&'a Version> {
        versions
            .into_iter()
            .filter(|version| self.matches(version))
            .max()
    }
}

impl Interval {
    fn any() -> Self {
        Self {
            lower: None,
            lower_inclusive: true,
            upper: None,
            upper_inclusive: false,
            not: Vec::new(),
            pre_releases: false,
        }
    }

    fn contains(&self, version: &semver::Version, pre_releases: bool) -> bool {
        if !version.pre.is_empty() && !pre_releases {
            return false;
        }
        let above = self
            .lower
            .as_ref()
            .is_none_or(|lower| match version.cmp_precedence(lower) {
                Ordering::Greater => true,
                Ordering::Equal => self.lower_inclusive,
                Ordering::Less => false,
            });
        let below = self
            .upper
            .as_ref()
            .is_none_or(|upper| match version.cmp_precedence(upper) {
                Ordering::Less => true,
                Ordering::Equal => self.upper_inclusive,
                Ordering::Greater => false,
            });
        above
            && below
            && !self
                .not
                .iter()
                .any(|not| version.cmp_precedence(not) == Ordering::Equal)
    }

    fn raise(&mut self, lower: semver::Version, inclusive: bool) {
        let tighter =
            self.lower
                .as_ref()
                .is_none_or(|current| match lower.cmp_precedence(current) {
                    Ordering::Greater => true,
                    Ordering::Equal => self.lower_inclusive && !inclusive,
                    Ordering::Less => false,
                });
        if tighter {
            self.lower = Some(lower);
            self.lower_inclusive = inclusive;
        }
    }

    fn cap(&mut self, upper: semver::Version, inclusive: bool) {
        let tighter =
            self.upper
                .as_ref()
                .is_none_or(|current| match upper.cmp_precedence(current) {
                    Ordering::Less => true,
                    Ordering::Equal => self.upper_inclusive && !inclusive,
                    Ordering::Greater => false,
                });
        if tighter {
            self.upper = Some(upper);
            self.upper_inclusive = inclusive;
        }
    }
}

/// A version with parts left open: `1`, `1.2`, `1.x`, `1.2.*`.
struct Partial {
    numbers: Vec<u64>,
    pre: semver::Prerelease,
}

impl Partial {
    fn parse(text: &str) -> Result<Self, String> {
        let bare = text.trim().trim_start_matches(['v', 'V']);
        let bare = bare.split('+').next().unwrap_or_default();
        let (core, pre) = bare.split_once('-').unwrap_or((bare, ""));
        let pre = semver::Prerelease::new(pre)
            .map_err(|error| format!("bad pre-release in `{text}` ({error})"))?;
        let mut numbers = Vec::new();
        let mut open = false;
        for part in core.split('.') {
            if matches!(part, "x" | "X" | "*") {
                open = true;
            } else if open {
                return Err(format!("a number follows a wildcard in `{text}`"));
            } else {
                numbers.push(
                    part.parse::<u64>()
                        .map_err(|_| format!("`{part}` is not a number"))?,
                );
            }
        }
        if core.split('.').count() > 3 {
            return Err(format!("`{text}` has more than three parts"));
        }
        if !pre.is_empty() && numbers.len() < 3 {
            return Err(format!("a pre-release needs all three numbers in `{text}`"));
        }
        Ok(Self { numbers, pre })
    }

    fn floor(&self) -> semver::Version {
        let number = |index: usize| self.numbers.get(index).copied().unwrap_or(0);
        let mut version = semver::Version::new(number(0), number(1), number(2));
        version.pre = self.pre.clone();
        version
    }

    /// The first version after all that start with the first `parts` numbers.
    fn after(&self, parts: usize) -> semver::Version {
        let number = |index: usize| self.numbers.get(index).copied().unwrap_or(0);
        let mut version = match parts {
            1 => semver::Version::new(number(0).saturating_add(1), 0, 0),
            2 => semver::Version::new(number(0), number(1).saturating_add(1), 0),
            _ => semver::Version::new(number(0), number(1), number(2).saturating_add(1)),
        };
        // Below every pre-release of the next version.
        version.pre = semver::Prerelease::new("0").unwrap_or_default();
        version
    }

    fn is_full(&self) -> bool {
        self.numbers.len() == 3
    }
}

const OPERATORS: [&str; 9] = [">=", "<=", "!=", "=>", "=<", ">", "<", "=", "^"];

fn apply(interval: &mut Interval, operator: &str, operand: &str) -> Result<(), String> {
    let partial = Partial::parse(operand)?;
    interval.pre_releases |= !partial.pre.is_empty();
    let given = partial.numbers.len();
    if given == 0 {
        return match operator {
            "" | "=" | ">=" | "=>" | "<=" | "=<" | "^" | "~" => Ok(()),
            _ => Err(format!("`{operator}{operand}` matches nothing")),
        };
    }
    match operator {
        ">=" | "=>" => interval.raise(partial.floor(), true),
        ">" if partial.is_full() => interval.raise(partial.floor(), false),
        ">" => interval.raise(partial.after(given), true),
        "<" => interval.cap(below(&partial), false),
        "<=" | "=<" if partial.is_full() => interval.cap(partial.floor(), true),
        "<=" | "=<" => interval.cap(partial.after(given), false),
        "!=" if partial.is_full() => interval.not.push(partial.floor()),
        "!=" => return Err(format!("`!={operand}` needs all three numbers")),
        "" | "=" if partial.is_full() => {
            interval.raise(partial.floor(), true);
            interval.cap(partial.floor(), true);
        }
        "" | "=" => {
            interval.raise(partial.floor(), true);
            interval.cap(partial.after(given), false);
        }
        "~" => {
            interval.raise(partial.floor(), true);
            interval.cap(partial.after(given.min(2)), false);
        }
        "^" => {
            let significant = partial
                .numbers
                .iter()
                .position(|&number| number != 0)
                .map_or(given, |index| index + 1);
            interval.raise(partial.floor(), true);
            interval.cap(partial.after(significant), false);
        }
        _ => return Err(format!("unknown operator `{operator}`")),
    }
    Ok(())
}

/// `<1.2` excludes the pre-releases of 1.2 too, unless one is named.
fn below(partial: &Partial) -> semver::Version {
    let mut version = partial.floor();
    if version.pre.is_empty() {
        version.pre = semver::Prerelease::new("0").unwrap_or_default();
    }
    version
}

fn parse_alternative(text: &str) -> Result<Interval, String> {
    let mut interval = Interval::any();
    if let Some((from, to)) = text.split_once(" - ") {
        apply(&mut interval, ">=", from.trim())?;
        apply(&mut interval, "<=", to.trim())?;
        return Ok(interval);
    }
    let mut rest = text.trim_matches([' ', ',']);
    if rest.is_empty() {
        return Err("it is empty".to_owned());
    }
    while !rest.is_empty() {
        let operator = OPERATORS
            .iter()
            .chain(&["~"])
            .find(|operator| rest.starts_with(**operator))
            .copied()
            .unwrap_or("");
        rest = rest[operator.len()..].trim_start();
        let end = rest.find([' ', ',']).unwrap_or(rest.len());
        let operand = &rest[..end];
        if operand.is_empty() {
            return Err(format!("`{operator}` has no version after it"));
        }
        apply(&mut interval, operator, operand)?;
        rest = rest[end..].trim_start_matches([' ', ',']);
    }
    Ok(interval)
}

impl FromStr for VersionRange {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let alternatives = text
            .split("||")
            .map(parse_alternative)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|reason| VersionError {
                input: text.to_owned(),
                what: "version range",
                reason,
            })?;
        Ok(Self {
            text: text.trim().to_owned(),
            alternatives,
        })
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for VersionRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for VersionRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for VersionRange {
    fn schema_name() -> Cow<'static, str> {
        "VersionRange".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "title": "version range", "description": "a range such as `^1.2`, `~1.34`, `1.2.x` or `>=1.28 <1.37`; quote it" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, inside: &[&str], outside: &[&str]) {
        let parsed: VersionRange = range.parse().unwrap();
        for version in inside {
            assert!(
                parsed.matches(&version.parse().unwrap()),
                "{version} should match {range}"
            );
        }
        for version in outside {
            assert!(
                !parsed.matches(&version.parse().unwrap()),
                "{version} should not match {range}"
            );
        }
    }

    #[test]
    fn ranges_mean_what_cargo_and_helm_users_expect() {
        check(
            "^1.2",
            &["1.2.0", "1.9.9"],
            &["1.1.9", "2.0.0", "2.0.0-rc.1", "1.3.0-rc.1"],
        );
        check("^0.2.3", &["0.2.3", "0.2.9"], &["0.3.0", "0.2.2"]);
        check("^0.0.30", &["0.0.30"], &["0.0.31", "0.1.0"]);
        check("~1.34", &["1.34.0", "1.34.9"], &["1.35.0", "1.33.9"]);
        check("~1", &["1.0.0", "1.99.0"], &["2.0.0"]);
        check("24.4.x", &["24.4.0", "24.4.7"], &["24.5.0"]);
        check("1.2", &["1.2.0", "1.2.9"], &["1.3.0"]);
        check("1.2.3", &["1.2.3", "1.2.3+k3s1"], &["1.2.4"]);
        check(
            ">=1.28 <1.37",
            &["1.28.0", "1.36.99"],
            &["1.37.0", "1.27.0", "1.37.0-rc.0"],
        );
        check(">=1.28, <1.37", &["1.28.0"], &["1.37.0"]);
        check("1.2 - 2.3", &["1.2.0", "2.3.9"], &["2.4.0"]);
        check("*", &["0.0.1", "99.0.0"], &["1.0.0-rc.1"]);
        check("<1 || >=3", &["0.9.0", "3.0.0"], &["2.0.0"]);
        check(">1.2", &["1.3.0"], &["1.2.9"]);
        check("<=1.2", &["1.2.9"], &["1.3.0"]);
        check(">=1.0.0-rc.1", &["1.0.0-rc.2", "1.0.0"], &["1.0.0-beta"]);
        check("!=1.2.3", &["1.2.4"], &["1.2.3"]);
        check("v1.2.3", &["1.2.3"], &[]);
    }

    #[test]
    fn vendor_suffixes_count_as_the_release() {
        let range: VersionRange = ">=1.31 <1.32".parse().unwrap();
        for vendor in ["v1.31.4+k3s1", "1.31.4-eks-abc123", "1.31.4-rancher1"] {
            assert!(range.matches_platform(&vendor.parse().unwrap()), "{vendor}");
        }
    }

    #[test]
    fn malformed_ranges_are_refused() {
        for bad in [
            "",
            "^",
            "abc",
            "1.x.3",
            "1.2.3.4",
            ">*",
            "1 ||",
            "!=1.2",
            "^1.2-rc.1",
        ] {
            assert!(bad.parse::<VersionRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_are_padded_and_ordered() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert_eq!(version("1.5"), Version::new(1, 5, 0));
        assert_eq!(version("v1.5.0-rc.1").to_string(), "1.5.0-rc.1");
        assert!(version("1.10.0") > version("1.9.0") && version("1.0.0") > version("1.0.0-rc.1"));
        assert!("".parse::<Version>().is_err() && "latest".parse::<Version>().is_err());
    }
}
