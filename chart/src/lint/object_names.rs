//! What Kubernetes takes as names of objects
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>).

const MAX_SUBDOMAIN_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// Why a name is none for the kind; nothing where it is one.
pub(super) fn trouble(kind: &str, name: &str) -> Option<String> {
    match kind {
        "CertificateSigningRequest" => None,
        "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" => path_segment(name),
        "Service" => label(name, |first| first.is_ascii_lowercase()),
        "Namespace" => label(name, is_letter_or_digit),
        _ => subdomain(name),
    }
}

fn is_letter_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn path_segment(name: &str) -> Option<String> {
    match name {
        "" => Some("it is empty".to_owned()),
        "." | ".." => Some(format!("it may not be `{name}`")),
        _ => {
            let bad = name.chars().find(|c| matches!(c, '/' | '%'))?;
            Some(format!("it may not hold `{bad}`"))
        }
    }
}

fn subdomain(name: &str) -> Option<String> {
    if name.len() > MAX_SUBDOMAIN_BYTES {
        return Some(format!("it is longer than {MAX_SUBDOMAIN_BYTES} bytes"));
    }
    name.split('.')
        .find_map(|part| word(part, is_letter_or_digit))
}

fn label(name: &str, may_begin: impl Fn(u8) -> bool) -> Option<String> {
    if name.len() > MAX_LABEL_BYTES {
        return Some(format!("it is longer than {MAX_LABEL_BYTES} bytes"));
    }
    word(name, may_begin)
}

fn word(word: &str, may_begin: impl Fn(u8) -> bool) -> Option<String> {
    let (Some(&first), Some(&last)) = (word.as_bytes().first(), word.as_bytes().last()) else {
        return Some("a part of it is empty".to_owned());
    };
    let bad = word
        .chars()
        .find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-'));
    if let Some(bad) = bad {
        return Some(format!("it may not hold `{bad}`"));
    }
    if !may_begin(first) {
        return Some(format!("it may not begin with `{}`", char::from(first)));
    }
    if !is_letter_or_digit(last) {
        return Some(format!("it may not end with `{}`", char::from(last)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_their_kind() {
        let fine = [
            ("ConfigMap", "a.b-c.0"),
            ("Service", "web-1"),
            ("Namespace", "1st"),
            ("ClusterRole", "system:node:Reader"),
            ("CertificateSigningRequest", "A/b"),
        ];
        for (kind, name) in fine {
            assert_eq!(trouble(kind, name), None, "{kind} {name}");
        }
        let bad = [
            ("ConfigMap", "Web", "it may not hold `W`"),
            ("ConfigMap", "a..b", "a part of it is empty"),
            ("ConfigMap", "", "a part of it is empty"),
            ("ConfigMap", "-a", "it may not begin with `-`"),
            ("Service", "1st", "it may not begin with `1`"),
            ("Service", "a.b", "it may not hold `.`"),
            ("Namespace", "a-", "it may not end with `-`"),
            ("Role", "a/b", "it may not hold `/`"),
            ("Role", "..", "it may not be `..`"),
        ];
        for (kind, name, why) in bad {
            assert_eq!(trouble(kind, name).as_deref(), Some(why), "{kind} {name}");
        }
        assert!(trouble("Service", &"a".repeat(64)).is_some());
        assert!(trouble("ConfigMap", &"a".repeat(254)).is_some());
        assert_eq!(trouble("ConfigMap", &"a".repeat(253)), None);
    }
}
