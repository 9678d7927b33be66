//! What the environment says. It is read here, once, and nowhere else.

use std::path::PathBuf;

use anyhow::anyhow;

use crate::exit::{ExitCode, Failure};

/// The environment variables that Cairn reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// `NO_COLOR`: no colours, whatever its value (<https://no-color.org>).
    pub(crate) no_color: bool,
    /// `CAIRN_LOG`: filters of the log, such as `info,cairn_registry=debug`.
    pub(crate) log: Option<String>,
    /// `DOCKER_CONFIG` or `~/.docker`: where `config.json` with registry credentials is.
    pub(crate) docker_config: Option<PathBuf>,
    /// `CAIRN_KEY_PASSWORD`: the password of an encrypted private key.
    pub(crate) key_password: Option<String>,
    /// `SOURCE_DATE_EPOCH`: the time artifacts say they were made at, in seconds since 1970
    /// (<https://reproducible-builds.org/specs/source-date-epoch/>).
    pub(crate) source_date_epoch: Option<String>,
}

impl Environment {
    /// Reads the environment of this process.
    pub(crate) fn read() -> Self {
        let home = variable("HOME").map(PathBuf::from);
        Self {
            no_color: variable("NO_COLOR").is_some(),
            log: variable("CAIRN_LOG"),
            docker_config: variable("DOCKER_CONFIG")
                .map(PathBuf::from)
                .or_else(|| home.map(|home| home.join(".docker")))
                .map(|folder| folder.join("config.json")),
            key_password: variable("CAIRN_KEY_PASSWORD"),
            source_date_epoch: variable("SOURCE_DATE_EPOCH"),
        }
    }

    /// The time of `SOURCE_DATE_EPOCH`, in seconds since 1970.
    pub(crate) fn created_unix_s(&self) -> Result<Option<u64>, Failure> {
        /// Later years do not fit into RFC 3339.
        const END_OF_YEAR_9999: u64 = 253_402_300_799;
        let Some(text) = &self.source_date_epoch else {
            return Ok(None);
        };
        match text.parse() {
            Ok(seconds) if seconds <= END_OF_YEAR_9999 => Ok(Some(seconds)),
            _ => Err(Failure::new(
                ExitCode::InvalidInput,
                anyhow!("`SOURCE_DATE_EPOCH` is not a number of seconds since 1970: `{text}`"),
            )
            .hint("set it as in `SOURCE_DATE_EPOCH=1700000000`, or unset it")),
        }
    }

    /// The same as an RFC 3339 time in UTC.
    pub(crate) fn created(&self) -> Result<Option<String>, Failure> {
        Ok(self.created_unix_s()?.map(rfc_3339))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this file is where the environment is read"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A time in UTC. The calendar is proleptic Gregorian; days are counted from 0000-03-01 so that
/// leap days come last (Howard Hinnant, "`chrono`-compatible low-level date algorithms").
fn rfc_3339(unix_s: u64) -> String {
    let (days, seconds) = (unix_s / 86_400, unix_s % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        for (unix_s, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc_3339(unix_s), expected);
        }
    }
}
