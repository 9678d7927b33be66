//! DSSE envelopes: any payload, signed along with its type by any number of keys.
//!
//! <https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md>

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_spec::{Envelope, EnvelopeSignature};

use crate::{PrivateKey, PublicKey};

/// The most signatures of one envelope that are looked at.
pub const MAX_ENVELOPE_SIGNATURES: usize = 16;

/// Why an envelope is not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// It holds something else.
    #[error("the envelope holds `{found}`, not `{wanted}`")]
    Type {
        /// What it holds.
        found: String,
        /// What was wanted.
        wanted: String,
    },
    /// The payload is not base64.
    #[error("the envelope is malformed: its payload is not base64")]
    Malformed,
    /// It is larger than it may be.
    #[error("the payload of the envelope has more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// Not enough of the keys have signed.
    #[error("{found} of the trusted keys signed, {threshold} must")]
    Signatures {
        /// How many have.
        found: usize,
        /// How many must.
        threshold: usize,
    },
}

/// Signs a payload, once with each key. Signatures are deterministic, and so is the envelope.
pub fn seal<'k>(
    payload_type: &str,
    payload: &[u8],
    keys: impl IntoIterator<Item = &'k PrivateKey>,
) -> Envelope {
    let signed = pre_authentication_encoding(payload_type, payload);
    let signatures = keys.into_iter().map(|key| signature(key, &signed));
    Envelope {
        payload: STANDARD.encode(payload),
        payload_type: payload_type.to_owned(),
        signatures: signatures.collect(),
    }
}

/// Adds a signature to an envelope, unless this key has signed already. Whoever signs should know
/// what: nothing is checked here but that there is a payload.
pub fn countersign(envelope: &mut Envelope, key: &PrivateKey) -> Result<(), EnvelopeError> {
    let payload = decoded(envelope)?;
    let new = signature(
        key,
        &pre_authentication_encoding(&envelope.payload_type, &payload),
    );
    if !envelope.signatures.contains(&new) {
        envelope.signatures.push(new);
    }
    Ok(())
}

/// The payload, whoever signed it: for showing what is about to be signed, or what was verified when it was kept.
pub fn unverified_payload(
    envelope: &Envelope,
    limit_bytes: usize,
) -> Result<Vec<u8>, EnvelopeError> {
    // Base64 takes four bytes for three, so this much need not be decoded.
    if envelope.payload.len() / 4 * 3 > limit_bytes.saturating_add(3) {
        return Err(EnvelopeError::TooLarge { limit_bytes });
    }
    let payload = decoded(envelope)?;
    if payload.len() > limit_bytes {
        return Err(EnvelopeError::TooLarge { limit_bytes });
    }
    Ok(payload)
}

/// The payload, once `threshold` different ones of `keys` have signed it. Nothing of it is parsed
/// before that.
pub fn open(
    envelope: &Envelope,
    payload_type: &str,
    limit_bytes: usize,
    keys: &[PublicKey],
    threshold: usize,
) -> Result<Vec<u8>, EnvelopeError> {
    if envelope.payload_type != payload_type {
        return Err(another_type(envelope, payload_type));
    }
    let payload = unverified_payload(envelope, limit_bytes)?;
    let ids: BTreeSet<&str> = signers(envelope, &payload, keys)
        .map(PublicKey::id)
        .collect();
    let found = ids.len();
    if threshold == 0 || found < threshold {
        return Err(EnvelopeError::Signatures { found, threshold });
    }
    Ok(payload)
}

/// The payload, of whatever size and whoever signed it.
pub(crate) fn decoded(envelope: &Envelope) -> Result<Vec<u8>, EnvelopeError> {
    let payload = STANDARD.decode(&envelope.payload);
    payload.map_err(|_| EnvelopeError::Malformed)
}

/// It does not hold what is wanted.
pub(crate) fn another_type(envelope: &Envelope, wanted: &str) -> EnvelopeError {
    EnvelopeError::Type {
        found: envelope.payload_type.chars().take(100).collect(),
        wanted: wanted.to_owned(),
    }
}

/// Those of `keys` that signed the payload of an envelope.
pub(crate) fn signers<'k>(
    envelope: &Envelope,
    payload: &[u8],
    keys: &'k [PublicKey],
) -> impl Iterator<Item = &'k PublicKey> + use<'k> {
    let signed = pre_authentication_encoding(&envelope.payload_type, payload);
    let signatures: Vec<Vec<u8>> = envelope
        .signatures
        .iter()
        .take(MAX_ENVELOPE_SIGNATURES)
        .filter_map(|signature| STANDARD.decode(&signature.sig).ok())
        .collect();
    keys.iter().filter(move |key| {
        signatures
            .iter()
            .any(|signature| key.verify(&signed, signature))
    })
}

fn signature(key: &PrivateKey, signed: &[u8]) -> EnvelopeSignature {
    EnvelopeSignature {
        keyid: String::new(),
        sig: STANDARD.encode(key.sign(signed)),
    }
}

/// `DSSEv1 <length> <type> <length> <payload>`, lengths in bytes: what is signed.
pub(crate) fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let (type_length, length) = (payload_type.len(), payload.len());
    let mut encoding = format!("DSSEv1 {type_length} {payload_type} {length} ").into_bytes();
    encoding.extend_from_slice(payload);
    encoding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::generate;

    const TYPE: &str = "application/vnd.example+json";

    #[test]
    fn as_many_different_keys_as_are_wanted_must_have_signed() {
        let keys: Vec<PrivateKey> = (0..3).map(|_| generate().unwrap()).collect();
        let public: Vec<PublicKey> = keys.iter().map(|key| key.public_key().unwrap()).collect();
        let mut envelope = seal(TYPE, b"{}", [&keys[0], &keys[0]]);
        assert_eq!(open(&envelope, TYPE, 2, &public, 1).unwrap(), b"{}");
        let once = EnvelopeError::Signatures {
            found: 1,
            threshold: 2,
        };
        assert_eq!(open(&envelope, TYPE, 2, &public, 2).unwrap_err(), once);
        // A key that stands there twice counts once.
        let twice = [public[0].clone(), public[0].clone()];
        assert_eq!(open(&envelope, TYPE, 2, &twice, 2).unwrap_err(), once);
        countersign(&mut envelope, &keys[2]).unwrap();
        assert_eq!(open(&envelope, TYPE, 2, &public, 2).unwrap(), b"{}");
        assert!(open(&envelope, TYPE, 2, &public[1..2], 1).is_err());
        assert!(open(&envelope, TYPE, 2, &public, 0).is_err());
        assert!(open(&envelope, TYPE, 2, &[], 0).is_err());
    }

    #[test]
    fn type_and_payload_are_signed_and_bounded() {
        let key = generate().unwrap();
        let public = [key.public_key().unwrap()];
        let envelope = seal(TYPE, b"{\"a\":1}", [&key]);
        assert!(matches!(
            open(&envelope, "application/json", 100, &public, 1),
            Err(EnvelopeError::Type { .. })
        ));
        let too_large = EnvelopeError::TooLarge { limit_bytes: 6 };
        assert_eq!(open(&envelope, TYPE, 6, &public, 1).unwrap_err(), too_large);
        let mut other = envelope.clone();
        other.payload_type = "application/json".to_owned();
        assert!(open(&other, "application/json", 100, &public, 1).is_err());
        let mut other = envelope.clone();
        other.payload = STANDARD.encode(b"{\"a\":2}");
        assert!(open(&other, TYPE, 100, &public, 1).is_err());
        let mut other = envelope;
        other.payload = "{}".to_owned();
        assert_eq!(
            open(&other, TYPE, 100, &public, 1).unwrap_err(),
            EnvelopeError::Malformed
        );
    }

    /// <https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md#test-vectors>
    #[test]
    fn what_is_signed_is_as_dsse_says() {
        let encoding = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(
            encoding,
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }
}
