//! Keys to sign with and to verify with: ECDSA on P-256 with SHA-256, and Ed25519.
//!
//! Private keys are PKCS#8 PEM, as OpenSSL writes them, or cosign's encrypted keys; public keys
//! are SPKI PEM. ECDSA signatures are deterministic (RFC 6979), so that the same input gives the
//! same bytes. Secrets are wiped from memory and never shown.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{
    Signature as EdSignature, SigningKey as EdSigningKey, VerifyingKey as EdVerifyingKey,
};
use p256::{
    SecretKey,
    ecdsa::{
        Signature, SigningKey, VerifyingKey,
        signature::{Signer as _, Verifier as _},
    },
    elliptic_curve::Generate as _,
    pkcs8::{
        DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
        LineEnding, der::pem,
    },
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{Error, limits};

mod cosign;

const PRIVATE_LABEL: &str = "PRIVATE KEY";
const PUBLIC_LABEL: &str = "PUBLIC KEY";

/// A key that signs.
pub struct PrivateKey(Private);

enum Private {
    P256(Box<SigningKey>),
    Ed25519(Box<EdSigningKey>),
}

/// Makes a new P-256 key.
pub fn generate() -> Result<PrivateKey, Error> {
    let secret = SecretKey::try_generate().map_err(|error| refuse_private(error.to_string()))?;
    Ok(PrivateKey(Private::P256(Box::new(SigningKey::from(
        secret,
    )))))
}

impl PrivateKey {
    /// Reads a private key: PKCS#8 PEM, or cosign's encrypted PEM with its password.
    pub fn from_pem(text: &str, password: Option<&str>) -> Result<Self, Error> {
        check_size(text)?;
        let (label, content) =
            pem::decode_vec(text.trim().as_bytes()).map_err(|_| refuse_private(not_pem(text)))?;
        let content = Zeroizing::new(content);
        match label {
            PRIVATE_LABEL => Self::from_pkcs8(&content),
            cosign::LABEL | cosign::OLD_LABEL => {
                let password = password
                    .ok_or_else(|| refuse_private("it is encrypted and needs a password"))?;
                let der = cosign::decrypt(&content, password.as_bytes()).map_err(refuse_private)?;
                Self::from_pkcs8(&der)
            }
            PUBLIC_LABEL => Err(refuse_private("it is a public key")),
            other => Err(refuse_private(format!(
                "`{other}` is not a supported kind; use PKCS#8, `PRIVATE KEY`"
            ))),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, Error> {
        if let Ok(secret) = SecretKey::from_pkcs8_der(der) {
            return Ok(Self(Private::P256(Box::new(SigningKey::from(secret)))));
        }
        match EdSigningKey::from_pkcs8_der(der) {
            Ok(key) => Ok(Self(Private::Ed25519(Box::new(key)))),
            Err(_) => Err(refuse_private("it is neither a P-256 nor an Ed25519 key")),
        }
    }

    /// Writes the key as PKCS#8 PEM, unencrypted. Whoever stores it keeps others from reading it.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, Error> {
        let written = match &self.0 {
            Private::P256(key) => {
                SecretKey::from(key.as_nonzero_scalar()).to_pkcs8_pem(LineEnding::LF)
            }
            Private::Ed25519(key) => key.to_pkcs8_pem(LineEnding::LF),
        };
        written.map_err(|error| refuse_private(error.to_string()))
    }

    /// The public half.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        match &self.0 {
            Private::P256(key) => PublicKey::new(Public::P256(*key.verifying_key())),
            Private::Ed25519(key) => PublicKey::new(Public::Ed25519(key.verifying_key())),
        }
    }

    /// Signs a message: ASN.1 DER for P-256, 64 bytes for Ed25519.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Private::P256(key) => {
                let signature: Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
            Private::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }
}

impl PrivateKey {
    /// Signs a message as ES256 of JSON Web Tokens writes it: the 64 bytes of r and s.
    pub fn sign_es256(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.0 {
            Private::P256(key) => {
                let signature: Signature = key.sign(message);
                Ok(signature.to_bytes().to_vec())
            }
            Private::Ed25519(_) => Err(refuse_private("ES256 takes a P-256 key")),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.0 {
            Private::P256(_) => "P-256",
            Private::Ed25519(_) => "Ed25519",
        };
        write!(f, "PrivateKey({kind})")
    }
}

/// A key that verifies.
#[derive(Clone)]
pub struct PublicKey {
    key: Public,
    spki_der: Vec<u8>,
    id: String,
}

#[derive(Clone)]
enum Public {
    P256(VerifyingKey),
    Ed25519(EdVerifyingKey),
}

impl PublicKey {
    /// Reads a public key in SPKI PEM.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        check_size(text)?;
        let (label, der) =
            pem::decode_vec(text.trim().as_bytes()).map_err(|_| refuse_public(not_pem(text)))?;
        if label != PUBLIC_LABEL {
            return Err(refuse_public(format!(
                "it is a `{label}`, not a `{PUBLIC_LABEL}`"
            )));
        }
        Self::from_der(&der)
    }

    /// Reads a public key in SPKI DER, as certificates hold it.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        if let Ok(key) = VerifyingKey::from_public_key_der(der) {
            return Self::new(Public::P256(key));
        }
        match EdVerifyingKey::from_public_key_der(der) {
            Ok(key) => Self::new(Public::Ed25519(key)),
            Err(_) => Err(refuse_public("it is neither a P-256 nor an Ed25519 key")),
        }
    }

    fn new(key: Public) -> Result<Self, Error> {
        let document = match &key {
            Public::P256(key) => key.to_public_key_der(),
            Public::Ed25519(key) => key.to_public_key_der(),
        };
        let spki_der = document
            .map_err(|error| refuse_public(error.to_string()))?
            .into_vec();
        let id = hex::encode(Sha256::digest(&spki_der));
        Ok(Self { key, spki_der, id })
    }

    /// Writes the key as SPKI PEM.
    pub fn to_pem(&self) -> Result<String, Error> {
        pem::encode_string(PUBLIC_LABEL, LineEnding::LF, &self.spki_der)
            .map_err(|error| refuse_public(error.to_string()))
    }

    /// The key's identity: SHA-256 of its SPKI DER, in hexadecimal.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same hash as Sigstore bundles write it: in base64.
    pub fn hint(&self) -> String {
        STANDARD.encode(Sha256::digest(&self.spki_der))
    }

    /// SPKI DER, as certificates hold it.
    pub fn to_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// It is a P-256 key.
    pub fn is_p256(&self) -> bool {
        matches!(self.key, Public::P256(_))
    }

    /// The signature, 64 bytes of r and s, is this P-256 key's over the message.
    pub fn verify_es256(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Public::P256(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Public::Ed25519(_) => false,
        }
    }

    /// The signature is this key's over the message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Public::P256(key) => Signature::from_der(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Public::Ed25519(key) => EdSignature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki_der == other.spki_der
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.id).finish()
    }
}

/// Why a text is not PEM; the decoder's own words are about bytes.
fn not_pem(text: &str) -> &'static str {
    if text.contains("-----BEGIN ") {
        "its PEM text is damaged or cut short"
    } else {
        "it is not PEM: it has no `-----BEGIN` line"
    }
}

fn check_size(text: &str) -> Result<(), Error> {
    if text.len() as u64 > limits::MAX_CONFIG_BYTES {
        return Err(Error::Limit {
            what: "key".to_owned(),
            limit: limits::MAX_CONFIG_BYTES,
            unit: "bytes",
        });
    }
    Ok(())
}

fn refuse_private(reason: impl Into<String>) -> Error {
    Error::Key {
        what: "private key",
        reason: reason.into(),
    }
}

fn refuse_public(reason: impl Into<String>) -> Error {
    Error::Key {
        what: "public key",
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl genpkey -algorithm ed25519`
    const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq
-----END PRIVATE KEY-----
";

    fn check(key: &PrivateKey) {
        let public = key.public_key().unwrap();
        let signature = key.sign(b"message");
        assert_eq!(
            signature,
            key.sign(b"message"),
            "signatures are deterministic"
        );
        assert!(public.verify(b"message", &signature));
        assert!(!public.verify(b"massage", &signature));
        assert!(!public.verify(b"message", &signature[1..]));
        assert!(!public.verify(b"message", b""));
        let reread = PrivateKey::from_pem(&key.to_pem().unwrap(), None).unwrap();
        assert_eq!(reread.sign(b"message"), signature);
        assert_eq!(
            PublicKey::from_pem(&public.to_pem().unwrap()).unwrap(),
            public
        );
        assert_eq!(public.id().len(), 64);
    }

    #[test]
    fn both_kinds_of_key_sign_and_round_trip() {
        check(&generate().unwrap());
        check(&PrivateKey::from_pem(ED25519, None).unwrap());
    }

    #[test]
    fn secrets_are_not_shown() {
        let key = generate().unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(P-256)");
    }

    #[test]
    fn wrong_keys_are_refused_with_a_reason() {
        let key = generate().unwrap();
        let public = key.public_key().unwrap().to_pem().unwrap();
        let private = key.to_pem().unwrap();
        let reason = |result: Result<PrivateKey, Error>| result.unwrap_err().to_string();
        assert!(reason(PrivateKey::from_pem(&public, None)).contains("public key"));
        assert!(reason(PrivateKey::from_pem("", None)).contains("not PEM"));
        let sec1 = private.replace("PRIVATE", "EC PRIVATE");
        assert!(reason(PrivateKey::from_pem(&sec1, None)).contains("PKCS#8"));
        assert!(
            PublicKey::from_pem(&private)
                .unwrap_err()
                .to_string()
                .contains("PUBLIC KEY")
        );
    }
}
