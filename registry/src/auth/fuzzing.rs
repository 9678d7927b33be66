//! What fuzz targets run of the parsers of tokens (`crate::fuzzing`).

use super::{
    Wanted,
    issuer::Claims,
    jws::{KeySet, Unverified, Validity},
};

/// Verifies what `fuzz/corpus/token` holds signed tokens of; nobody has the private half any more.
const KNOWN_KEY: &str = include_str!("../../../fuzz/known-key.json");

/// A compact token, a set of keys, or scopes.
pub(crate) fn token(text: &str) {
    if let Ok(token) = Unverified::parse(text) {
        let _ = token.claimed_issuer();
        let keys = KeySet::parse(KNOWN_KEY.as_bytes()).expect("it is one");
        let verified = token.verify::<Claims>(&keys);
        let validity = token.verify::<Validity>(&keys);
        if verified.is_ok() {
            assert!(
                validity.is_ok(),
                "claims that verify say when they are valid"
            );
        }
        if let Ok(validity) = validity {
            let _ = validity.check(1_700_000_000, u64::MAX);
            let _ = validity.check(u64::MAX, 30);
        }
    }
    claims(text.as_bytes());
    if let Ok(keys) = KeySet::parse(text.as_bytes()) {
        // A name that is longer than all of it stands nowhere in it.
        assert!(!keys.has(&format!("{text}!")));
    }
    if let Ok(wanted) = Wanted::parse(std::iter::once(text)) {
        for name in wanted.repositories.keys() {
            assert!(text.contains(name.as_str()), "{name}");
        }
    }
}

/// What a token says once its signature is known to be good.
fn claims(text: &[u8]) {
    let _ = serde_json::from_slice::<Claims>(text);
    let _ = serde_json::from_slice::<Validity>(text);
}
