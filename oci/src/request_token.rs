//! Request tokens: JSON Web Tokens, ES256, each good for one request alone (`spec/agent.md`).
//!
//! A token does not choose how it is verified: the algorithm is fixed, and whose key the certificate
//! in its header holds is for the verifier to judge, before the claims are read.
//! [RFC 7515](https://www.rfc-editor.org/rfc/rfc7515), [RFC 7519](https://www.rfc-editor.org/rfc/rfc7519).

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use cairn_spec::agent::{RequestClaims, TokenHeader, limits};
use sha2::{Digest as _, Sha256};

use crate::{Error, PrivateKey, PublicKey};

const ALGORITHM: &str = "ES256";

/// Why a token is not accepted.
pub type Refused = &'static str;

/// How a token says whose it is.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'a> {
    /// By the certificate itself, DER.
    Certificate(&'a [u8]),
    /// By the hash of a certificate that the other side has seen, DER.
    Thumbprint(&'a [u8]),
    /// Not at all: the key is in the body.
    InBody,
}

/// Signs a token.
pub fn sign(key: &PrivateKey, claims: &RequestClaims, proof: Proof<'_>) -> Result<String, Error> {
    let mut header = TokenHeader {
        alg: ALGORITHM.to_owned(),
        ..TokenHeader::default()
    };
    match proof {
        Proof::Certificate(der) => header.x5c = vec![STANDARD.encode(der)],
        Proof::Thumbprint(der) => header.x5t_s256 = Some(thumbprint(der)),
        Proof::InBody => {}
    }
    let encode = |json: serde_json::Result<Vec<u8>>| {
        json.map(|json| URL_SAFE_NO_PAD.encode(json))
            .map_err(|error| Error::Malformed {
                what: "request token".to_owned(),
                reason: error.to_string(),
            })
    };
    let header = encode(serde_json::to_vec(&header))?;
    let claims = encode(serde_json::to_vec(claims))?;
    let signed = format!("{header}.{claims}");
    let signature = key.sign_es256(signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// SHA-256 of a body, or of a certificate's DER, as tokens write it: base64url without padding.
pub fn thumbprint(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

/// A token taken apart; nothing in it is to be believed yet.
#[derive(Debug)]
pub struct Unverified<'a> {
    header: TokenHeader,
    signed: &'a str,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    pub fn parse(token: &'a str) -> Result<Self, Refused> {
        if token.len() > limits::MAX_REQUEST_TOKEN_BYTES {
            return Err("the token is too long");
        }
        let malformed = "the token is malformed";
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(malformed)?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed);
        let header: TokenHeader =
            serde_json::from_slice(&decode(header)?).map_err(|_| malformed)?;
        if header.crit.is_some() {
            return Err("the token demands an extension");
        }
        if header.alg != ALGORITHM {
            return Err("the token is not signed with ES256");
        }
        Ok(Self {
            header,
            signed,
            claims: decode(claims)?,
            signature: decode(signature)?,
        })
    }

    /// The certificate in the header, DER.
    pub fn certificate(&self) -> Result<Option<Vec<u8>>, Refused> {
        match self.header.x5c.as_slice() {
            [] => Ok(None),
            [one] => match STANDARD.decode(one) {
                Ok(der) => Ok(Some(der)),
                Err(_) => Err("the token's certificate is malformed"),
            },
            _ => Err("the token has more than one certificate"),
        }
    }

    /// SHA-256 of a certificate, instead of it.
    pub fn thumbprint(&self) -> Option<&str> {
        self.header.x5t_s256.as_deref()
    }

    /// The claims, once the key verified the signature.
    pub fn verify(&self, key: &PublicKey) -> Result<RequestClaims, Refused> {
        if !key.verify_es256(self.signed.as_bytes(), &self.signature) {
            return Err("the token's signature is wrong");
        }
        serde_json::from_slice(&self.claims).map_err(|_| "the token's claims are malformed")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::key::generate;

    fn claims() -> RequestClaims {
        RequestClaims {
            iss: "a1".to_owned(),
            iat: 100,
            exp: 160,
            jti: "j1".to_owned(),
            htm: "POST".to_owned(),
            htu: "/agent/v1/sync".to_owned(),
            bsh: thumbprint(b"{}"),
        }
    }

    #[test]
    fn what_is_signed_is_verified() {
        let (key, other) = (generate().unwrap(), generate().unwrap());
        let token = sign(&key, &claims(), Proof::Certificate(b"DER")).unwrap();
        let unverified = Unverified::parse(&token).unwrap();
        assert_eq!(unverified.certificate().unwrap().unwrap(), b"DER");
        assert_eq!(
            unverified.verify(&key.public_key().unwrap()).unwrap(),
            claims()
        );
        assert!(unverified.verify(&other.public_key().unwrap()).is_err());
        let token = sign(&key, &claims(), Proof::Thumbprint(b"DER")).unwrap();
        let unverified = Unverified::parse(&token).unwrap();
        assert_eq!(unverified.thumbprint(), Some(&*thumbprint(b"DER")));
        assert_eq!(unverified.certificate(), Ok(None));
    }

    #[test]
    fn a_token_does_not_choose_how_it_is_verified() {
        let key = generate().unwrap();
        let good = sign(&key, &claims(), Proof::InBody).unwrap();
        let (_, rest) = good.split_once('.').unwrap();
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": "EdDSA"}),
            json!({"alg": "ES256", "crit": ["exp"]}),
            json!({}),
            json!([]),
        ] {
            let header = URL_SAFE_NO_PAD.encode(header.to_string());
            assert!(Unverified::parse(&format!("{header}.{rest}")).is_err());
        }
        // Another header of the right algorithm: the signature covers the header, too.
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": "ES256", "x5c": ["AA=="]}).to_string());
        let changed = format!("{header}.{rest}");
        let unverified = Unverified::parse(&changed).unwrap();
        assert!(unverified.verify(&key.public_key().unwrap()).is_err());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", ".", "..", "a.b.c", "e30.e30.", "é.é.é"] {
            assert!(Unverified::parse(text).is_err(), "{text}");
        }
        let long = "a".repeat(limits::MAX_REQUEST_TOKEN_BYTES + 1);
        assert_eq!(
            Unverified::parse(&long).unwrap_err(),
            "the token is too long"
        );
    }

    #[test]
    fn any_changed_letter_is_noticed() {
        let key = generate().unwrap();
        let public = key.public_key().unwrap();
        let token = sign(&key, &claims(), Proof::InBody).unwrap();
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            let verified = Unverified::parse(&changed).and_then(|token| token.verify(&public));
            assert!(verified.is_err(), "{at}");
        }
    }
}
