//! Whether an object may have drifted, told by its metadata alone.

use crate::{cluster::Presence, inventory::Entry};

/// True if an object may not be as it was applied, so that it is worth a dry run: it is gone, it is
/// another one, or fields of ours are not ours any more. One that was never applied is not missed,
/// and one that is being deleted is missed when it is gone.
pub fn is_suspect(entry: &Entry, there: Option<&Presence>) -> bool {
    let Some(uid) = &entry.uid else { return false };
    match there {
        None => true,
        Some(presence) if presence.is_going => false,
        Some(presence) => {
            *uid != presence.uid || (entry.owned.is_some() && entry.owned != presence.owned)
        }
    }
}

#[cfg(test)]
mod tests {
    use cairn_spec::{Digest, Stage};

    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::sha256(text.as_bytes())
    }

    #[test]
    fn metadata_tells_what_is_worth_a_look() {
        let mut entry = Entry {
            version: "v1".to_owned(),
            stage: Stage::Configuration,
            uid: Some("u".to_owned()),
            created: true,
            desired: Some(digest("d")),
            owned: Some(digest("o")),
        };
        let mut there = Presence {
            uid: "u".to_owned(),
            resource_version: "1".to_owned(),
            owned: Some(digest("o")),
            is_going: false,
            set: None,
        };
        assert!(!is_suspect(&entry, Some(&there)));
        assert!(is_suspect(&entry, None));
        there.owned = Some(digest("less"));
        assert!(is_suspect(&entry, Some(&there)));
        there.owned = None;
        assert!(is_suspect(&entry, Some(&there)));
        there.is_going = true;
        assert!(!is_suspect(&entry, Some(&there)));
        there = Presence {
            uid: "another".to_owned(),
            owned: Some(digest("o")),
            is_going: false,
            ..there
        };
        assert!(is_suspect(&entry, Some(&there)));
        entry.uid = None;
        assert!(!is_suspect(&entry, None));
        assert!(!is_suspect(&entry, Some(&there)));
    }
}
