//! Which names a release may have.

use cairn_spec::Diagnostic;
use cairn_template::go::quote;

use crate::{Dialect, Error};

const MAX_BYTES: usize = 53;

/// Refuses a name that Helm does not take.
pub(crate) fn check(name: &str, dialect: Dialect) -> Result<(), Error> {
    let reason = if name.is_empty() {
        "no name provided".to_owned()
    } else if name.len() > MAX_BYTES || !name.split('.').all(is_label) {
        format!(
            "invalid release name, must match regex \
             ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ \
             and the length must not be longer than {MAX_BYTES}"
        )
    } else {
        return Ok(());
    };
    let shown = quote(name.as_bytes());
    let diagnostic = Diagnostic::error(
        "chart-release",
        format!("a release cannot be called {shown}"),
    )
    .hint(format!(
        "use at most {MAX_BYTES} small letters, digits, `-` and `.`, with a letter or digit at \
         both ends of each part"
    ));
    let error = Error::new(format!("release name {shown}: {reason}"), diagnostic);
    Err(error.within_helm_4("release name check failed", dialect))
}

fn is_label(part: &str) -> bool {
    let is_end = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let bytes = part.as_bytes();
    is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| *byte == b'-' || is_end(Some(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubernetes() {
        let too_long = "a".repeat(MAX_BYTES + 1);
        for good in ["a", "a-b.c1", "1", &too_long[1..]] {
            assert!(check(good, Dialect::Helm4).is_ok(), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a..b", ".a", "a_b", "a.-b", &too_long] {
            assert!(check(bad, Dialect::Helm4).is_err(), "{bad}");
        }
        assert_eq!(
            check("x_y", Dialect::Helm4).unwrap_err().helm_message(),
            "release name check failed: release name \"x_y\": invalid release name, must match \
             regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the \
             length must not be longer than 53"
        );
        assert_eq!(
            check("", Dialect::Helm4).unwrap_err().helm_message(),
            "release name check failed: release name \"\": no name provided"
        );
    }
}
