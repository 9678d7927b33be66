//! Pointers, identifiers, versions and expressions.

use super::{super::pattern::Pattern, all, wrong};

pub(super) fn regex(text: &str) -> Result<(), String> {
    Pattern::new(text).map(drop)
}

/// RFC 6901, section 3.
pub(super) fn json_pointer(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    if !text.starts_with('/') {
        return wrong("not starting with /");
    }
    for token in text.split('/') {
        let mut escapes = token.split('~');
        escapes.next();
        if !escapes.all(|after| after.starts_with(['0', '1'])) {
            return wrong("~ must be followed by 0 or 1");
        }
    }
    Ok(())
}

pub(super) fn relative_json_pointer(text: &str) -> Result<(), String> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - rest.len();
    if digits == 0 {
        return wrong("must start with non-negative integer");
    }
    if digits > 1 && text.starts_with('0') {
        return wrong("starts with zero");
    }
    if rest == "#" {
        return Ok(());
    }
    json_pointer(rest)
}

pub(super) fn uuid(text: &str) -> Result<(), String> {
    const LENGTHS: [usize; 5] = [8, 4, 4, 4, 12];
    let elements: Vec<_> = text.split('-').collect();
    if elements.len() != LENGTHS.len() {
        return wrong("must have 5 elements");
    }
    for (index, (element, length)) in elements.iter().zip(LENGTHS).enumerate() {
        if element.len() != length {
            let number = index + 1;
            return wrong(format!("element {number} must be {length} characters long"));
        }
        all(element, |c| c.is_ascii_hexdigit(), "non-hex character")?;
    }
    Ok(())
}

/// <https://semver.org/#backusnaur-form-grammar-for-valid-semver-versions>
pub(super) fn semver(text: &str) -> Result<(), String> {
    let is_identifier = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let (text, build) = text
        .split_once('+')
        .map_or((text, None), |(text, build)| (text, Some(build)));
    match build {
        Some("") => return wrong("build is empty"),
        Some(build) => {
            for identifier in build.split('.') {
                if identifier.is_empty() {
                    return wrong("build identifier is empty");
                }
                all(identifier, is_identifier, "invalid character")
                    .map_err(|reason| format!("{reason} in build identifier"))?;
            }
        }
        None => {}
    }
    let (core, pre_release) = text
        .split_once('-')
        .map_or((text, None), |(core, pre)| (core, Some(pre)));
    for identifier in pre_release.into_iter().flat_map(|pre| pre.split('.')) {
        if identifier.is_empty() {
            return wrong("pre-release identifier is empty");
        }
        all(identifier, is_identifier, "invalid character")
            .map_err(|reason| format!("{reason} in pre-release identifier"))?;
        let is_number = identifier.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && identifier.len() > 1 && identifier.starts_with('0') {
            return wrong("pre-release numeric identifier starts with zero");
        }
    }
    let parts: Vec<_> = core.split('.').collect();
    if parts.len() != 3 {
        return wrong("versionCore must have 3 numbers separated by dot");
    }
    for (part, name) in parts.into_iter().zip(["major", "minor", "patch"]) {
        if part.is_empty() {
            return wrong(format!("{name} is empty"));
        }
        if part.len() > 1 && part.starts_with('0') {
            return wrong(format!("{name} starts with zero"));
        }
        if !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return wrong(format!("{name} contains non-digit"));
        }
    }
    Ok(())
}
