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
    /// `CAIRN_LOG_FORMAT=json`: the log is a JSON object a line.
    pub(crate) logs_json: bool,
    /// `DOCKER_CONFIG` or `~/.docker`: where `config.json` with registry credentials is.
    pub(crate) docker_config: Option<PathBuf>,
    /// `KUBECONFIG`, or `~/.kube/config` when it is there: clusters, and who asks.
    pub(crate) kubeconfigs: Vec<PathBuf>,
    /// `CAIRN_CACHE`, or `cairn` in `XDG_CACHE_HOME` or `~/.cache`: what can be fetched again.
    pub(crate) cache: Option<PathBuf>,
    /// `CAIRN_CHART_MIRRORS`: where charts are taken from instead of their repositories, as
    /// `FROM=TO`, several with blanks between them.
    pub(crate) chart_mirrors: Option<String>,
    /// `CAIRN_KEY_PASSWORD`: the password of an encrypted private key.
    pub(crate) key_password: Option<String>,
    /// `SOURCE_DATE_EPOCH`: the time artifacts say they were made at, in seconds since 1970
    /// (<https://reproducible-builds.org/specs/source-date-epoch/>).
    pub(crate) source_date_epoch: Option<String>,
    /// `CAIRN_REGISTRY_…` and `OTEL_…`: keys of the registry's configuration, by the names of the
    /// variables.
    pub(crate) registry_settings: Vec<(String, String)>,
}

/// Later years do not fit into RFC 3339.
const END_OF_YEAR_9999: u64 = 253_402_300_799;

impl Environment {
    /// Reads the environment of this process.
    pub(crate) fn read() -> Self {
        let home = variable("HOME").map(PathBuf::from);
        Self {
            no_color: variable("NO_COLOR").is_some(),
            log: variable("CAIRN_LOG"),
            logs_json: variable("CAIRN_LOG_FORMAT").is_some_and(|format| format == "json"),
            cache: variable("CAIRN_CACHE").map(PathBuf::from).or_else(|| {
                let caches = variable("XDG_CACHE_HOME").map(PathBuf::from);
                let caches = caches.or_else(|| Some(home.as_ref()?.join(".cache")));
                Some(caches?.join("cairn"))
            }),
            kubeconfigs: kubeconfigs(variable("KUBECONFIG"), home.as_ref()),
            docker_config: variable("DOCKER_CONFIG")
                .map(PathBuf::from)
                .or_else(|| home.as_ref().map(|home| home.join(".docker")))
                .map(|folder| folder.join("config.json")),
            chart_mirrors: variable("CAIRN_CHART_MIRRORS"),
            key_password: variable("CAIRN_KEY_PASSWORD"),
            source_date_epoch: variable("SOURCE_DATE_EPOCH"),
            registry_settings: variables(&[
                cairn_registry::VARIABLE_PREFIX,
                cairn_registry::OTEL_PREFIX,
            ]),
        }
    }

    /// The time of `SOURCE_DATE_EPOCH`, in seconds since 1970.
    pub(crate) fn created_unix_s(&self) -> Result<Option<u64>, Failure> {
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
        Ok(self.created_unix_s()?.map(cairn_spec::rfc_3339))
    }
}

/// The files that `KUBECONFIG` names, in order; without it the usual one.
fn kubeconfigs(named: Option<String>, home: Option<&PathBuf>) -> Vec<PathBuf> {
    match named {
        Some(named) => std::env::split_paths(&named)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
        None => home
            .map(|home| home.join(".kube/config"))
            .filter(|path| path.is_file())
            .into_iter()
            .collect(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this file is where the environment is read"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The variables whose names begin with one of some prefixes, in the order of their names.
fn variables(prefixes: &[&str]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    found.sort_unstable();
    found
}
