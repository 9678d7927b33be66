//! The socket of a cluster: it says when the cluster is ready, keeps it alive, and takes orders.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<UnixStream>,
}

impl Connection {
    /// Connects, if there is a cluster.
    pub(crate) fn open(folder: &Path) -> Option<Self> {
        let stream = UnixStream::connect(folder.join("control.sock")).ok()?;
        Some(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Waits until the cluster is ready: the path of its kubeconfig, or `None` if it is about to end.
    pub(crate) fn greeting(&mut self) -> Result<Option<PathBuf>> {
        let line = self.line()?;
        if let Some(reason) = line.strip_prefix("failed ") {
            bail!("the cluster did not start: {reason}");
        }
        Ok(line.strip_prefix("ready ").map(PathBuf::from))
    }

    /// Gives an order and waits until it is carried out.
    pub(crate) fn order(&mut self, order: &str) -> Result<()> {
        writeln!(self.stream.get_mut(), "{order}").context("the cluster has ended")?;
        match self.line()?.as_str() {
            "ok" => Ok(()),
            "" => bail!("the cluster has ended"),
            answer => bail!("`{order}` {answer}"),
        }
    }

    /// The next line; empty at the end.
    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        // A connection that is cut is one that has ended.
        match self.stream.read_line(&mut line) {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => line.clear(),
            read => _ = read.context("failed to read what the cluster says")?,
        }
        Ok(line.trim_end().to_owned())
    }
}
