//! Ranges of blobs: `Range` of a download, `Content-Range` of a chunk.

use std::ops::Range;

use http::{HeaderMap, HeaderValue, header};

use crate::{Error, Result, service::Chunk};

/// The bytes of a blob that a `Range` header asks for; `None` for all of them.
///
/// Anything but one range of bytes is ignored, as
/// [RFC 9110 §14.2](https://www.rfc-editor.org/rfc/rfc9110#section-14.2) allows; one that lies
/// outside of the blob, or ends before it begins, cannot be satisfied.
pub(super) fn requested(headers: &HeaderMap, size_bytes: u64) -> Result<Option<Range<u64>>> {
    let Some((first, last)) = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("bytes="))
        .filter(|ranges| !ranges.contains(','))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Ok(None);
    };
    let range = match (first, last) {
        ("", suffix) => match number(suffix) {
            Some(length) => size_bytes.saturating_sub(length)..size_bytes,
            None => return Ok(None),
        },
        (first, "") => match number(first) {
            Some(first) => first..size_bytes,
            None => return Ok(None),
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) => first..size_bytes.min(last.saturating_add(1)),
            _ => return Ok(None),
        },
    };
    if range.is_empty() {
        return Err(Error::RangeNotSatisfiable { size_bytes });
    }
    Ok(Some(range))
}

/// Digits and nothing else: the standard library would take a sign, too.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// The bytes that a chunk says it carries: `<first>-<last>`, also as RFC 9110 spells it.
pub(super) fn chunk(headers: &HeaderMap) -> Result<Option<Chunk>> {
    let mut values = headers.get_all(header::CONTENT_RANGE).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        let reason = "`Content-Range` stands there twice".to_owned();
        return Err(Error::ChunkInvalid(reason));
    }
    parse_chunk(value).map(Some).ok_or_else(|| {
        let text = String::from_utf8_lossy(value.as_bytes());
        Error::ChunkInvalid(format!(
            "`{text}` is not a range: expected `<first>-<last>`"
        ))
    })
}

fn parse_chunk(value: &HeaderValue) -> Option<Chunk> {
    let text = value.to_str().ok()?.trim();
    let text = text.strip_prefix("bytes").map_or(text, str::trim_start);
    let range = text.split('/').next().unwrap_or_default();
    let (first, last) = range.split_once('-')?;
    let chunk = Chunk {
        first: number(first)?,
        last: number(last)?,
    };
    (chunk.first <= chunk.last && chunk.last < u64::MAX).then_some(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Result<Option<Range<u64>>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, text.parse().unwrap());
        requested(&headers, 100)
    }

    #[test]
    fn ranges_are_clipped_ignored_or_refused() {
        for (text, expected) in [
            ("bytes=0-0", Some(0..1)),
            ("bytes=10-19", Some(10..20)),
            ("bytes=10-", Some(10..100)),
            ("bytes=-10", Some(90..100)),
            ("bytes=-1000", Some(0..100)),
            ("bytes=10-1000", Some(10..100)),
            ("bytes=0-1,5-6", None),
            ("bytes=a-b", None),
            ("items=0-1", None),
            ("bytes=+0-1", None),
            ("bytes=0-18446744073709551616", None),
        ] {
            assert_eq!(range(text).unwrap(), expected, "{text}");
        }
        for text in ["bytes=100-", "bytes=100-200", "bytes=50-10", "bytes=-0"] {
            assert!(range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn chunks_are_read() {
        for (text, expected) in [
            ("0-9", Some((0, 9))),
            ("bytes 5-9/*", Some((5, 9))),
            ("bytes 5-9/10", Some((5, 9))),
            ("9-5", None),
            ("5", None),
            ("a-b", None),
            ("+0-9", None),
        ] {
            let chunk = parse_chunk(&text.parse().unwrap());
            let chunk = chunk.map(|chunk| (chunk.first, chunk.last));
            assert_eq!(chunk, expected, "{text}");
        }
    }
}
