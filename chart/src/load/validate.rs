//! What Helm checks in a chart's metadata, and how it tidies texts.

use std::{borrow::Cow, collections::HashSet};

use cairn_template::{
    go::{is_print, quote},
    go_semver::Version,
};

use super::chart_yaml::Decoded;
use crate::{ChartType, Dependency, Maintainer, Metadata};

/// What is wrong with the metadata.
#[derive(Debug)]
pub(super) struct Invalid {
    /// In Helm's words.
    pub(super) message: String,
    /// The field of `Chart.yaml` that is wrong.
    pub(super) field: &'static str,
}

fn invalid<T>(field: &'static str, message: impl AsRef<str>) -> Result<T, Invalid> {
    Err(Invalid {
        message: format!("validation: {}", message.as_ref()),
        field,
    })
}

/// The metadata, tidied and checked.
pub(super) fn validate(decoded: Decoded) -> Result<Metadata, Invalid> {
    let mut metadata = decoded.metadata;
    for text in [
        &mut metadata.name,
        &mut metadata.description,
        &mut metadata.home,
        &mut metadata.icon,
        &mut metadata.condition,
        &mut metadata.tags,
        &mut metadata.app_version,
        &mut metadata.kube_version,
    ] {
        tidy(text);
    }
    metadata.sources.iter_mut().for_each(tidy);
    metadata.keywords.iter_mut().for_each(tidy);
    if metadata.api_version.is_empty() {
        return invalid("apiVersion", "chart.metadata.apiVersion is required");
    }
    check_name(&metadata.name)?;
    check_version(&metadata.version)?;
    metadata.chart_type = match decoded.chart_type.as_str() {
        "" => ChartType::Unspecified,
        "application" => ChartType::Application,
        "library" => ChartType::Library,
        _ => {
            return invalid("type", "chart.metadata.type must be application or library");
        }
    };
    metadata.maintainers = maintainers(decoded.maintainers)?;
    metadata.dependencies = decoded.dependencies.map(dependencies).transpose()?;
    Ok(metadata)
}

fn check_name(name: &str) -> Result<(), Invalid> {
    let quoted = quote(name.as_bytes());
    match name {
        "" => invalid("name", "chart.metadata.name is required"),
        "." | ".." => invalid(
            "name",
            format!("chart.metadata.name {quoted} is not allowed"),
        ),
        // The name is a folder's name, not a path.
        _ if name.contains('/') => {
            invalid("name", format!("chart.metadata.name {quoted} is invalid"))
        }
        _ => Ok(()),
    }
}

fn check_version(version: &str) -> Result<(), Invalid> {
    if version.is_empty() {
        return invalid("version", "chart.metadata.version is required");
    }
    if Version::parse(version).is_err() {
        let quoted = quote(version.as_bytes());
        return invalid(
            "version",
            format!("chart.metadata.version {quoted} is invalid"),
        );
    }
    Ok(())
}

fn maintainers(decoded: Vec<Option<Maintainer>>) -> Result<Vec<Maintainer>, Invalid> {
    let maintainers = decoded.into_iter().map(|maintainer| {
        let Some(mut maintainer) = maintainer else {
            return invalid(
                "maintainers",
                "maintainers must not contain empty or null nodes",
            );
        };
        tidy(&mut maintainer.name);
        tidy(&mut maintainer.email);
        tidy(&mut maintainer.url);
        Ok(maintainer)
    });
    maintainers.collect()
}

fn dependencies(decoded: Vec<Option<Dependency>>) -> Result<Vec<Dependency>, Invalid> {
    const FIELD: &str = "dependencies";
    let mut names = HashSet::new();
    let dependencies = decoded.into_iter().map(|dependency| {
        let Some(mut dependency) = dependency else {
            return invalid(FIELD, "dependencies must not contain empty or null nodes");
        };
        tidy(&mut dependency.name);
        tidy(&mut dependency.version);
        tidy(&mut dependency.repository);
        tidy(&mut dependency.condition);
        dependency.tags.iter_mut().for_each(tidy);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !dependency.alias.bytes().all(allowed) {
            let name = quote(dependency.name.as_bytes());
            return invalid(
                FIELD,
                format!("dependency {name} has disallowed characters in the alias"),
            );
        }
        let key = if dependency.alias.is_empty() {
            &dependency.name
        } else {
            &dependency.alias
        };
        if !names.insert(key.clone()) {
            let key = quote(key.as_bytes());
            return invalid(
                FIELD,
                format!("more than one dependency with name or alias {key}"),
            );
        }
        Ok(dependency)
    });
    dependencies.collect()
}

fn tidy(text: &mut String) {
    if let Cow::Owned(tidied) = tidied(text) {
        *text = tidied;
    }
}

/// Every space is a plain one, and what does not print is left out.
fn tidied(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let kept = text.chars().filter_map(|c| match c {
        // Rust and Go agree on what is a space.
        _ if c.is_whitespace() => Some(' '),
        _ if is_print(c) => Some(c),
        _ => None,
    });
    Cow::Owned(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::tidied;

    #[test]
    fn texts_are_tidied_as_helm_tidies_them() {
        assert_eq!(tidied("a\tb\u{a0}c\u{200b}d\0é\n"), "a b cdé ");
    }
}
