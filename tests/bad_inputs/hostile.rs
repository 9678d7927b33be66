//! What an attacker can put into a registry, and a registry that answers what it likes.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

use cairn_oci::{Client, Options};
use cairn_spec::{Artifact, Digest, Reference, gzip, media_type};
use tar::{EntryType, Header};

/// An entry of an archive, with nothing checked.
pub(crate) struct Entry {
    path: Vec<u8>,
    kind: EntryType,
    content: Vec<u8>,
    /// The size that the header claims.
    claimed_bytes: u64,
}

impl Entry {
    /// A file.
    pub(crate) fn file(path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref().to_vec();
        Self {
            path: path.as_ref().to_vec(),
            kind: EntryType::Regular,
            claimed_bytes: content.len() as u64,
            content,
        }
    }

    /// Something that is no file.
    pub(crate) fn special(path: &str, kind: EntryType) -> Self {
        Self {
            kind,
            ..Self::file(path, "")
        }
    }

    /// Claims another size than the content has.
    pub(crate) fn claiming(self, claimed_bytes: u64) -> Self {
        Self {
            claimed_bytes,
            ..self
        }
    }
}

/// An archive of these entries.
pub(crate) fn tar_of(entries: &[Entry]) -> Vec<u8> {
    let mut tar = Vec::new();
    for entry in entries {
        let mut header = Header::new_ustar();
        header.set_size(entry.claimed_bytes);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_entry_type(entry.kind);
        let ustar = header.as_ustar_mut().unwrap();
        ustar.name[..entry.path.len()].copy_from_slice(&entry.path);
        ustar.linkname[..11].copy_from_slice(b"/etc/passwd");
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(&entry.content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

/// A pack as another tool pushes it: no config, and this content.
pub(crate) fn pack_of(content: Vec<u8>) -> Artifact {
    pack_with_config(b"{}".to_vec(), content)
}

/// A pack with a config that may lie.
pub(crate) fn pack_with_config(config: Vec<u8>, content: Vec<u8>) -> Artifact {
    Artifact::builder(media_type::PACK)
        .config(media_type::PACK, config)
        .layer(media_type::PACK_CONTENT, content)
        .build()
        .unwrap()
}

/// The gzipped archive of a pack's files.
pub(crate) fn content_of(entries: &[Entry]) -> Vec<u8> {
    gzip(&tar_of(entries))
}

/// Pushes an artifact as any OCI client can.
pub(crate) fn push(reference: &str, artifact: &Artifact) -> Digest {
    let reference: Reference = reference.parse().unwrap();
    wait(client().push_artifact(&reference, artifact))
        .unwrap()
        .digest
}

/// Reads an artifact.
pub(crate) fn pull(reference: &str) -> Artifact {
    let reference: Reference = reference.parse().unwrap();
    wait(client().pull_artifact(&reference, &cairn_oci::PullLimits::default())).unwrap()
}

fn client() -> Client {
    Client::new(Options::default()).unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// What a [`fake_registry`] answers.
pub(crate) struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// An answer with a status such as `404 Not Found`.
    pub(crate) fn new(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn bytes(self, method: &str) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\n", self.status);
        let has_length = self
            .headers
            .iter()
            .any(|(name, _)| *name == "Content-Length");
        if !has_length {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if method != "HEAD" {
            bytes.extend(self.body);
        }
        bytes
    }

    /// An image manifest.
    pub(crate) fn manifest(body: impl Into<Vec<u8>>) -> Self {
        Self::new("200 OK", body).header("Content-Type", media_type::OCI_MANIFEST)
    }
}

/// A registry that answers every request as told, by the path that was asked for. Its address is
/// returned; it ends with the process.
pub(crate) fn fake_registry(answer: impl Fn(&str) -> Answer + Send + 'static) -> String {
    fake_server(move |request| {
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        answer(path).bytes(method)
    })
}

/// A server that answers every request with the bytes it is told.
pub(crate) fn fake_server(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A client that goes away in the middle is not the server's problem.
            if let Ok(request) = read_head(&mut stream) {
                let _ = stream.write_all(&answer(&request));
            }
        }
    });
    address
}

/// A request's first line and headers; none of our requests here has a body.
fn read_head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        request.extend_from_slice(&buffer[..count]);
    }
    Ok(String::from_utf8_lossy(&request).into_owned())
}
