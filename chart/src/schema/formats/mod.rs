//! `format`: which texts Helm's library takes for what, and what it says of others.

mod network;
mod text;
mod time;

use cairn_template::go::quote_char;

/// A format that is checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    name: &'static str,
    check: fn(&str) -> Result<(), String>,
}

const FORMATS: &[Format] = &[
    format("date", crate::go_time::check_date),
    format("date-time", time::date_time),
    format("duration", time::duration),
    format("email", network::email),
    format("hostname", network::hostname),
    format("ipv4", network::ipv4),
    format("ipv6", network::ipv6),
    format("iri", network::uri),
    format("iri-reference", network::uri_reference),
    format("json-pointer", text::json_pointer),
    format("period", time::period),
    format("regex", text::regex),
    format("relative-json-pointer", text::relative_json_pointer),
    format("semver", text::semver),
    format("time", time::time),
    format("uri", network::uri),
    format("uri-reference", network::uri_reference),
    format("uri-template", network::uri_template),
    format("uuid", text::uuid),
];

const fn format(name: &'static str, check: fn(&str) -> Result<(), String>) -> Format {
    Format { name, check }
}

impl Format {
    /// The format of this name; others are not checked.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        FORMATS.iter().find(|format| format.name == name).copied()
    }

    pub(super) fn name(self) -> &'static str {
        self.name
    }

    /// Whether the text is of the format; if not, why.
    pub(super) fn check(self, text: &str) -> Result<(), String> {
        (self.check)(text)
    }
}

fn wrong<T>(reason: impl Into<String>) -> Result<T, String> {
    Err(reason.into())
}

/// Whether a character is allowed; if not, the reason names it.
fn all(text: &str, allowed: impl Fn(char) -> bool, what: &str) -> Result<(), String> {
    match text.chars().find(|c| !allowed(*c)) {
        Some(c) => wrong(format!("{what} {}", quote_char(c, false))),
        None => Ok(()),
    }
}
