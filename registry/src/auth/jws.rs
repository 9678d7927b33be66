//! Signed tokens: JSON Web Tokens in the compact form, signed and verified with the library that
//! TLS uses.
//!
//! Which algorithm a signature has is decided by the key that verifies it, never by the token: its
//! header is asked for the key's name and must not contradict the key. Keys in headers (`jwk`,
//! `jku`, `x5c`) are not read at all.
//!
//! [RFC 7515](https://www.rfc-editor.org/rfc/rfc7515),
//! [RFC 7517](https://www.rfc-editor.org/rfc/rfc7517),
//! [RFC 7519](https://www.rfc-editor.org/rfc/rfc7519).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The longest token that is looked at, in bytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// The most keys of a key set.
const MAX_KEYS: usize = 64;

/// Why a token is not accepted. It is for the log of the server, not for the client.
pub(crate) type Refused = &'static str;

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

/// A token taken apart; nothing in it is to be believed yet.
pub(crate) struct Unverified<'a> {
    header: Header,
    signed: &'a str,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, Refused> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err("the token is too long");
        }
        let malformed = "the token is malformed";
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(malformed)?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed)?;
        if header.crit.is_some() {
            return Err("the token demands an extension");
        }
        Ok(Self {
            header,
            signed,
            claims: decode(claims)?,
            signature: decode(signature)?,
        })
    }

    /// The issuer that the token claims: good for choosing whose keys to verify it with.
    pub(crate) fn claimed_issuer(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Issuer {
            iss: String,
        }
        serde_json::from_slice::<Issuer>(&self.claims)
            .ok()
            .map(|claims| claims.iss)
    }

    /// The key that the token names.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The claims, once one of the keys verified the signature.
    pub(crate) fn verify<T: DeserializeOwned>(&self, keys: &KeySet) -> Result<T, Refused> {
        let named = |key: &&Key| match (&self.header.kid, &key.id) {
            (Some(wanted), Some(id)) => wanted == id,
            (Some(_), None) => false,
            (None, _) => keys.keys.len() == 1,
        };
        let key = keys
            .keys
            .iter()
            .find(named)
            .ok_or("the token names an unknown key")?;
        let verifier = key
            .verifier(&self.header.alg)
            .ok_or("the token's algorithm is not the key's")?;
        verifier
            .verify(self.signed.as_bytes(), &self.signature)
            .map_err(|_| "the token's signature is wrong")?;
        serde_json::from_slice(&self.claims).map_err(|_| "the token's claims are malformed")
    }
}

/// Keys that verify tokens.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    /// The only algorithm it is for, if it says so.
    algorithm: Option<String>,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
}

impl KeySet {
    /// Reads a JSON Web Key Set; keys of other kinds or purposes are passed over.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let set: JwkSet =
            serde_json::from_slice(text).map_err(|_| "it is no JSON Web Key Set".to_owned())?;
        if set.keys.len() > MAX_KEYS {
            return Err(format!("it has more than {MAX_KEYS} keys"));
        }
        let keys: Vec<Key> = set.keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err("it has no key that signs with RSA, ECDSA or Ed25519".to_owned());
        }
        Ok(Self { keys })
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id.as_deref() == Some(id))
    }
}

impl Key {
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        if jwk
            .purpose
            .as_deref()
            .is_some_and(|purpose| purpose != "sig")
        {
            return None;
        }
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        let point = |length: usize| {
            let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
            (x.len() == length && y.len() == length).then(|| [&[4], &x[..], &y[..]].concat())
        };
        let material = match (jwk.kty.as_str(), jwk.crv.as_str()) {
            ("RSA", _) => Material::Rsa {
                modulus: bytes(&jwk.n)?,
                exponent: bytes(&jwk.e)?,
            },
            ("EC", "P-256") => Material::P256(point(32)?),
            ("EC", "P-384") => Material::P384(point(48)?),
            ("OKP", "Ed25519") => Material::Ed25519(bytes(&jwk.x)?),
            _ => return None,
        };
        Some(Self {
            id: jwk.kid,
            algorithm: jwk.alg,
            material,
        })
    }

    fn verifier(&self, algorithm: &str) -> Option<Verifier<'_>> {
        if self
            .algorithm
            .as_deref()
            .is_some_and(|own| own != algorithm)
        {
            return None;
        }
        let plain = |with: &'static dyn signature::VerificationAlgorithm, key| {
            Some(Verifier::Plain(UnparsedPublicKey::new(with, key)))
        };
        match (&self.material, algorithm) {
            (Material::P256(key), "ES256") => plain(&signature::ECDSA_P256_SHA256_FIXED, key),
            (Material::P384(key), "ES384") => plain(&signature::ECDSA_P384_SHA384_FIXED, key),
            (Material::Ed25519(key), "EdDSA") => plain(&signature::ED25519, key),
            (Material::Rsa { modulus, exponent }, algorithm) => {
                let with = match algorithm {
                    "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
                    "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
                    "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
                    "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
                    "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
                    _ => return None,
                };
                Some(Verifier::Rsa(with, modulus, exponent))
            }
            _ => None,
        }
    }
}

enum Verifier<'a> {
    Plain(UnparsedPublicKey<&'a Vec<u8>>),
    Rsa(&'static signature::RsaParameters, &'a [u8], &'a [u8]),
}

impl Verifier<'_> {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), ring::error::Unspecified> {
        match self {
            Self::Plain(key) => key.verify(message, signature),
            Self::Rsa(with, n, e) => {
                signature::RsaPublicKeyComponents { n: *n, e: *e }.verify(with, message, signature)
            }
        }
    }
}

/// A key that signs tokens with ES256.
pub(crate) struct Signer {
    pair: EcdsaKeyPair,
    id: String,
    random: SystemRandom,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// A new key, as PKCS#8.
    pub(crate) fn generate() -> Result<Vec<u8>, Refused> {
        let random = SystemRandom::new();
        let key =
            EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        key.map(|key| key.as_ref().to_vec())
            .map_err(|_| "the system has no randomness")
    }

    pub(crate) fn from_pkcs8(key: &[u8]) -> Result<Self, Refused> {
        let random = SystemRandom::new();
        let pair =
            EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, key, &random)
                .map_err(|_| "the signing key is malformed")?;
        let id = super::fingerprint(&hex::encode(pair.public_key()));
        Ok(Self { pair, id, random })
    }

    /// The set of this one key.
    pub(crate) fn key_set(&self) -> KeySet {
        let key = Key {
            id: Some(self.id.clone()),
            algorithm: Some("ES256".to_owned()),
            material: Material::P256(self.pair.public_key().as_ref().to_vec()),
        };
        KeySet { keys: vec![key] }
    }

    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String, Refused> {
        let header = serde_json::json!({"alg": "ES256", "kid": self.id, "typ": "JWT"});
        let claims = serde_json::to_vec(claims).map_err(|_| "the claims cannot be written")?;
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(&claims)
        );
        let signature = self
            .pair
            .sign(&self.random, signed.as_bytes())
            .map_err(|_| "signing failed")?;
        Ok(format!("{signed}.{}", encode(signature.as_ref())))
    }
}

/// When a token is valid.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Validity {
    pub(crate) exp: u64,
    #[serde(default)]
    nbf: u64,
    #[serde(default)]
    iat: u64,
}

impl Validity {
    /// Checks the times of a token against a clock that may differ by `skew_s`.
    pub(crate) fn check(self, now_unix_s: u64, skew_s: u64) -> Result<(), Refused> {
        if self.exp.saturating_add(skew_s) <= now_unix_s {
            return Err("the token has expired");
        }
        if self.nbf.max(self.iat) > now_unix_s.saturating_add(skew_s) {
            return Err("the token is not valid yet");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn signer() -> Signer {
        Signer::from_pkcs8(&Signer::generate().unwrap()).unwrap()
    }

    fn verify(token: &str, keys: &KeySet) -> Result<Value, Refused> {
        Unverified::parse(token)?.verify(keys)
    }

    fn forged(header: &Value, claims: &Value, signature: &str) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.{signature}", encode(header), encode(claims))
    }

    #[test]
    fn what_is_signed_is_verified() {
        let signer = signer();
        let token = signer.sign(&json!({"sub": "ada"})).unwrap();
        assert_eq!(verify(&token, &signer.key_set()).unwrap()["sub"], "ada");
        assert!(verify(&token, &self::signer().key_set()).is_err());
        let (start, _) = token.rsplit_once('.').unwrap();
        assert!(verify(&format!("{start}."), &signer.key_set()).is_err());
    }

    #[test]
    fn a_token_does_not_choose_its_algorithm_or_key() {
        let signer = signer();
        let keys = signer.key_set();
        let claims = json!({"sub": "ada"});
        let id = signer.id.clone();
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "none", "kid": id}),
            json!({"alg": "HS256", "kid": id}),
            json!({"alg": "RS256", "kid": id}),
            json!({"alg": "ES256", "kid": "../../dev/null"}),
            json!({"alg": "ES256", "kid": id, "crit": ["exp"]}),
        ] {
            for signature in ["", "AAAA"] {
                assert!(
                    verify(&forged(&header, &claims, signature), &keys).is_err(),
                    "{header}"
                );
            }
        }
    }

    /// CVE-2025-24976: a key in the header is a stranger's.
    #[test]
    fn cve_2025_24976_keys_in_headers_are_ignored() {
        let (ours, theirs) = (signer(), signer());
        let point = theirs.pair.public_key().as_ref().to_vec();
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "kid": ours.id,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        });
        for header in [
            json!({"alg": "ES256", "jwk": jwk}),
            json!({"alg": "ES256", "kid": ours.id, "jwk": jwk, "jku": "http://127.0.0.1:1/", "x5c": ["AAAA"]}),
        ] {
            let unsigned = forged(&header, &json!({"sub": "eve"}), "");
            let signed = unsigned.trim_end_matches('.');
            let signature = theirs
                .pair
                .sign(&SystemRandom::new(), signed.as_bytes())
                .unwrap();
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
            assert!(verify(&token, &ours.key_set()).is_err());
            // The signature itself is good: with that key it would have been accepted.
            let set = json!({"keys": [jwk]}).to_string();
            assert!(verify(&token, &KeySet::parse(set.as_bytes()).unwrap()).is_ok());
        }
    }

    #[test]
    fn times_are_checked() {
        let validity = |exp, nbf, iat| Validity { exp, nbf, iat };
        assert!(validity(100, 50, 50).check(99, 0).is_ok());
        assert!(validity(100, 50, 50).check(100, 0).is_err());
        assert!(validity(100, 50, 50).check(109, 10).is_ok());
        assert!(validity(100, 50, 0).check(49, 0).is_err());
        assert!(validity(100, 0, 50).check(39, 10).is_err());
        assert!(validity(100, 50, 50).check(40, 10).is_ok());
    }

    #[test]
    fn oversized_tokens_are_not_read() {
        let signer = signer();
        let token = signer
            .sign(&json!({"pad": "x".repeat(MAX_TOKEN_BYTES)}))
            .unwrap();
        assert!(verify(&token, &signer.key_set()).is_err());
    }

    #[test]
    fn key_sets_hold_what_verifies() {
        let parse = |text: &str| KeySet::parse(text.as_bytes());
        assert!(parse("{}").is_err());
        assert!(parse(r#"{"keys":[]}"#).is_err());
        assert!(parse(r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#).is_err());
        assert!(parse(r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#).is_err());
        assert!(parse(r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","use":"enc"}]}"#).is_err());
        assert!(
            parse(r#"{"keys":[{"kty":"oct"},{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}"#)
                .unwrap()
                .has("a")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_refused(token in ".{0,200}") {
            prop_assert!(verify(&token, &signer().key_set()).is_err());
        }

        #[test]
        fn any_change_is_refused(at in 0_usize..1000, to in any::<u8>()) {
            let signer = signer();
            let token = signer.sign(&json!({"sub": "ada", "exp": 1})).unwrap();
            let mut bytes = token.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(changed) = String::from_utf8(bytes) && changed != token {
                prop_assert!(verify(&changed, &signer.key_set()).is_err());
            }
        }

        #[test]
        fn any_key_set_is_read_without_panic(text in r#"\{"keys":\[\{"kty":"(RSA|EC|OKP)","crv":"[A-Za-z0-9-]{0,8}","[nexy]":"[A-Za-z0-9_=-]{0,90}"\}\]\}"#) {
            let _ = KeySet::parse(text.as_bytes());
        }
    }
}
