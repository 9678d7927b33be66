//! Patterns of settings, made ready to match.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::{Error, Result};

/// A setting's pattern; an error names both.
pub(crate) fn glob(setting: &'static str, pattern: &str) -> Result<Glob> {
    Glob::new(pattern).map_err(|source| invalid(setting, pattern, source))
}

/// All of a setting's patterns.
pub(crate) fn globs(setting: &'static str, patterns: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(glob(setting, pattern)?);
    }
    set.build().map_err(|source| invalid(setting, "", source))
}

fn invalid(setting: &'static str, value: &str, source: globset::Error) -> Error {
    Error::Config {
        setting,
        value: value.to_owned(),
        source: source.into(),
    }
}
