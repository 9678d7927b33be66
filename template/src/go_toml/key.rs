//! How a key is written in TOML, and so in errors.

use super::writer::quoted_key;

/// The key, in quotes if it needs them.
pub(super) fn bare_or_quoted(key: &str) -> String {
    String::from_utf8_lossy(&quoted_key(key.as_bytes())).into_owned()
}

/// `a.b."c d"`
pub(super) fn path_text(path: &[String]) -> String {
    let keys: Vec<_> = path.iter().map(|key| bare_or_quoted(key)).collect();
    keys.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_they_are_written() {
        assert_eq!(bare_or_quoted("a-b"), "a-b");
        assert_eq!(path_text(&["a b".to_owned(), "c".to_owned()]), "\"a b\".c");
    }
}
