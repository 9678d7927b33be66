//! What looks like a URL or a mail address.

/// An absolute URL with a scheme and something behind it.
pub(super) fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let mut letters = scheme.bytes();
    let is_scheme = letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    // `data:` needs no host.
    let rest = rest
        .strip_prefix("//")
        .unwrap_or(if scheme == "data" { rest } else { "" });
    is_scheme && !rest.is_empty() && !text.contains(char::is_whitespace)
}

/// One `@` with something around it that has a dot.
pub(super) fn is_email(text: &str) -> bool {
    let Some((user, host)) = text.rsplit_once('@') else {
        return false;
    };
    let has_bad = text.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | ','));
    !user.is_empty()
        && !user.contains('@')
        && !has_bad
        && host.contains('.')
        && !host.starts_with('.')
        && !host.ends_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_absolute() {
        for url in [
            "https://example.com",
            "http://x/y z".trim_end_matches(" z"),
            "git+ssh://git@example.com/x.git",
            "data:image/png;base64,AA",
        ] {
            assert!(is_url(url), "{url}");
        }
        for text in [
            "",
            "example.com",
            "https://",
            "/icons/x.png",
            "https:/x",
            "https://a b",
            "1a://x",
        ] {
            assert!(!is_url(text), "{text}");
        }
    }

    #[test]
    fn addresses_have_a_user_and_a_host() {
        assert!(is_email("ann.lee+x@mail.example.com"));
        for text in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "ann@host",
            "a@b@c.d",
            "Ann <a@b.c>",
            "a@.b",
            "a@b.",
        ] {
            assert!(!is_email(text), "{text}");
        }
    }
}
