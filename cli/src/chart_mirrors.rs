//! Where charts come from instead of their repositories: mirrors, for machines that do not reach
//! the internet.
//!
//! Packs, profiles and locks go on naming the repositories themselves, so they are the same
//! wherever they are built; a digest that is known counts for what a mirror gives, too.

use std::str::FromStr;

use anyhow::anyhow;
use cairn_spec::ChartRepository;
use clap::Args;

use crate::{
    config::Environment,
    exit::{ExitCode, Failure},
};

/// Mirrors of repositories of charts.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ChartMirrorArgs {
    /// Take charts of a repository, or of all below an address, from another one; the lock stays
    /// the same
    #[arg(long = "chart-mirror", value_name = "FROM=TO")]
    mirrors: Vec<ChartMirror>,
}

/// One repository instead of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChartMirror {
    from: ChartRepository,
    to: ChartRepository,
}

impl FromStr for ChartMirror {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A path may hold `=`, so the second address is found by its beginning.
        let split = ["=https://", "=http://", "=oci://"]
            .iter()
            .filter_map(|start| text.find(start))
            .min()
            .ok_or(
                "expected FROM=TO, two addresses such as https://HOST/PATH or oci://HOST/PATH",
            )?;
        let (from, to) = text.split_at(split);
        let parsed = |text: &str| {
            text.parse()
                .map_err(|error: cairn_spec::NameError| error.to_string())
        };
        Ok(Self {
            from: parsed(from)?,
            to: parsed(to.trim_start_matches('='))?,
        })
    }
}

/// All mirrors that were given.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChartMirrors(Vec<ChartMirror>);

impl ChartMirrorArgs {
    /// Those of the command line, before those of `CAIRN_CHART_MIRRORS`.
    pub(crate) fn mirrors(&self, environment: &Environment) -> Result<ChartMirrors, Failure> {
        let mut mirrors = self.mirrors.clone();
        let written = environment.chart_mirrors.as_deref().unwrap_or_default();
        for text in written.split_whitespace() {
            mirrors.push(text.parse().map_err(|reason| {
                Failure::new(
                    ExitCode::Usage,
                    anyhow!("`CAIRN_CHART_MIRRORS` cannot be read: {reason}"),
                )
                .hint("write FROM=TO, several with a blank between them")
            })?);
        }
        Ok(ChartMirrors(mirrors))
    }
}

impl ChartMirrors {
    /// Where the charts of a repository are taken from. The longest address that leads to the
    /// repository counts; of equal ones, the first.
    pub(crate) fn place_of(&self, repository: &ChartRepository) -> ChartRepository {
        let mut found: Option<(&ChartMirror, &str)> = None;
        for mirror in &self.0 {
            let Some(below) = below(&mirror.from, repository) else {
                continue;
            };
            if found.is_none_or(|(_, known)| below.len() < known.len()) {
                found = Some((mirror, below));
            }
        }
        found
            .and_then(|(mirror, below)| format!("{}{below}", mirror.to).parse().ok())
            .unwrap_or_else(|| repository.clone())
    }
}

/// What follows an address in one that it leads to: nothing, or a path.
fn below<'r>(from: &ChartRepository, repository: &'r ChartRepository) -> Option<&'r str> {
    repository
        .as_str()
        .strip_prefix(from.as_str())
        .filter(|below| below.is_empty() || below.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrors(given: &[&str], variable: Option<&str>) -> ChartMirrors {
        let arguments = ChartMirrorArgs {
            mirrors: given.iter().map(|text| text.parse().unwrap()).collect(),
        };
        let environment = Environment {
            chart_mirrors: variable.map(str::to_owned),
            ..Environment::default()
        };
        arguments.mirrors(&environment).unwrap()
    }

    #[test]
    fn the_longest_address_counts_and_the_command_line_comes_first() {
        let mirrors = mirrors(
            &[
                "https://charts.example.com=oci://mirror.example.com/charts",
                "https://charts.example.com/a=b=https://mirror.example.com/odd",
            ],
            Some(
                "https://charts.example.com/stable=http://127.0.0.1:80 https://charts.example.com=oci://late.example.com",
            ),
        );
        let place = |text: &str| mirrors.place_of(&text.parse().unwrap()).to_string();
        for (repository, expected) in [
            (
                "https://charts.example.com",
                "oci://mirror.example.com/charts",
            ),
            (
                "https://charts.example.com/dev",
                "oci://mirror.example.com/charts/dev",
            ),
            (
                "https://charts.example.com/a=b/c",
                "https://mirror.example.com/odd/c",
            ),
            ("https://charts.example.com/stable", "http://127.0.0.1:80"),
            (
                "https://charts.example.com.evil.org/x",
                "https://charts.example.com.evil.org/x",
            ),
            ("https://other.example.com", "https://other.example.com"),
        ] {
            assert_eq!(place(repository), expected, "{repository}");
        }
    }

    #[test]
    fn what_is_no_pair_of_addresses_is_refused() {
        for bad in [
            "",
            "https://a.example.com",
            "a=b",
            "=https://a.example.com",
            "https://=oci://b",
        ] {
            assert!(bad.parse::<ChartMirror>().is_err(), "{bad}");
        }
        let environment = Environment {
            chart_mirrors: Some("nonsense".to_owned()),
            ..Environment::default()
        };
        assert!(ChartMirrorArgs::default().mirrors(&environment).is_err());
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        let error = "https://me:secret@a.example.com=oci://b.example.com"
            .parse::<ChartMirror>()
            .unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
