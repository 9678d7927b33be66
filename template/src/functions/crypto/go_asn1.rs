//! ASN.1 as Go's `encoding/asn1` reads it, with its errors: templates show them.

use std::fmt;

use super::der::{BIT_STRING, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING};

const CONTEXT_SPECIFIC: u8 = 2;
/// The longest length that Go reads, before the byte that would make it longer.
const LENGTH_LIMIT: usize = 1 << 23;

/// The number of a tag, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    class: u8,
    tag: usize,
    length: usize,
    is_compound: bool,
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            class,
            tag,
            length,
            is_compound,
        } = self;
        write!(
            f,
            "{{class:{class} tag:{tag} length:{length} isCompound:{is_compound}}}"
        )
    }
}

/// What Go says of an element's declaration in an error.
fn parameters(optional: bool) -> String {
    format!(
        "{{optional:{optional} explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false omitEmpty:false}}"
    )
}

fn syntax(message: &str) -> String {
    format!("asn1: syntax error: {message}")
}

fn structural(message: impl fmt::Display) -> String {
    format!("asn1: structure error: {message}")
}

/// Elements one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elements<'d> {
    bytes: &'d [u8],
    at: usize,
}

impl<'d> Elements<'d> {
    pub(super) fn new(bytes: &'d [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The content of a structure of Go's type `name`.
    pub(super) fn structure(&mut self, name: &str) -> Result<Self, String> {
        self.required(0x30, name).map(Elements::new)
    }

    /// A number as its bytes, which may be negative.
    pub(super) fn big_integer(&mut self) -> Result<&'d [u8], String> {
        integer(self.required(INTEGER, "")?)
    }

    /// The same, when it is there.
    pub(super) fn optional_big_integer(&mut self) -> Result<Option<&'d [u8]>, String> {
        self.element(INTEGER, true, "")?.map(integer).transpose()
    }

    /// A number of at most 64 bits.
    pub(super) fn small_integer(&mut self) -> Result<i64, String> {
        let bytes = integer(self.required(INTEGER, "int")?)?;
        if bytes.len() > 8 {
            return Err(structural("integer too large"));
        }
        let sign = if is_negative(bytes) { 0xff } else { 0 };
        let mut padded = [sign; 8];
        padded[8 - bytes.len()..].copy_from_slice(bytes);
        Ok(i64::from_be_bytes(padded))
    }

    pub(super) fn octet_string(&mut self) -> Result<&'d [u8], String> {
        self.required(OCTET_STRING, "")
    }

    pub(super) fn object_identifier(&mut self) -> Result<&'d [u8], String> {
        identifier(self.required(OBJECT_IDENTIFIER, "ObjectIdentifier")?)
    }

    /// An object identifier inside of a tag that says that it is there.
    pub(super) fn tagged_object_identifier(
        &mut self,
        number: usize,
    ) -> Result<Option<&'d [u8]>, String> {
        self.tagged(number, OBJECT_IDENTIFIER)?
            .map(identifier)
            .transpose()
    }

    /// A string of bits, whose last byte may be used in part only.
    pub(super) fn tagged_bit_string(&mut self, number: usize) -> Result<Option<&'d [u8]>, String> {
        self.tagged(number, BIT_STRING)
    }

    /// The element, whatever it is, with its tag.
    pub(super) fn any(&mut self) -> Result<&'d [u8], String> {
        let start = self.at;
        let (header, content) = self.header(start)?;
        self.take(header, content)?;
        Ok(&self.bytes[start..self.at])
    }

    fn tagged(&mut self, number: usize, tag: u8) -> Result<Option<&'d [u8]>, String> {
        if self.is_empty() {
            return Ok(None);
        }
        let (header, inner) = self.header(self.at)?;
        if inner == self.bytes.len() {
            return Err(structural("explicit tag has no child"));
        }
        let is_tagged = header.class == CONTEXT_SPECIFIC
            && header.tag == number
            && (header.length == 0 || header.is_compound);
        if !is_tagged {
            return Ok(None);
        }
        if header.length == 0 {
            return Err(structural("zero length explicit tag was not an asn1.Flag"));
        }
        let (header, content) = self.header(inner)?;
        if header.class != 0 || header.tag != usize::from(tag) || header.is_compound {
            return Ok(None);
        }
        self.take(header, content).map(Some)
    }

    fn required(&mut self, tag: u8, name: &str) -> Result<&'d [u8], String> {
        self.element(tag, false, name)
            .map(Option::unwrap_or_default)
    }

    fn element(&mut self, tag: u8, optional: bool, name: &str) -> Result<Option<&'d [u8]>, String> {
        if self.is_empty() {
            return if optional {
                Ok(None)
            } else {
                Err(syntax("sequence truncated"))
            };
        }
        let (header, content) = self.header(self.at)?;
        let (number, is_compound) = (usize::from(tag & 0x1f), tag & 0x20 != 0);
        if header.class == 0 && header.tag == number && header.is_compound == is_compound {
            return self.take(header, content).map(Some);
        }
        if optional {
            return Ok(None);
        }
        let parameters = parameters(optional);
        Err(structural(format_args!(
            "tags don't match ({number} vs {header}) {parameters} {name} @{content}"
        )))
    }

    /// The content of the element whose content begins there; what follows it is next.
    fn take(&mut self, header: Header, content: usize) -> Result<&'d [u8], String> {
        let end = content.saturating_add(header.length);
        let bytes = self
            .bytes
            .get(content..end)
            .ok_or_else(|| syntax("data truncated"))?;
        self.at = end;
        Ok(bytes)
    }

    /// The tag and the length at an offset, and where they end.
    fn header(&self, mut at: usize) -> Result<(Header, usize), String> {
        let mut next = || {
            let byte = self.bytes.get(at).copied();
            at += 1;
            byte.ok_or_else(|| syntax("truncated tag or length"))
        };
        let first = next()?;
        let mut tag = usize::from(first & 0x1f);
        if tag == 0x1f {
            tag = 0;
            for count in 0.. {
                let byte = next().map_err(|_| syntax("truncated base 128 integer"))?;
                if count == 5 {
                    return Err(structural("base 128 integer too large"));
                }
                if count == 0 && byte == 0x80 {
                    return Err(syntax("integer is not minimally encoded"));
                }
                tag = tag << 7 | usize::from(byte & 0x7f);
                if byte & 0x80 == 0 {
                    break;
                }
            }
            if i32::try_from(tag).is_err() {
                return Err(structural("base 128 integer too large"));
            }
            if tag < 0x1f {
                return Err(syntax("non-minimal tag"));
            }
        }
        let short = next()?;
        let mut length = usize::from(short & 0x7f);
        if short & 0x80 != 0 {
            let count = length;
            if count == 0 {
                return Err(syntax("indefinite length found (not DER)"));
            }
            length = 0;
            for _ in 0..count {
                let byte = next()?;
                if length >= LENGTH_LIMIT {
                    return Err(structural("length too large"));
                }
                length = length << 8 | usize::from(byte);
                if length == 0 {
                    return Err(structural("superfluous leading zeros in length"));
                }
            }
            if length < 0x80 {
                return Err(structural("non-minimal length"));
            }
        }
        let header = Header {
            class: first >> 6,
            tag,
            length,
            is_compound: first & 0x20 != 0,
        };
        Ok((header, at))
    }
}

/// Whether a number as its bytes is below zero.
pub(super) fn is_negative(integer: &[u8]) -> bool {
    integer.first().is_some_and(|&first| first >= 0x80)
}

/// Whether a number as its bytes is above zero.
pub(super) fn is_positive(integer: &[u8]) -> bool {
    !is_negative(integer) && integer.iter().any(|&byte| byte != 0)
}

fn integer(bytes: &[u8]) -> Result<&[u8], String> {
    match bytes {
        [] => Err(structural("empty integer")),
        [0, second, ..] if *second < 0x80 => Err(structural("integer not minimally-encoded")),
        [0xff, second, ..] if *second >= 0x80 => Err(structural("integer not minimally-encoded")),
        _ => Ok(bytes),
    }
}

fn identifier(bytes: &[u8]) -> Result<&[u8], String> {
    if bytes.is_empty() {
        return Err(syntax("zero length OBJECT IDENTIFIER"));
    }
    Ok(bytes)
}
