//! What a file is that should be an archive and is none: Go's `http.DetectContentType`, after
//! <https://mimesniff.spec.whatwg.org/>, as far as it tells files apart.

use cairn_spec::Diagnostic;

use crate::Error;

/// How much of a file is looked at, in bytes. What a shorter one lacks counts as NUL, so that
/// Helm takes short texts for binary files.
const SNIFFED_BYTES: usize = 512;
const GZIP: &[u8] = b"\x1f\x8b\x08";

/// What Helm says of a file that does not begin as an archive does.
pub(crate) fn not_an_archive(bytes: &[u8], name: &str) -> Option<Error> {
    if bytes.starts_with(GZIP) {
        return None;
    }
    let message = if has_extension(name, &[".yml", ".yaml"]) {
        format!("file '{name}' seems to be a YAML file, but expected a gzipped archive")
    } else {
        let found = content_type(bytes);
        format!("file '{name}' does not appear to be a gzipped archive; got '{found}'")
    };
    let diagnostic = Diagnostic::error(
        "chart-archive",
        format!("`{name}` is neither a chart's folder nor a packed chart"),
    )
    .hint("name the folder that `Chart.yaml` is in, or a `.tgz` of `helm package`");
    Some(Error::new(message, diagnostic))
}

fn has_extension(name: &str, extensions: &[&str]) -> bool {
    extensions.iter().any(|extension| name.ends_with(extension))
}

const HTML_TAGS: &[&str] = &[
    "<!DOCTYPE HTML",
    "<HTML",
    "<HEAD",
    "<SCRIPT",
    "<IFRAME",
    "<H1",
    "<DIV",
    "<FONT",
    "<TABLE",
    "<A",
    "<STYLE",
    "<TITLE",
    "<B",
    "<BODY",
    "<BR",
    "<P",
    "<!--",
];

/// How files of a type begin; `?` in a pattern that has a `true` stands for any byte.
const SIGNATURES: &[(&[u8], bool, &str)] = &[
    (b"%PDF-", false, "application/pdf"),
    (b"%!PS-Adobe-", false, "application/postscript"),
    (b"\xfe\xff??", true, "text/plain; charset=utf-16be"),
    (b"\xff\xfe??", true, "text/plain; charset=utf-16le"),
    (b"\xef\xbb\xbf?", true, "text/plain; charset=utf-8"),
    (b"\x00\x00\x01\x00", false, "image/x-icon"),
    (b"\x00\x00\x02\x00", false, "image/x-icon"),
    (b"BM", false, "image/bmp"),
    (b"GIF87a", false, "image/gif"),
    (b"GIF89a", false, "image/gif"),
    (b"RIFF????WEBPVP", true, "image/webp"),
    (b"\x89PNG\x0d\x0a\x1a\x0a", false, "image/png"),
    (b"\xff\xd8\xff", false, "image/jpeg"),
    (b"FORM????AIFF", true, "audio/aiff"),
    (b"ID3", false, "audio/mpeg"),
    (b"OggS\x00", false, "application/ogg"),
    (b"MThd\x00\x00\x00\x06", false, "audio/midi"),
    (b"RIFF????AVI ", true, "video/avi"),
    (b"RIFF????WAVE", true, "audio/wave"),
    (b"\x1a\x45\xdf\xa3", false, "video/webm"),
    (
        b"??????????????????????????????????LP",
        true,
        "application/vnd.ms-fontobject",
    ),
    (b"\x00\x01\x00\x00", false, "font/ttf"),
    (b"OTTO", false, "font/otf"),
    (b"ttcf", false, "font/collection"),
    (b"wOFF", false, "font/woff"),
    (b"wOF2", false, "font/woff2"),
    (b"PK\x03\x04", false, "application/zip"),
    (b"Rar!\x1a\x07\x00", false, "application/x-rar-compressed"),
    (
        b"Rar!\x1a\x07\x01\x00",
        false,
        "application/x-rar-compressed",
    ),
    (b"\x00\x61\x73\x6d", false, "application/wasm"),
];

fn content_type(bytes: &[u8]) -> &'static str {
    let mut sniffed = bytes.get(..SNIFFED_BYTES).unwrap_or(bytes).to_vec();
    sniffed.resize(SNIFFED_BYTES, 0);
    let is_space = |byte: &u8| matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | b' ');
    let start = sniffed.iter().position(|byte| !is_space(byte));
    let text = start
        .and_then(|start| sniffed.get(start..))
        .unwrap_or_default();
    if HTML_TAGS.iter().any(|tag| begins_with_tag(text, tag)) {
        return "text/html; charset=utf-8";
    }
    if text.starts_with(b"<?xml") {
        return "text/xml; charset=utf-8";
    }
    let found = SIGNATURES
        .iter()
        .find(|(pattern, wild, _)| begins_with(&sniffed, pattern, *wild));
    if let Some((_, _, found)) = found {
        return found;
    }
    if is_mp4(&sniffed) {
        return "video/mp4";
    }
    let is_binary = |byte: &u8| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    if text.iter().any(is_binary) {
        return "application/octet-stream";
    }
    "text/plain; charset=utf-8"
}

fn begins_with_tag(text: &[u8], tag: &str) -> bool {
    let Some((start, rest)) = text.split_at_checked(tag.len()) else {
        return false;
    };
    start.eq_ignore_ascii_case(tag.as_bytes()) && matches!(rest.first(), Some(b' ' | b'>'))
}

fn begins_with(bytes: &[u8], pattern: &[u8], wild: bool) -> bool {
    let same = |(byte, expected): (&u8, &u8)| byte == expected || (wild && *expected == b'?');
    bytes.len() >= pattern.len() && bytes.iter().zip(pattern).all(same)
}

fn is_mp4(bytes: &[u8]) -> bool {
    let Some((size, rest)) = bytes.split_first_chunk() else {
        return false;
    };
    let size = u32::from_be_bytes(*size) as usize;
    if size > bytes.len() || !size.is_multiple_of(4) || !rest.starts_with(b"ftyp") {
        return false;
    }
    let brands = (8..size).step_by(4).filter(|at| *at != 12);
    brands
        .filter_map(|at| bytes.get(at..at + 3))
        .any(|brand| brand == b"mp4")
}

#[cfg(test)]
mod tests {
    use super::content_type;

    #[test]
    fn files_are_told_apart_as_go_does() {
        assert_eq!(content_type(b"name: x\n"), "application/octet-stream");
        assert_eq!(content_type(&[b'a'; 600]), "text/plain; charset=utf-8");
        assert_eq!(content_type(b" \n<html> "), "text/html; charset=utf-8");
        assert_eq!(content_type(b"PK\x03\x04...."), "application/zip");
        assert_eq!(content_type(b"\xef\xbb\xbfx"), "text/plain; charset=utf-8");
        assert_eq!(content_type(b""), "application/octet-stream");
    }
}
