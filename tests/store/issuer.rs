//! Stands in for the services of a cloud that give a machine or a pod its credentials: the token
//! service (STS) and the metadata service (IMDS), as far as the SDK asks them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use cairn_test_s3::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The largest request that is read, in bytes.
const REQUEST_BYTES: usize = 64 * 1024;

/// A running server. It ends when this is dropped.
pub(crate) struct Issuer {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Issuer {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever breaks off asks again.
                let _ = answer(stream, &seen).await;
            }
        });
        Ok(Self {
            address,
            requests,
            serving,
        })
    }

    /// The request lines and bodies so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(stream: TcpStream, seen: &Mutex<Vec<String>>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request_line = String::new();
    stream.read_line(&mut request_line).await?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse::<usize>()?.min(REQUEST_BYTES);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let (media_type, content) = content(&request_line);
    seen.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(format!("{} {body}", request_line.trim()));
    let length = content.len();
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\
         x-aws-ec2-metadata-token-ttl-seconds: 21600\r\nConnection: close\r\n\r\n{content}"
    );
    stream.write_all(response.as_bytes()).await?;
    Ok(stream.shutdown().await?)
}

/// The services tell themselves apart by method and path.
fn content(request_line: &str) -> (&'static str, String) {
    const EXPIRATION: &str = "2100-01-01T00:00:00Z";
    if request_line.starts_with("PUT /latest/api/token") {
        return ("text/plain", "metadata-token".to_owned());
    }
    if request_line.contains("/security-credentials/machine") {
        let credentials = format!(
            r#"{{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "{ACCESS_KEY_ID}", "SecretAccessKey": "{SECRET_ACCESS_KEY}", "Token": "session", "LastUpdated": "2020-01-01T00:00:00Z", "Expiration": "{EXPIRATION}"}}"#
        );
        return ("application/json", credentials);
    }
    if request_line.contains("/security-credentials") {
        return ("text/plain", "machine".to_owned());
    }
    let action = "AssumeRoleWithWebIdentity";
    let credentials = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         <AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/registry/a</Arn><AssumedRoleId>A:a</AssumedRoleId></AssumedRoleUser>\
         <Credentials><AccessKeyId>{ACCESS_KEY_ID}</AccessKeyId><SecretAccessKey>{SECRET_ACCESS_KEY}</SecretAccessKey>\
         <SessionToken>session</SessionToken><Expiration>{EXPIRATION}</Expiration></Credentials>\
         </{action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    );
    ("text/xml", credentials)
}
