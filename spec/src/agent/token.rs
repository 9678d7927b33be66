//! Two tokens: the one that a cluster joins with, and the one that proves who sends a request.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::limits;

/// A join token, `ID.SECRET`. It is never shown but where it is made.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Which one it is: no secret.
    pub id: String,
    /// What proves that somebody was given it.
    pub secret: String,
}

/// A text is no join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a join token: expected `ID.SECRET` in lower-case letters and digits")]
pub struct JoinTokenError;

impl std::str::FromStr for JoinToken {
    type Err = JoinTokenError;

    fn from_str(text: &str) -> Result<Self, JoinTokenError> {
        let is_word = |word: &str| {
            (1..=limits::MAX_ID_BYTES).contains(&word.len())
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        match text.split_once('.') {
            Some((id, secret)) if is_word(id) && is_word(secret) => Ok(Self {
                id: id.to_owned(),
                secret: secret.to_owned(),
            }),
            _ => Err(JoinTokenError),
        }
    }
}

impl JoinToken {
    /// `ID.SECRET`.
    pub fn expose(&self) -> String {
        format!("{}.{}", self.id, self.secret)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Serialize for JoinToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.expose())
    }
}

impl<'de> Deserialize<'de> for JoinToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// The header of a request's token (RFC 7515).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenHeader {
    /// `ES256`.
    pub alg: String,
    /// `JWT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typ: Option<String>,
    /// The agent's certificate, DER in base64: one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub x5c: Vec<String>,
    /// Instead of it, SHA-256 of a certificate that was shown before, base64url without padding.
    #[serde(default, rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub x5t_s256: Option<String>,
    /// Extensions that must be understood: none are, so it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crit: Option<serde_json::Value>,
}

/// What a request's token claims: which one request it is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestClaims {
    /// The agent; empty while it joins.
    pub iss: String,
    /// When it was made, in seconds since 1970.
    pub iat: u64,
    /// When it ends, in seconds since 1970.
    pub exp: u64,
    /// Never the same twice.
    pub jti: String,
    /// The method, such as `POST`.
    pub htm: String,
    /// The path, such as `/agent/v1/sync`.
    pub htu: String,
    /// SHA-256 of the body as it is sent, base64url without padding.
    pub bsh: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_tokens_are_read_and_not_shown() {
        let token: JoinToken = "a1.s3cret".parse().unwrap();
        assert_eq!(token.expose(), "a1.s3cret");
        assert_eq!(format!("{token:?}"), "JoinToken { id: \"a1\", .. }");
        let long = format!("a.{}", "b".repeat(limits::MAX_ID_BYTES + 1));
        for bad in ["", "a", ".", "a.", ".b", "a.b.c", "A.b", "a.b ", &long] {
            assert!(bad.parse::<JoinToken>().is_err(), "{bad}");
        }
    }
}
