//! A version of Kubernetes, as `--kube-version` gives it.

use std::fmt;

use cairn_template::go::quote;

/// A version of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeVersion {
    /// As it was given, with a `v` in front: `v1.33.4-gke.1245000`.
    pub version: String,
    /// What constraints are checked against: `v1.33.4`.
    pub normalized: String,
    /// The first number.
    pub major: String,
    /// The second number.
    pub minor: String,
}

/// What is wrong with a version of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeVersionError {
    version: String,
    reason: String,
}

impl fmt::Display for KubeVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid kube version '{}': {}",
            self.version, self.reason
        )
    }
}

impl std::error::Error for KubeVersionError {}

impl KubeVersion {
    /// The version that Helm 4.2.3 takes a cluster to have: that of the client it is built with.
    pub fn default_of_helm() -> Self {
        let version = "v1.36.0".to_owned();
        Self {
            normalized: version.clone(),
            version,
            major: "1".to_owned(),
            minor: "36".to_owned(),
        }
    }

    /// Reads a version as Kubernetes does: two or more numbers, and then anything.
    ///
    /// # Errors
    ///
    /// It does not start so.
    pub fn parse(text: &str) -> Result<Self, KubeVersionError> {
        let error = |reason: String| KubeVersionError {
            version: text.to_owned(),
            reason,
        };
        let shown = quote(text.as_bytes());
        let Some(numbers) = leading_numbers(text) else {
            return Err(error(format!("could not parse {shown} as version")));
        };
        let parts: Vec<&str> = numbers.split('.').collect();
        let [major, minor, ..] = parts[..] else {
            return Err(error(format!("illegal version string {shown}")));
        };
        if major.len() > 1 && major.starts_with('0') {
            return Err(error(format!(
                "illegal zero-prefixed version component {} in {shown}",
                quote(major.as_bytes())
            )));
        }
        let mut normalized = String::from("v");
        for (index, part) in parts.iter().enumerate() {
            let Ok(number) = part.parse::<u64>() else {
                let part = quote(part.as_bytes());
                return Err(error(format!(
                    "illegal non-numeric version component {part} in {shown}: \
                     strconv.ParseUint: parsing {part}: value out of range"
                )));
            };
            if index > 0 {
                normalized.push('.');
            }
            normalized.push_str(&number.to_string());
        }
        let with_v = if text.starts_with('v') { "" } else { "v" };
        Ok(Self {
            version: format!("{with_v}{text}"),
            major: major.to_owned(),
            minor: without_zeros(minor).to_owned(),
            normalized,
        })
    }
}

/// The numbers at the start, with points between them.
fn leading_numbers(text: &str) -> Option<&str> {
    if text.contains('\n') {
        return None;
    }
    let text = text.trim_start_matches([' ', '\t', '\x0c', '\r']);
    let text = text.strip_prefix('v').unwrap_or(text);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(text);
    if end == 0 {
        return None;
    }
    while let Some(rest) = text[end..].strip_prefix('.') {
        match digits(rest) {
            0 => break,
            more => end += 1 + more,
        }
    }
    Some(&text[..end])
}

fn without_zeros(digits: &str) -> &str {
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        "0"
    } else {
        significant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_numbers_is_kept_but_does_not_count() {
        let version = KubeVersion::parse("1.33.4-gke.1245000").unwrap();
        assert_eq!(
            (version.version.as_str(), version.normalized.as_str()),
            ("v1.33.4-gke.1245000", "v1.33.4")
        );
        let version = KubeVersion::parse("v1.05+").unwrap();
        assert_eq!(
            [
                version.version,
                version.normalized,
                version.major,
                version.minor
            ],
            ["v1.05+", "v1.5", "1", "5"]
        );
    }

    #[test]
    fn mistakes_are_those_of_kubernetes() {
        let message = |text: &str| KubeVersion::parse(text).unwrap_err().to_string();
        assert_eq!(
            message("x"),
            "invalid kube version 'x': could not parse \"x\" as version"
        );
        assert_eq!(
            message("1"),
            "invalid kube version '1': illegal version string \"1\""
        );
        assert_eq!(
            message("01.2"),
            "invalid kube version '01.2': \
             illegal zero-prefixed version component \"01\" in \"01.2\""
        );
        assert_eq!(
            message("1.99999999999999999999"),
            "invalid kube version '1.99999999999999999999': illegal non-numeric version component \
             \"99999999999999999999\" in \"1.99999999999999999999\": strconv.ParseUint: parsing \
             \"99999999999999999999\": value out of range"
        );
    }
}
