//! A version: how it is read, leniently and strictly, how it is written, and which is newer.

use std::{cmp::Ordering, fmt};

use crate::go::format::quote;

/// The longest version, in bytes.
pub const MAX_VERSION_BYTES: usize = 256;

const INVALID: &str = "invalid semantic version";
const INVALID_PRERELEASE: &str = "invalid prerelease string";
const INVALID_METADATA: &str = "invalid metadata string";
const STARTS_WITH_ZERO: &str = "version segment starts with 0";

/// A semantic version. Two are equal when none is newer, whatever their metadata.
#[derive(Debug, Clone)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    prerelease: String,
    metadata: String,
    original: String,
}

impl Version {
    /// Reads a version and fills in what is missing: `v1.2` is 1.2.0 (Go's `NewVersion`).
    ///
    /// # Errors
    ///
    /// What Go says is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_bytes(text.as_bytes())
    }

    /// The same of bytes that need not be UTF-8.
    pub(crate) fn parse_bytes(bytes: &[u8]) -> Result<Self, String> {
        check_length(bytes)?;
        let shape = Shape::read(bytes, &|byte| byte.is_ascii_digit());
        let Some(shape) = shape.filter(|shape| shape.text.len() == bytes.len()) else {
            return Err(INVALID.to_owned());
        };
        let number = |digits: &str| match digits {
            "" => Ok(0),
            digits => {
                parse_number(digits).map_err(|why| format!("error parsing version segment: {why}"))
            }
        };
        let version = Self {
            major: number(shape.major)?,
            minor: number(shape.minor)?,
            patch: number(shape.patch)?,
            prerelease: shape.prerelease.to_owned(),
            metadata: shape.metadata.to_owned(),
            original: String::from_utf8_lossy(bytes).into_owned(),
        };
        if !version.prerelease.is_empty() {
            check_prerelease(&version.prerelease)?;
        }
        Ok(version)
    }

    /// Reads a version that has all parts and nothing before them (Go's `StrictNewVersion`).
    ///
    /// # Errors
    ///
    /// What Go says is wrong with it.
    pub fn parse_strict(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("version string empty".to_owned());
        }
        check_length(text.as_bytes())?;
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(INVALID.to_owned());
        };
        let (rest, metadata) = rest.split_once('+').map_or((rest, None), with_some);
        if let Some(metadata) = metadata {
            check_metadata(metadata)?;
        }
        let (patch, prerelease) = rest.split_once('-').map_or((rest, None), with_some);
        if let Some(prerelease) = prerelease {
            check_prerelease(prerelease)?;
        }
        for segment in [major, minor, patch] {
            if !segment.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err("invalid characters in version".to_owned());
            }
            if segment.len() > 1 && segment.starts_with('0') {
                return Err(STARTS_WITH_ZERO.to_owned());
            }
        }
        Ok(Self {
            major: parse_number(major)?,
            minor: parse_number(minor)?,
            patch: parse_number(patch)?,
            prerelease: prerelease.unwrap_or_default().to_owned(),
            metadata: metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        })
    }

    /// The first number.
    pub fn major(&self) -> u64 {
        self.major
    }

    /// The second number.
    pub fn minor(&self) -> u64 {
        self.minor
    }

    /// The third number.
    pub fn patch(&self) -> u64 {
        self.patch
    }

    /// What stands after the `-`; empty for a release.
    pub fn prerelease(&self) -> &str {
        &self.prerelease
    }

    /// What stands after the `+`; empty where there is none.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// The text that it was read from.
    pub fn original(&self) -> &str {
        &self.original
    }

    /// The next patch release; of a prerelease, its release.
    ///
    /// # Errors
    ///
    /// There is none after the largest number.
    pub fn next_patch(&self) -> Result<Self, String> {
        let patch = if self.prerelease.is_empty() {
            next(self.patch, "patch")?
        } else {
            self.patch
        };
        Ok(self.release(self.major, self.minor, patch))
    }

    /// The next minor release.
    ///
    /// # Errors
    ///
    /// There is none after the largest number.
    pub fn next_minor(&self) -> Result<Self, String> {
        Ok(self.release(self.major, next(self.minor, "minor")?, 0))
    }

    /// The next major release.
    ///
    /// # Errors
    ///
    /// There is none after the largest number.
    pub fn next_major(&self) -> Result<Self, String> {
        Ok(self.release(next(self.major, "major")?, 0, 0))
    }

    /// The same version with another prerelease.
    ///
    /// # Errors
    ///
    /// What Go says is wrong with it.
    pub fn with_prerelease(&self, prerelease: &str) -> Result<Self, String> {
        if !prerelease.is_empty() {
            check_prerelease(prerelease)?;
        }
        Ok(self.renamed(Self {
            prerelease: prerelease.to_owned(),
            ..self.clone()
        }))
    }

    /// The same version with other metadata.
    ///
    /// # Errors
    ///
    /// What Go says is wrong with it.
    pub fn with_metadata(&self, metadata: &str) -> Result<Self, String> {
        if !metadata.is_empty() {
            check_metadata(metadata)?;
        }
        Ok(self.renamed(Self {
            metadata: metadata.to_owned(),
            ..self.clone()
        }))
    }

    fn release(&self, major: u64, minor: u64, patch: u64) -> Self {
        self.renamed(Self {
            major,
            minor,
            patch,
            prerelease: String::new(),
            metadata: String::new(),
            original: String::new(),
        })
    }

    /// `next` as if it had been read from a text that began as this one's.
    fn renamed(&self, next: Self) -> Self {
        let prefix = if self.original.starts_with('v') {
            "v"
        } else {
            ""
        };
        Self {
            original: format!("{prefix}{next}"),
            ..next
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| {
            match (self.prerelease.as_str(), other.prerelease.as_str()) {
                ("", "") => Ordering::Equal,
                ("", _) => Ordering::Greater,
                (_, "") => Ordering::Less,
                (left, right) => compare_prereleases(left, right),
            }
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

/// The parts that a version or a constraint's pattern begins with, none of them checked.
pub(super) struct Shape<'t> {
    pub(super) major: &'t str,
    pub(super) minor: &'t str,
    pub(super) patch: &'t str,
    pub(super) prerelease: &'t str,
    metadata: &'t str,
    /// All of it.
    pub(super) text: &'t str,
}

impl<'t> Shape<'t> {
    /// As much as has the shape of a version whose numbers are made of `is_digit`.
    pub(super) fn read(bytes: &'t [u8], is_digit: &dyn Fn(u8) -> bool) -> Option<Self> {
        let mut at = usize::from(bytes.first() == Some(&b'v'));
        let major = run(bytes, at, is_digit)?;
        at += major.len();
        let mut segment = || {
            let found = after(bytes, at, b'.').and_then(|start| run(bytes, start, is_digit));
            at += found.map_or(0, |found| found.len() + 1);
            found.unwrap_or_default()
        };
        let (minor, patch) = (segment(), segment());
        let mut labels = |sign| {
            let found = after(bytes, at, sign).and_then(|start| dotted(bytes, start));
            at += found.map_or(0, |found| found.len() + 1);
            found.unwrap_or_default()
        };
        let (prerelease, metadata) = (labels(b'-'), labels(b'+'));
        Some(Self {
            major,
            minor,
            patch,
            prerelease,
            metadata,
            text: std::str::from_utf8(bytes.get(..at)?).ok()?,
        })
    }
}

/// Where it goes on after a sign that stands there.
fn after(bytes: &[u8], at: usize, sign: u8) -> Option<usize> {
    (bytes.get(at) == Some(&sign)).then_some(at + 1)
}

/// As many bytes as are of a kind, which is ASCII; none if there is not one.
fn run<'t>(bytes: &'t [u8], start: usize, is_kind: &dyn Fn(u8) -> bool) -> Option<&'t str> {
    let rest = bytes.get(start..)?;
    let length = rest.iter().take_while(|&&byte| is_kind(byte)).count();
    let found = std::str::from_utf8(rest.get(..length)?).ok()?;
    (length > 0).then_some(found)
}

/// Labels with dots between them.
fn dotted(bytes: &[u8], start: usize) -> Option<&str> {
    let mut end = start + run(bytes, start, &is_label)?.len();
    while let Some(label) = after(bytes, end, b'.').and_then(|next| run(bytes, next, &is_label)) {
        end += label.len() + 1;
    }
    std::str::from_utf8(bytes.get(start..end)?).ok()
}

fn is_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn with_some<'t>((before, after): (&'t str, &'t str)) -> (&'t str, Option<&'t str>) {
    (before, Some(after))
}

fn next(number: u64, name: &str) -> Result<u64, String> {
    number
        .checked_add(1)
        .ok_or_else(|| format!("{name} version increment would overflow uint64"))
}

fn check_length(bytes: &[u8]) -> Result<(), String> {
    if bytes.len() > MAX_VERSION_BYTES {
        return Err(format!(
            "version string is too long (max {MAX_VERSION_BYTES} bytes)"
        ));
    }
    Ok(())
}

/// Digits as a number, with the complaints of Go's `strconv.ParseUint`.
fn parse_number(digits: &str) -> Result<u64, String> {
    digits.parse().map_err(|_| {
        let reason = if digits.is_empty() {
            "invalid syntax"
        } else {
            "value out of range"
        };
        format!(
            "strconv.ParseUint: parsing {}: {reason}",
            quote(digits.as_bytes())
        )
    })
}

fn check_prerelease(prerelease: &str) -> Result<(), String> {
    for label in prerelease.split('.') {
        if label.is_empty() {
            return Err(INVALID_PRERELEASE.to_owned());
        }
        if label.bytes().all(|byte| byte.is_ascii_digit()) {
            if label.len() > 1 && label.starts_with('0') {
                return Err(STARTS_WITH_ZERO.to_owned());
            }
        } else if !label.bytes().all(is_label) {
            return Err(INVALID_PRERELEASE.to_owned());
        }
    }
    Ok(())
}

fn check_metadata(metadata: &str) -> Result<(), String> {
    let is_valid = |label: &str| !label.is_empty() && label.bytes().all(is_label);
    if metadata.split('.').all(is_valid) {
        return Ok(());
    }
    Err(INVALID_METADATA.to_owned())
}

/// Label by label; the shorter is older where the longer only goes on.
pub(super) fn compare_prereleases(left: &str, right: &str) -> Ordering {
    let (mut lefts, mut rights) = (left.split('.'), right.split('.'));
    loop {
        let (left, right) = match (lefts.next(), rights.next()) {
            (None, None) => return Ordering::Equal,
            (left, right) => (left.unwrap_or_default(), right.unwrap_or_default()),
        };
        let order = compare_labels(left, right);
        if order.is_ne() {
            return order;
        }
    }
}

/// Numbers by what they count, and before texts; a number too large to be one is a text.
fn compare_labels(left: &str, right: &str) -> Ordering {
    let number = |label: &str| {
        let is_number = label.bytes().all(|byte| byte.is_ascii_digit());
        label.parse::<u64>().ok().filter(|_| is_number)
    };
    match (number(left), number(right)) {
        _ if left == right => Ordering::Equal,
        _ if left.is_empty() => Ordering::Less,
        _ if right.is_empty() => Ordering::Greater,
        (None, None) => left.cmp(right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some(left), Some(right)) => left.cmp(&right),
    }
}
