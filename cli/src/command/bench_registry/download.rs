//! Pulls of large content: HTTP/1.1 by hand, with one buffer that everything is read into.
//!
//! A client that keeps or moves what it reads is slower than the registries it measures.

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    target::Target,
    transport::{self, Transport},
};

/// What is read at once, in bytes: little enough to stay in the processor's cache. Headers have to
/// fit, too.
const BUFFER_BYTES: usize = 256 * 1024;

/// A connection that pulls one thing after another.
#[derive(Debug)]
pub(crate) struct Download {
    authority: String,
    transport: Box<dyn Transport>,
    buffer: Box<[u8]>,
}

impl Download {
    pub(crate) async fn open(target: &Target) -> Result<Self> {
        Ok(Self {
            authority: target.authority.clone(),
            transport: transport::connect(target).await?,
            buffer: vec![0; BUFFER_BYTES].into(),
        })
    }

    /// Reads what is there to its end; how many bytes it has.
    pub(crate) async fn pull(&mut self, path: &str) -> Result<u64> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.authority);
        self.transport.write_all(request.as_bytes()).await?;
        let mut filled = 0;
        let (head_bytes, length_bytes) = loop {
            let room = &mut self.buffer[filled..];
            ensure!(!room.is_empty(), "the headers of {path} are too long");
            let read = self.transport.read(room).await?;
            ensure!(
                read > 0,
                "the connection ended before the headers of {path}"
            );
            filled += read;
            if let Some(head_bytes) = end_of_head(&self.buffer[..filled]) {
                break (head_bytes, content_length(&self.buffer[..head_bytes])?);
            }
        };
        let mut left = length_bytes
            .checked_sub((filled - head_bytes) as u64)
            .with_context(|| format!("{path} is longer than its length"))?;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let most = most.min(self.buffer.len());
            let read = self.transport.read(&mut self.buffer[..most]).await?;
            ensure!(read > 0, "the connection ended within {path}");
            left -= read as u64;
        }
        Ok(length_bytes)
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let end = b"\r\n\r\n";
    let place = bytes.windows(end.len()).position(|window| window == end);
    place.map(|place| place + end.len())
}

/// The length that a head announces, if it is that of a success.
fn content_length(head: &[u8]) -> Result<u64> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    ensure!(
        status.starts_with("HTTP/1.1 200"),
        "the answer was {status}"
    );
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    length.context("the answer has no length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let head = b"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length: 12\r\n\r\nbody";
        assert_eq!(end_of_head(head), Some(head.len() - 4));
        assert_eq!(content_length(&head[..head.len() - 4]).unwrap(), 12);
        assert_eq!(end_of_head(b"HTTP/1.1 200 OK\r\n"), None);
        for refused in [
            "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert!(content_length(refused.as_bytes()).is_err(), "{refused}");
        }
    }
}
