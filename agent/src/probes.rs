//! Answers the kubelet: `/livez` says that the agent runs, `/readyz` that it has read its cluster.
//!
//! It is as much HTTP as a probe needs, for a whole server would be larger than the rest of the agent.

use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::observed::Observed;

/// The longest request line, in bytes.
const MAX_LINE_BYTES: u64 = 1_024;
/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(2);
/// After a failure to accept, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers for ever, one request after the other.
pub async fn answer(listener: TcpListener, observed: &Observed) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let is_ready = observed.now().is_ready;
                // Whoever is slow or gone gets no answer.
                let _ = timeout(PATIENCE, answer_one(stream, is_ready)).await;
            }
            Err(error) => {
                tracing::warn!(%error, "a probe cannot be answered");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn answer_one(stream: TcpStream, is_ready: bool) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream)
        .take(MAX_LINE_BYTES)
        .read_line(&mut line)
        .await?;
    // The rest of the request, so that closing does not cut the answer off.
    let mut header = String::new();
    while (&mut stream)
        .take(MAX_LINE_BYTES)
        .read_line(&mut header)
        .await?
        > 2
    {
        header.clear();
    }
    let (status, body) = response(&line, is_ready);
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn response(line: &str, is_ready: bool) -> (&'static str, &'static str) {
    let mut words = line.split(' ');
    match (words.next(), words.next()) {
        (Some("GET" | "HEAD"), Some("/livez")) => ("200 OK", "ok\n"),
        (Some("GET" | "HEAD"), Some("/readyz")) if is_ready => ("200 OK", "ok\n"),
        (Some("GET" | "HEAD"), Some("/readyz")) => {
            ("503 Service Unavailable", "the cluster was not read yet\n")
        }
        _ => ("404 Not Found", "there are /livez and /readyz\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(request: &str, observed: &Observed) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        tokio::select! {
            () = answer(listener, observed) => unreachable!(),
            answer = asked => answer,
        }
    }

    #[tokio::test]
    async fn an_agent_is_ready_when_it_has_read_its_cluster() {
        let observed = Observed::new(crate::clock::Clock::system());
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(
            ask(&get("/livez"), &observed)
                .await
                .starts_with("HTTP/1.1 200")
        );
        assert!(
            ask(&get("/readyz"), &observed)
                .await
                .starts_with("HTTP/1.1 503")
        );
        observed.note(|known| known.is_ready = true);
        assert!(
            ask(&get("/readyz"), &observed)
                .await
                .starts_with("HTTP/1.1 200")
        );
        assert!(ask(&get("/"), &observed).await.starts_with("HTTP/1.1 404"));
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(10_000));
        assert!(ask(&long, &observed).await.starts_with("HTTP/1.1 404"));
    }
}
