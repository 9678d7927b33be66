//! DSSE envelopes as they are written: a payload, its type, and signatures over both.
//!
//! Nothing of the payload is to be believed before signatures verify; `oci` does that.
//! <https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md>

use serde::{Deserialize, Serialize};

/// A signed payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The payload, in base64.
    pub payload: String,
    /// What it is, as a media type; it is signed along.
    pub payload_type: String,
    /// The signatures.
    pub signatures: Vec<EnvelopeSignature>,
}

/// A signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeSignature {
    /// Which key it may be of; it is not signed, and proves nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub keyid: String,
    /// The signature, in base64.
    pub sig: String,
}
