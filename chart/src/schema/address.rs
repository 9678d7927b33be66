//! Addresses of schemas: URLs, JSON Pointers and anchors.

use std::{fmt::Write as _, sync::Arc};

use cairn_template::go::quote;
use referencing::uri;

use super::json::Json;

/// The address of a chart's schema, as Helm makes it up.
pub(super) const CHART_SCHEMA: &str = "file:///values.schema.json";

/// A schema's document and the JSON Pointer to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) url: Arc<str>,
    pub(super) pointer: String,
}

impl Address {
    pub(super) fn new(url: &Arc<str>, pointer: &str) -> Self {
        Self {
            url: Arc::clone(url),
            pointer: pointer.to_owned(),
        }
    }

    /// As messages show it.
    pub(super) fn shown(&self) -> String {
        format!("{}#{}", self.url, percent_encoded(&self.pointer))
    }

    /// The value that the pointer leads to in the document.
    pub(super) fn look_up<'d>(&self, document: &'d Json) -> Result<&'d Json, String> {
        let mut value = document;
        for token in self.pointer.split('/').skip(1) {
            let token = unescaped(token)
                .ok_or_else(|| format!("invalid json-pointer {}", quoted(&self.shown())))?;
            let next = match value {
                Json::Object(fields) => fields.get(&token),
                Json::Array(items) => token.parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            };
            value =
                next.ok_or_else(|| format!("json-pointer in {} not found", quoted(&self.shown())))?;
        }
        Ok(value)
    }
}

/// What a fragment means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fragment {
    Pointer(String),
    Anchor(String),
}

impl Fragment {
    pub(super) fn new(decoded: String) -> Self {
        if decoded.is_empty() || decoded.starts_with('/') {
            Self::Pointer(decoded)
        } else {
            Self::Anchor(decoded)
        }
    }

    pub(super) fn text(&self) -> &str {
        let (Self::Pointer(text) | Self::Anchor(text)) = self;
        text
    }
}

/// What stands before the `#` of a reference, and what behind it.
pub(super) fn split_reference(reference: &str) -> Result<(&str, Fragment), String> {
    let (url, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let decoded = percent_decoded(fragment)
        .map_err(|wrong| format!("error in parsing {}: {wrong}", quoted(reference)))?;
    Ok((url, Fragment::new(decoded)))
}

/// The address that a reference means where `base` is the address around it.
pub(super) fn join(base: &str, reference: &str) -> Result<(String, Fragment), String> {
    let (url, fragment) = split_reference(reference)?;
    if url.is_empty() {
        return Ok((base.to_owned(), fragment));
    }
    let wrong = |error: referencing::Error| format!("error in parsing {}: {error}", quoted(url));
    let base = uri::from_str(base).map_err(wrong)?;
    let joined = uri::resolve_against(&base.borrow(), url).map_err(wrong)?;
    Ok((joined.as_str().to_owned(), fragment))
}

/// The pointer to a key or index below `pointer`.
pub(super) fn below(pointer: &str, token: &str) -> String {
    let mut out = String::with_capacity(pointer.len() + token.len() + 1);
    out.push_str(pointer);
    push_token(&mut out, token);
    out
}

pub(super) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    if !token.contains(['~', '/']) {
        pointer.push_str(token);
        return;
    }
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            _ => pointer.push(c),
        }
    }
}

fn unescaped(token: &str) -> Option<String> {
    if !token.contains('~') {
        return Some(token.to_owned());
    }
    let mut out = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            _ => c,
        });
    }
    Some(out)
}

/// Go's `url.PathEscape`, but for `/`.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => out.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'~' | b'$' | b'&' | b'+' | b':' | b'=' | b'@' | b'/' => {
                out.push(char::from(byte));
            }
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

/// Go's `url.PathUnescape`.
pub(super) fn percent_decoded(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let digits = after
            .get(..2)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let Some(decoded) = decoded else {
            let wrong = String::from_utf8_lossy(after.get(..2).unwrap_or(after));
            return Err(format!(
                "invalid URL escape {}",
                quoted(&format!("%{wrong}"))
            ));
        };
        out.push(decoded);
        rest = after.get(2..).unwrap_or_default();
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// `%q`
pub(super) fn quoted(text: &str) -> String {
    quote(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{Address, Fragment, Json, join};

    #[test]
    fn references_are_joined_to_what_is_around_them() {
        let joined = |base, reference| join(base, reference).unwrap().0;
        let base = "file:///values.schema.json";
        assert_eq!(joined(base, "#/a"), base);
        assert_eq!(joined(base, "other.json#/a"), "file:///other.json");
        assert_eq!(joined(base, "https://a.example/b"), "https://a.example/b");
        assert_eq!(
            joined("https://a.example/b/c", "../d"),
            "https://a.example/d"
        );
        assert_eq!(
            join(base, "#a%20b").unwrap().1,
            Fragment::Anchor("a b".to_owned())
        );
    }

    #[test]
    fn pointers_lead_into_documents() {
        let document = Json::parse(r#"{"a/b": [{"c~d": 1}]}"#).unwrap();
        let found = |pointer: &str| {
            Address::new(&"u".into(), pointer)
                .look_up(&document)
                .cloned()
        };
        assert!(found("/a~1b/0/c~0d").is_ok());
        assert_eq!(
            found("/a~1b/1"),
            Err("json-pointer in \"u#/a~1b/1\" not found".to_owned())
        );
    }
}
