//! What a registry asks for when it answers 401.
//!
//! <https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1>,
//! <https://distribution.github.io/distribution/spec/auth/token/>

use http::{HeaderMap, header};

/// A way to say who the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A user and a password, to the registry itself. A registry that names no way gets them too.
    Basic,
    /// A token of the service at `realm`.
    Bearer {
        /// Where tokens are issued: a URL that the registry chose.
        realm: String,
        /// How the service calls the registry.
        service: Option<String>,
    },
}

impl Challenge {
    /// The challenge of an answer; tokens are preferred.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        headers
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .find_map(|value| bearer(value.to_str().ok()?))
            .unwrap_or(Self::Basic)
    }
}

/// Reads `Bearer realm="…",service="…"`, also after another challenge in the same header.
fn bearer(header: &str) -> Option<Challenge> {
    let start = header
        .to_ascii_lowercase()
        .match_indices("bearer ")
        .map(|(start, _)| start)
        .find(|start| header[..*start].chars().all(|c| c != '"') || closes(&header[..*start]))?;
    let (mut realm, mut service) = (None, None);
    let mut rest = &header[start + "bearer ".len()..];
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = value(after)?;
        match name.trim_matches([' ', ',', '\t']).to_ascii_lowercase() {
            name if name == "realm" => realm = realm.or(Some(value)),
            name if name == "service" => service = service.or(Some(value)),
            _ => {}
        }
        rest = after;
    }
    Some(Challenge::Bearer {
        realm: realm?,
        service,
    })
}

/// Every quote that opens before a place also closes before it.
fn closes(text: &str) -> bool {
    text.matches('"').count().is_multiple_of(2)
}

/// A token or a quoted string, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            character => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Challenge {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Challenge::of(&headers)
    }

    fn token(realm: &str, service: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
        }
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="a:b:pull,push""#;
        let expected = token("https://auth.docker.io/token", Some("registry.docker.io"));
        assert_eq!(read(&[hub]), expected);
        assert_eq!(read(&[r#"Basic realm="x""#, hub]), expected);
        assert_eq!(read(&[&format!(r#"Basic realm="x", {hub}"#)]), expected);
        let spaced = r#"bearer error="invalid_token", realm="https://h/t?a=b" , service=s"#;
        assert_eq!(read(&[spaced]), token("https://h/t?a=b", Some("s")));
        assert_eq!(
            read(&[r#"Bearer realm="https://h/\"q\"""#]),
            token("https://h/\"q\"", None)
        );
    }

    #[test]
    fn what_names_no_service_is_answered_to_the_registry_itself() {
        for values in [
            &[][..],
            &[r#"Basic realm="x""#],
            &[r#"Basic realm="Bearer realm=evil""#],
            &["Bearer service=\"no realm\""],
            &["Bearer realm=\"never ends"],
            &["Negotiate"],
        ] {
            assert_eq!(read(values), Challenge::Basic, "{values:?}");
        }
    }
}
