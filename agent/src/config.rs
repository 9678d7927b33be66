//! What the environment says. It is read here, once, and nowhere else.

use std::path::PathBuf;

/// The environment variables that the agent reads.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `CAIRN_LOG`: how much is logged, such as `info,cairn_runner=debug`.
    pub log: Option<String>,
    /// `KUBECONFIG`: clusters, and who asks. Inside of a cluster there is none.
    pub kubeconfigs: Vec<PathBuf>,
    /// `DOCKER_CONFIG`: the folder of `config.json` with logins of registries.
    pub docker_config: Option<PathBuf>,
    /// `POD_NAME`, or else `HOSTNAME`: who this is among several replicas.
    pub name: Option<String>,
}

impl Environment {
    /// Reads the environment of this process.
    pub fn read() -> Self {
        let kubeconfigs = variable("KUBECONFIG").unwrap_or_default();
        Self {
            log: variable("CAIRN_LOG"),
            kubeconfigs: std::env::split_paths(&kubeconfigs)
                .filter(|path| !path.as_os_str().is_empty())
                .collect(),
            docker_config: variable("DOCKER_CONFIG")
                .map(|folder| PathBuf::from(folder).join("config.json")),
            name: variable("POD_NAME").or_else(|| variable("HOSTNAME")),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this file is where the environment is read"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
