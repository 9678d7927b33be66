//! `cairn registry healthcheck`: for containers, which have no curl.

use std::{
    io::{Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::exit::{Failure, Outcome};

/// How long the registry may take to answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// An answer's first line fits in here, in bytes.
const STATUS_LINE_BYTES: u64 = 128;

/// Ask a registry whether it is ready
///
/// Ends with 0 when it is. Made for a container's HEALTHCHECK.
#[derive(Debug, Args)]
pub(crate) struct RegistryHealthcheck {
    /// Where the registry listens
    #[arg(default_value = "127.0.0.1:5000", value_name = "HOST:PORT")]
    address: String,
}

impl RegistryHealthcheck {
    pub(crate) fn run(self) -> Outcome {
        self.check().map_err(|error| {
            Failure::from(error).hint("start it with `cairn registry serve`, or name its HOST:PORT")
        })
    }

    fn check(&self) -> anyhow::Result<()> {
        let what = || format!("failed to reach the registry at {}", self.address);
        let address = self
            .address
            .to_socket_addrs()
            .with_context(what)?
            .next()
            .with_context(what)?;
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).with_context(what)?;
        stream.set_read_timeout(Some(TIMEOUT)).with_context(what)?;
        stream
            .write_all(
                format!(
                    "GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                    self.address
                )
                .as_bytes(),
            )
            .with_context(what)?;
        let mut answer = String::new();
        stream
            .take(STATUS_LINE_BYTES)
            .read_to_string(&mut answer)
            .with_context(what)?;
        let status = answer.split(' ').nth(1).unwrap_or("nothing");
        if status != "200" {
            bail!(
                "the registry at {} is not ready: it answered {status}",
                self.address
            );
        }
        Ok(())
    }
}
