//! `cairn registry healthcheck`: for containers, which have no curl.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use reqwest::{Client, StatusCode, redirect};

use crate::{
    client::runtime,
    exit::{Failure, Outcome},
};

/// How long the registry may take to answer; a container's check has 3 s.
const TIMEOUT: Duration = Duration::from_millis(2500);

/// Ask a registry whether it is ready, over HTTP or over TLS, whichever it speaks
///
/// Ends with 0 when it is. Made for a container's HEALTHCHECK: any certificate will do, since
/// nothing secret is sent. A registry that requires client certificates does not answer.
#[derive(Debug, Args)]
pub(crate) struct RegistryHealthcheck {
    /// Where the registry listens
    #[arg(default_value = "127.0.0.1:5000", value_name = "HOST:PORT")]
    address: String,
}

impl RegistryHealthcheck {
    pub(crate) fn run(self) -> Outcome {
        runtime()?.block_on(self.check()).map_err(|error| {
            Failure::from(error).hint("start it with `cairn registry serve`, or name its HOST:PORT")
        })
    }

    async fn check(&self) -> anyhow::Result<()> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            .redirect(redirect::Policy::none())
            // The certificate is for the name that clients use, hardly for the loopback address.
            // Whether the server is ready is no secret, and no answer makes anything trusted.
            .tls_danger_accept_invalid_certs(true)
            .build()
            .context("failed to set up the client")?;
        let ask = async |scheme: &str| {
            let url = format!("{scheme}://{}/readyz", self.address);
            let response = client.get(url).send().await?;
            Ok::<_, reqwest::Error>(response.status())
        };
        // A server that speaks TLS ends a connection which begins with anything else.
        let answer = match ask("http").await {
            Err(error) if is_connected(&error) => ask("https").await,
            answer => answer,
        };
        match answer {
            Ok(StatusCode::OK) => Ok(()),
            Ok(status) => Err(anyhow!(
                "the registry at {} is not ready: it answered {}",
                self.address,
                status.as_u16()
            )),
            Err(error) => {
                let cause = anyhow::Error::new(error).root_cause().to_string();
                let what = format!("failed to reach the registry at {}", self.address);
                Err(anyhow!(cause).context(what))
            }
        }
    }
}

/// Whether somebody listens, who did not answer in HTTP.
fn is_connected(error: &reqwest::Error) -> bool {
    !error.is_connect() && !error.is_timeout() && !error.is_builder()
}
