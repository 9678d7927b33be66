//! Tar as Go's `archive/tar` reads it: V7, USTAR, STAR, PAX and GNU. Sparse files, which no chart
//! has, are refused.

use std::{borrow::Cow, ops::Range};

use super::{failure::Failure, gzip::Inflater, pax::Records};

pub(super) const BLOCK_BYTES: usize = 512;
/// The largest PAX header or long name that Go reads, in bytes.
const MAX_SPECIAL_BYTES: usize = 1 << 20;

/// What an entry is (the `typeflag` of its header).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(u8);

impl Kind {
    const OLD_FILE: Self = Self(0);
    const FILE: Self = Self(b'0');
    const FOLDER: Self = Self(b'5');
    const PAX: Self = Self(b'x');
    const PAX_FOR_ALL: Self = Self(b'g');
    const GNU_LONG_NAME: Self = Self(b'L');
    const GNU_LONG_LINK: Self = Self(b'K');
    const GNU_SPARSE: Self = Self(b'S');

    /// Links, devices, folders and pipes have no content, whatever the header says.
    fn has_no_content(self) -> bool {
        matches!(self.0, b'1'..=b'6')
    }

    pub(super) fn is_header(self) -> bool {
        matches!(self, Self::PAX | Self::PAX_FOR_ALL)
    }
}

/// An entry of an archive.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    /// How large the header says it is, in bytes.
    pub(super) size: u64,
    mode: i64,
    /// Where its content is in the tar.
    start: usize,
}

impl Entry {
    pub(super) fn is_folder(&self) -> bool {
        /// The bits of a Unix mode that say what a file is, and those of a folder.
        const TYPE_BITS: i64 = !0o7777;
        const FOLDER_BITS: i64 = 0o40000;
        self.kind == Kind::FOLDER || self.mode & TYPE_BITS == FOLDER_BITS
    }

    /// How much content really follows.
    fn content_bytes(&self) -> u64 {
        if self.kind.has_no_content() {
            return 0;
        }
        self.size
    }
}

/// A tar that is read from front to back.
pub(super) struct Reader<'p> {
    tar: Inflater<'p>,
    /// Where the next header is.
    at: usize,
    /// The most bytes of tar that are read.
    limit: usize,
    limit_failure: Failure,
}

impl<'p> Reader<'p> {
    pub(super) fn new(tar: Inflater<'p>, limit: usize, limit_failure: Failure) -> Self {
        Self {
            tar,
            at: 0,
            limit,
            limit_failure,
        }
    }

    /// All that was read.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.tar.out
    }

    /// The next entry, or none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Failure> {
        let mut records = Records::default();
        let mut long_name = Vec::new();
        loop {
            let Some(mut entry) = self.header()? else {
                return Ok(None);
            };
            match entry.kind {
                Kind::PAX | Kind::PAX_FOR_ALL => {
                    let content = self.special(&entry)?;
                    records = Records::parse(self.bytes(content))?;
                    if entry.kind == Kind::PAX_FOR_ALL {
                        records.apply(&mut entry.name, &mut entry.size);
                        return Ok(Some(entry));
                    }
                }
                Kind::GNU_LONG_NAME => {
                    let content = self.special(&entry)?;
                    long_name = text(self.bytes(content)).to_vec();
                }
                Kind::GNU_LONG_LINK => {
                    self.special(&entry)?;
                }
                _ => {
                    records.apply(&mut entry.name, &mut entry.size);
                    if !long_name.is_empty() {
                        entry.name = long_name;
                    }
                    if entry.kind == Kind::OLD_FILE {
                        let is_folder = entry.name.ends_with(b"/");
                        entry.kind = if is_folder { Kind::FOLDER } else { Kind::FILE };
                    }
                    if entry.kind == Kind::GNU_SPARSE || records.are_sparse() {
                        return Err(Failure::Tar);
                    }
                    self.skip(entry.content_bytes())?;
                    return Ok(Some(entry));
                }
            }
        }
    }

    /// Reads the content of the entry that [`Self::next`] gave last.
    pub(super) fn content(&mut self, entry: &Entry) -> Result<Range<usize>, Failure> {
        let length = usize::try_from(entry.content_bytes()).map_err(|_| Failure::Tar)?;
        let end = entry.start.saturating_add(length);
        if !self.fill(end)? {
            return Err(Failure::CutOff);
        }
        Ok(entry.start..end)
    }

    /// Sets the next header behind content and its padding.
    fn skip(&mut self, content: u64) -> Result<(), Failure> {
        let content = usize::try_from(content).map_err(|_| Failure::Tar)?;
        let padded = content.checked_next_multiple_of(BLOCK_BYTES);
        let end = padded.and_then(|padded| self.at.checked_add(padded));
        self.at = end.ok_or_else(|| self.limit_failure.clone())?;
        Ok(())
    }

    /// Reads the content of a header that is about the next one.
    fn special(&mut self, entry: &Entry) -> Result<Range<usize>, Failure> {
        if entry.size > MAX_SPECIAL_BYTES as u64 {
            let is_long = self.fill(entry.start.saturating_add(MAX_SPECIAL_BYTES + 1))?;
            return Err(if is_long {
                Failure::HeaderTooLong
            } else {
                Failure::CutOff
            });
        }
        self.skip(entry.content_bytes())?;
        self.content(entry)
    }

    fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.tar.out.get(range).unwrap_or_default()
    }

    fn fill(&mut self, end: usize) -> Result<bool, Failure> {
        if end > self.limit {
            return Err(self.limit_failure.clone());
        }
        self.tar.fill(end)
    }

    /// The next block of 512 bytes, or none where there are no bytes at all.
    fn block(&mut self) -> Result<Option<[u8; BLOCK_BYTES]>, Failure> {
        let end = self.at + BLOCK_BYTES;
        if !self.fill(end)? {
            // Only the padding of the last file may be missing.
            let cut_off = self.tar.out.len() > self.at;
            return if cut_off {
                Err(Failure::CutOff)
            } else {
                Ok(None)
            };
        }
        let block = self.bytes(self.at..end).try_into().ok();
        self.at = end;
        Ok(block)
    }

    fn header(&mut self) -> Result<Option<Entry>, Failure> {
        let Some(block) = self.block()? else {
            return Ok(None);
        };
        if block == [0; BLOCK_BYTES] {
            return match self.block()? {
                Some(second) if second != [0; BLOCK_BYTES] => Err(Failure::Tar),
                _ => Ok(None),
            };
        }
        let header = Header(&block);
        let name = header.name()?;
        Ok(Some(Entry {
            kind: Kind(block[156]),
            size: header.size()?,
            mode: header.number(100..108)?,
            start: self.at,
            name,
        }))
    }
}

/// A header block, whose checksum is not yet checked.
struct Header<'b>(&'b [u8; BLOCK_BYTES]);

#[derive(Clone, Copy, PartialEq)]
enum Format {
    V7,
    Ustar,
    Star,
    Gnu,
}

impl Header<'_> {
    fn field(&self, range: Range<usize>) -> &[u8] {
        self.0.get(range).unwrap_or_default()
    }

    fn number(&self, range: Range<usize>) -> Result<i64, Failure> {
        number(self.field(range)).ok_or(Failure::Tar)
    }

    fn size(&self) -> Result<u64, Failure> {
        self.number(124..136)?.try_into().map_err(|_| Failure::Tar)
    }

    fn format(&self) -> Result<Format, Failure> {
        let said = self.number(148..156)?;
        let blank = |(index, byte): (usize, &u8)| match index {
            148..156 => b' ',
            _ => *byte,
        };
        let bytes = || self.0.iter().enumerate().map(blank);
        let unsigned: i64 = bytes().map(i64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        if said != unsigned && said != signed {
            return Err(Failure::Tar);
        }
        Ok(match (self.field(257..263), self.field(263..265)) {
            (b"ustar\0", _) if self.field(508..512) == b"tar\0" => Format::Star,
            (b"ustar\0", _) => Format::Ustar,
            (b"ustar ", b" \0") => Format::Gnu,
            _ => Format::V7,
        })
    }

    /// The whole name. Like Go, refuses a header in which any number is none.
    fn name(&self) -> Result<Vec<u8>, Failure> {
        let format = self.format()?;
        for range in [100..108, 108..116, 116..124, 124..136, 136..148] {
            self.number(range)?;
        }
        let name = text(self.field(0..100));
        if format == Format::V7 {
            return Ok(name.to_vec());
        }
        self.number(329..337)?;
        self.number(337..345)?;
        let prefix = match format {
            Format::Ustar => text(self.field(345..500)),
            Format::Star => {
                self.number(476..488)?;
                self.number(488..500)?;
                text(self.field(345..476))
            }
            _ => self.prefix_of_broken_gnu(),
        };
        if prefix.is_empty() {
            return Ok(name.to_vec());
        }
        Ok([prefix, b"/", name].concat())
    }

    /// Old writers of Go put a prefix where GNU has times.
    fn prefix_of_broken_gnu(&self) -> &[u8] {
        let is_time = |range| {
            let field = self.field(range);
            field.first() == Some(&0) || number(field).is_some()
        };
        if is_time(345..357) && is_time(357..369) {
            return b"";
        }
        let prefix = text(self.field(345..500));
        if prefix.is_ascii() { prefix } else { b"" }
    }
}

/// What stands before the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number in octal digits, or in binary with the first bit set.
fn number(field: &[u8]) -> Option<i64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => binary_number(field, first & 0x40 != 0),
        _ => octal_number(field),
    }
}

fn octal_number(field: &[u8]) -> Option<i64> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let Some(start) = field.iter().position(|byte| !is_blank(byte)) else {
        return Some(0);
    };
    let end = field.iter().rposition(|byte| !is_blank(byte))?;
    let digits = text(field.get(start..=end)?);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

fn binary_number(field: &[u8], negative: bool) -> Option<i64> {
    let flip = if negative { 0xff } else { 0 };
    let mut value = 0_u64;
    for (index, byte) in field.iter().enumerate() {
        let mask = if index == 0 { 0x7f } else { 0xff };
        if value >> 56 > 0 {
            return None;
        }
        value = value << 8 | u64::from((byte ^ flip) & mask);
    }
    let value = i64::try_from(value).ok()?;
    Some(if negative { !value } else { value })
}

/// The bytes of a name as text.
pub(super) fn name_text(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(name)
}
