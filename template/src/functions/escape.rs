//! `html`, `js` and `urlquery`.

use std::fmt::Write as _;

use super::{Function, functions};
use crate::{
    call::Call,
    go::format::{is_print, print_into},
    state::Outcome,
    value::{Data, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "html" (.. Any) => html;
    "js" (.. Any) => js;
    "urlquery" (.. Any) => urlquery;
];

/// The arguments as `print` prints them.
fn evaluated(call: &mut Call<'_, '_>) -> Outcome<Vec<u8>> {
    let mut out = Vec::new();
    let mut after_text = true;
    for index in 0..call.count() {
        let value = call.whole(index)?;
        // Here, unlike elsewhere, Go prints nil as no value.
        let is_nil = matches!(value.data, Data::Nil | Data::Missing);
        let is_text = is_nil || value.as_bytes().is_some();
        if index > 0 && !is_text && !after_text {
            out.push(b' ');
        }
        after_text = is_text;
        if is_nil {
            out.extend_from_slice(b"<no value>");
        } else {
            print_into(&value, &mut out);
        }
        call.state().check_length(out.len())?;
    }
    Ok(out)
}

fn html(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let bytes = evaluated(call)?;
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            _ => out.push(byte),
        }
    }
    call.computed_bytes(out)
}

fn js(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let bytes = evaluated(call)?;
    let mut out = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            let escaped = match char {
                '\\' => "\\\\",
                '\'' => "\\'",
                '"' => "\\\"",
                '<' => "\\u003C",
                '>' => "\\u003E",
                '&' => "\\u0026",
                '=' => "\\u003D",
                _ if is_print(char) => {
                    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                    continue;
                }
                _ => {
                    let mut number = String::new();
                    let _ = write!(number, "\\u{:04X}", u32::from(char));
                    out.extend_from_slice(number.as_bytes());
                    continue;
                }
            };
            out.extend_from_slice(escaped.as_bytes());
        }
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\uFFFD");
        }
    }
    call.computed_bytes(out)
}

fn urlquery(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let bytes = evaluated(call)?;
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    call.computed_bytes(out.into_bytes())
}
