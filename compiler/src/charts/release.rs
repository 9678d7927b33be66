//! Names of releases, by Helm's rule.

use cairn_spec::{ChartName, Diagnostic, LayerName, Span};

use crate::Session;

/// The longest name of a release, in bytes: Helm's own limit, since names of objects follow from it.
const MAX_RELEASE_LENGTH: usize = 53;

/// Whether a text can be the name of a release.
pub(crate) fn is_release(name: &str) -> bool {
    name.len() <= MAX_RELEASE_LENGTH
        && name.split('.').all(|part| {
            let bytes = part.as_bytes();
            let fits = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            bytes.first().is_some_and(fits)
                && bytes.last().is_some_and(fits)
                && bytes.iter().all(|byte| fits(byte) || *byte == b'-')
        })
}

/// Reports a name that cannot be one of a release; whether there is none to report.
pub(crate) fn check_release(
    name: Option<&str>,
    place: Option<Span>,
    session: &mut Session,
) -> bool {
    let Some(name) = name.filter(|name| !is_release(name)) else {
        return true;
    };
    session.report(
        Diagnostic::error(
            "chart-release",
            format!("`{name}` cannot be the name of a release"),
        )
        .at(place)
        .hint("use 1 to 53 lower-case letters, digits, `-` and `.`, starting and ending with a letter or digit"),
    );
    false
}

/// The name of a chart's release: what is written, else that of the layer, with the chart's name when
/// the layer has several.
pub(crate) fn release_of(
    written: Option<&str>,
    layer: &LayerName,
    chart: &ChartName,
    is_only: bool,
) -> String {
    match written {
        Some(name) => name.to_owned(),
        None if is_only => layer.to_string(),
        None => format!("{layer}-{chart}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_helm_takes() {
        for good in ["web", "a", "web-1.front", "0"] {
            assert!(is_release(good), "{good}");
        }
        for bad in ["", "Web", "web-", "-web", "a..b", "a_b", &"a".repeat(54)] {
            assert!(!is_release(bad), "{bad}");
        }
    }
}
