//! A request's query parameters, and writing them into links.

use std::fmt::Write as _;

use http::Uri;

use super::ranges;
use crate::{Error, Result};

/// Decoded parameters, in the order of the request.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// The parameters of a target; none if they are malformed.
    pub(super) fn of(uri: &Uri) -> Self {
        axum::extract::Query::try_from_uri(uri)
            .map(|axum::extract::Query(parameters)| Self(parameters))
            .unwrap_or_default()
    }

    /// The fields of a form; none if they are malformed.
    pub(super) fn of_form(form: &str) -> Self {
        let uri = Uri::builder().path_and_query(format!("/?{form}")).build();
        uri.map(|uri| Self::of(&uri)).unwrap_or_default()
    }

    /// The first value of a parameter.
    pub(super) fn get<'a>(&'a self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(parameter, _)| parameter == name)
            .map(|(_, value)| value.as_str())
    }

    /// The page size asked for.
    pub(super) fn page_entries(&self) -> Result<Option<usize>> {
        let invalid = |value: &str| Error::PageInvalid {
            value: value.to_owned(),
        };
        self.get("n")
            .map(|value| {
                let entries = ranges::number(value).ok_or_else(|| invalid(value))?;
                Ok(usize::try_from(entries).unwrap_or(usize::MAX))
            })
            .transpose()
    }
}

/// A value as it may stand in a query.
pub(super) fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_repeat_and_round_trip() {
        let uri: Uri = "/v2/?tag=a&tag=b&n=3&artifactType=x%2Fy%2Bz"
            .parse()
            .unwrap();
        let query = Query::of(&uri);
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(query.page_entries().unwrap(), Some(3));
        assert_eq!(query.get("artifactType"), Some("x/y+z"));
        assert_eq!(encoded("x/y+z é"), "x/y%2Bz%20%C3%A9");
    }
}
