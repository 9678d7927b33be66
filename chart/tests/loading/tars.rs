//! Makes archives for tests, good and bad ones.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

/// A tar that is being written.
#[derive(Default)]
pub(crate) struct Tar {
    bytes: Vec<u8>,
}

impl Tar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(path, b'0', content.as_ref())
    }

    pub(crate) fn entry(self, path: &str, kind: u8, content: &[u8]) -> Self {
        let header = header(path.as_bytes(), kind, content.len() as u64);
        self.raw(&header).content(content)
    }

    /// A header of its own making.
    pub(crate) fn raw(mut self, header: &[u8]) -> Self {
        self.bytes.extend_from_slice(header);
        self
    }

    pub(crate) fn content(mut self, content: &[u8]) -> Self {
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    /// The tar without the blocks at its end.
    pub(crate) fn open(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn tgz(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 1024, 0);
        gzip(&self.bytes)
    }
}

/// A header of USTAR; names of more than 100 bytes are cut off.
pub(crate) fn header(name: &[u8], kind: u8, size: u64) -> [u8; 512] {
    let mut header = [0; 512];
    let length = name.len().min(100);
    header[..length].copy_from_slice(&name[..length]);
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut header);
    header
}

/// Writes the checksum.
pub(crate) fn seal(header: &mut [u8; 512]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

pub(crate) fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in records {
        let body = key.len() + value.len() + 3;
        // The length counts its own digits.
        let length = body + (body + 2).to_string().len();
        out.extend(format!("{length} {key}={value}\n").into_bytes());
    }
    out
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}
