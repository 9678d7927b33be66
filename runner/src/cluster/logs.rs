//! The last words of a container that failed.

use super::{
    Cluster, ClusterError,
    request::{Call, encoded},
};

/// What is shown of a log: its last lines, and not more than so many bytes of them.
const LINES: u32 = 20;
const MAX_BYTES: usize = 4096;
/// Lines may be long; of longer ones the start is read.
const MAX_READ_BYTES: u32 = 1 << 20;

impl Cluster {
    /// The last lines that a container wrote before it ended, or has written until now; none if there
    /// are none to be had.
    pub async fn last_words(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<Option<String>, ClusterError> {
        for previous in [true, false] {
            let path = format!(
                "/api/v1/namespaces/{}/pods/{}/log?container={}&tailLines={LINES}&limitBytes={MAX_READ_BYTES}&previous={previous}",
                encoded(namespace),
                encoded(pod),
                encoded(container),
            );
            match self.ask_text(&Call::get(path)).await {
                Ok(text) if !text.trim().is_empty() => return Ok(Some(end_of(&text).to_owned())),
                // Refused: there was no container before this one, it has not started, or its node is away.
                Ok(_) | Err(ClusterError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn ask_text(&self, call: &Call) -> Result<String, ClusterError> {
        let call = Call {
            accept: "*/*",
            ..call.clone()
        };
        match self.ask_bytes(&call).await {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => Err(error),
        }
    }
}

/// The end of a text, from the start of a line on if there is one.
fn end_of(text: &str) -> &str {
    let mut start = text.len().saturating_sub(MAX_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let end = text.get(start..).unwrap_or_default();
    match end.split_once('\n') {
        Some((_, lines)) if start > 0 && !lines.is_empty() => lines,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_cut_at_a_line() {
        assert_eq!(end_of("a\nb\n"), "a\nb\n");
        let long = format!("ä{}\nlast\n", "x".repeat(MAX_BYTES - 6));
        assert_eq!(end_of(&long), "last\n");
        let line = "ä".repeat(MAX_BYTES);
        assert_eq!(end_of(&line).len(), MAX_BYTES);
    }
}
