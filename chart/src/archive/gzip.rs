//! Gzip, inflated no further than somebody asks, with Go's rules and errors
//! (<https://www.rfc-editor.org/rfc/rfc1952>).

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::failure::Failure;

const MAGIC: &[u8] = &[0x1f, 0x8b, 0x08];
const FLAG_HEADER_CHECKSUM: u8 = 1 << 1;
const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;
/// The longest name or comment in a header that Go reads, in bytes.
const MAX_TEXT_BYTES: usize = 512;
/// At least this much is inflated at a time, in bytes.
const CHUNK_BYTES: usize = 64 << 10;
/// Deflate packs no more than this into one byte.
const MAX_RATIO: usize = 1032;
/// What is set aside for the content before it is seen, in bytes.
const MAX_FIRST_BYTES: usize = 16 << 20;

/// A compressed stream, and what of it is inflated.
pub(super) struct Inflater<'p> {
    packed: &'p [u8],
    at: usize,
    raw: Decompress,
    checksum: Crc,
    pub(super) out: Vec<u8>,
    /// Where the member that is being inflated begins in `out`.
    member_start: usize,
    end: Option<Result<(), Failure>>,
}

impl<'p> Inflater<'p> {
    pub(super) fn new(packed: &'p [u8]) -> Result<Self, Failure> {
        let mut inflater = Self {
            packed,
            at: 0,
            raw: Decompress::new(false),
            checksum: Crc::new(),
            out: Vec::new(),
            member_start: 0,
            end: None,
        };
        if packed.is_empty() {
            return Err(Failure::Empty);
        }
        inflater.header()?;
        inflater.out.reserve(inflater.likely_bytes());
        Ok(inflater)
    }

    /// How large the content is, going by the end of the stream, which may lie.
    fn likely_bytes(&self) -> usize {
        let length = self
            .packed
            .last_chunk()
            .map(|bytes| u32::from_le_bytes(*bytes));
        let length = length.and_then(|length| usize::try_from(length).ok());
        let most = self
            .packed
            .len()
            .saturating_mul(MAX_RATIO)
            .min(MAX_FIRST_BYTES);
        length.unwrap_or_default().min(most)
    }

    /// Inflates until `out` holds `length` bytes. Gives false when the stream ends before.
    pub(super) fn fill(&mut self, length: usize) -> Result<bool, Failure> {
        while self.out.len() < length {
            if let Some(end) = &self.end {
                return end.clone().map(|()| false);
            }
            if let Err(failure) = self.inflate(length) {
                self.end = Some(Err(failure));
            }
        }
        Ok(true)
    }

    fn inflate(&mut self, length: usize) -> Result<(), Failure> {
        let missing = length - self.out.len();
        if self.out.capacity() - self.out.len() < missing {
            self.out.reserve(missing.max(CHUNK_BYTES));
        }
        let before = (self.out.len(), self.raw.total_in());
        let input = self.packed.get(self.at..).unwrap_or_default();
        let status = self
            .raw
            .decompress_vec(input, &mut self.out, FlushDecompress::None);
        let read = self.raw.total_in() - before.1;
        self.at += usize::try_from(read).unwrap_or(usize::MAX);
        let written = self.out.get(before.0..).unwrap_or_default();
        self.checksum.update(written);
        match status {
            Ok(Status::StreamEnd) => self.end_member(),
            Ok(_) if read == 0 && written.is_empty() => Err(Failure::CutOff),
            Ok(_) => Ok(()),
            Err(_) => Err(Failure::Damaged(self.raw.total_in().max(1))),
        }
    }

    /// Checks the trailer, and goes on to the next member if there is one.
    fn end_member(&mut self) -> Result<(), Failure> {
        let sum = self.u32()?;
        let size = self.u32()?;
        let length = self.out.len() - self.member_start;
        // RFC 1952 counts the size modulo 2^32.
        if sum != self.checksum.sum() || u64::from(size) != length as u64 & u64::from(u32::MAX) {
            return Err(Failure::Checksum);
        }
        if self.at == self.packed.len() {
            self.end = Some(Ok(()));
            return Ok(());
        }
        self.header()?;
        self.raw.reset(false);
        self.checksum.reset();
        self.member_start = self.out.len();
        Ok(())
    }

    fn header(&mut self) -> Result<(), Failure> {
        let fixed: [u8; 10] = self.array()?;
        if !fixed.starts_with(MAGIC) {
            return Err(Failure::NoGzip);
        }
        let start = self.at - fixed.len();
        let flags = fixed[3];
        if flags & FLAG_EXTRA != 0 {
            let length = u16::from_le_bytes(self.array()?);
            self.take(length.into())?;
        }
        for flag in [FLAG_NAME, FLAG_COMMENT] {
            if flags & flag != 0 {
                self.text()?;
            }
        }
        if flags & FLAG_HEADER_CHECKSUM != 0 {
            let mut checksum = Crc::new();
            checksum.update(self.packed.get(start..self.at).unwrap_or_default());
            let said = u16::from_le_bytes(self.array()?);
            if u32::from(said) != checksum.sum() & 0xffff {
                return Err(Failure::NoGzip);
            }
        }
        Ok(())
    }

    /// A text that ends in NUL.
    fn text(&mut self) -> Result<(), Failure> {
        let rest = self.packed.get(self.at..).unwrap_or_default();
        let text = rest.get(..MAX_TEXT_BYTES).unwrap_or(rest);
        let length = text.iter().position(|byte| *byte == 0).ok_or({
            if text.len() == MAX_TEXT_BYTES {
                Failure::NoGzip
            } else {
                Failure::CutOff
            }
        })?;
        self.at += length + 1;
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'p [u8], Failure> {
        let end = self.at.saturating_add(length);
        let bytes = self.packed.get(self.at..end).ok_or(Failure::CutOff)?;
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| Failure::CutOff)
    }

    fn u32(&mut self) -> Result<u32, Failure> {
        Ok(u32::from_le_bytes(self.array()?))
    }
}
