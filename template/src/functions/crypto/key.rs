//! Private keys of all kinds: made from a seed, and read and written as Go's `crypto/x509` and
//! Sprig do.

use ed25519_dalek::Signer as _;
use p256::elliptic_curve::{SecretKey, sec1::ToSec1Point as _};

use super::{
    der::{self, oid},
    dsa::DsaKey,
    go_asn1::Elements,
    pem,
    rsa::{KeySize, RsaKey},
};
use crate::functions::seed::Stream;

/// A private key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PrivateKey {
    Rsa(RsaKey),
    Dsa(DsaKey),
    P256(SecretKey<p256::NistP256>),
    P384(SecretKey<p384::NistP384>),
    /// The seed that RFC 8032 calls the private key.
    Ed25519([u8; 32]),
    /// Can be read, but certifies nothing.
    X25519,
}

/// What kind of key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum NewKey {
    Rsa(KeySize),
    Dsa,
    P256,
    Ed25519,
}

impl PrivateKey {
    /// The key that follows from a seed.
    pub(super) fn generate(kind: NewKey, seed: [u8; 32]) -> Self {
        match kind {
            NewKey::Rsa(size) => Self::Rsa(RsaKey::generate(seed, size)),
            NewKey::Dsa => Self::Dsa(DsaKey::generate(seed)),
            NewKey::Ed25519 => Self::Ed25519(Stream::new(seed).block()),
            NewKey::P256 => {
                let mut stream = Stream::new(seed);
                loop {
                    // All but one number in 2^32 is below the order of the curve.
                    if let Ok(key) = SecretKey::from_slice(&stream.block()) {
                        return Self::P256(key);
                    }
                }
            }
        }
    }

    /// The key as Sprig writes it.
    pub(super) fn to_pem(&self) -> String {
        let (label, bytes) = match self {
            Self::Rsa(key) => ("RSA PRIVATE KEY", key.to_pkcs1()),
            Self::Dsa(key) => ("DSA PRIVATE KEY", key.to_der()),
            Self::P256(key) => (
                "EC PRIVATE KEY",
                sec1(&key.to_bytes(), oid::P256, &self.point()),
            ),
            Self::P384(key) => (
                "EC PRIVATE KEY",
                sec1(&key.to_bytes(), oid::P384, &self.point()),
            ),
            Self::Ed25519(seed) => {
                let algorithm = der::sequence(&[der::object_identifier(oid::ED25519)]);
                let key = der::octet_string(&der::octet_string(seed));
                (
                    "PRIVATE KEY",
                    der::sequence(&[der::integer(&[0]), algorithm, key]),
                )
            }
            // No certificate is made for it, so nobody writes it.
            Self::X25519 => ("PRIVATE KEY", Vec::new()),
        };
        pem::encode(label, &bytes)
    }

    /// Reads what [`Self::to_pem`] writes, and PKCS #8 of all kinds.
    pub(super) fn of_pem(text: &[u8]) -> Result<Self, String> {
        let Some(block) = pem::decode(text) else {
            return Err("no PEM data in input".to_owned());
        };
        let label = String::from_utf8_lossy(&block.label);
        if label == "PRIVATE KEY" {
            return of_pkcs8(&block.bytes)
                .map_err(|error| format!("decoding PEM as PKCS#8: {error}"));
        }
        let Some(algorithm) = label.strip_suffix(" PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {label}"));
        };
        match algorithm {
            "RSA" => of_pkcs1(&block.bytes)
                .map_err(|error| format!("parsing RSA private key from PEM: {error}")),
            "EC" => of_sec1(&block.bytes, None)
                .map_err(|error| format!("parsing EC private key from PEM: {error}")),
            "DSA" => DsaKey::parse(&block.bytes)
                .map(Self::Dsa)
                .map_err(|error| format!("parsing DSA private key from PEM: {error}")),
            _ => Err(format!("invalid private key type {label}")),
        }
    }

    /// The public key as certificates hold it (RFC 5280, section 4.1): the algorithm, and the
    /// bits.
    pub(super) fn public_key(&self) -> Result<(Vec<u8>, Vec<u8>), String> {
        let curve = |curve: &[u8]| {
            der::sequence(&[
                der::object_identifier(oid::EC_PUBLIC_KEY),
                der::object_identifier(curve),
            ])
        };
        Ok(match self {
            Self::Rsa(key) => (
                der::sequence(&[der::object_identifier(oid::RSA_ENCRYPTION), der::null()]),
                key.public_key(),
            ),
            Self::P256(_) => (curve(oid::P256), self.point()),
            Self::P384(_) => (curve(oid::P384), self.point()),
            Self::Ed25519(seed) => (
                der::sequence(&[der::object_identifier(oid::ED25519)]),
                ed25519(seed).verifying_key().to_bytes().to_vec(),
            ),
            Self::Dsa(_) => return Err(unsupported("*dsa.PublicKey")),
            Self::X25519 => return Err(unsupported("*ecdh.PublicKey")),
        })
    }

    /// The identifier of the algorithm it signs with.
    pub(super) fn signature_algorithm(&self) -> Result<Vec<u8>, String> {
        let algorithm = match self {
            Self::Rsa(_) => {
                let parts = [der::object_identifier(oid::SHA256_WITH_RSA), der::null()];
                return Ok(der::sequence(&parts));
            }
            Self::P256(_) => oid::ECDSA_WITH_SHA256,
            Self::P384(_) => oid::ECDSA_WITH_SHA384,
            Self::Ed25519(_) => oid::ED25519,
            Self::Dsa(_) | Self::X25519 => {
                let error = "x509: certificate private key does not implement crypto.Signer";
                return Err(error.to_owned());
            }
        };
        Ok(der::sequence(&[der::object_identifier(algorithm)]))
    }

    /// The signature of a message; the same each time.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        Ok(match self {
            Self::Rsa(key) => return key.sign(message),
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature =
                    p256::ecdsa::SigningKey::from(key).sign(message);
                let (r, s) = signature.split_bytes();
                der::sequence(&[der::integer(&r), der::integer(&s)])
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature =
                    p384::ecdsa::SigningKey::from(key).sign(message);
                let (r, s) = signature.split_bytes();
                der::sequence(&[der::integer(&r), der::integer(&s)])
            }
            Self::Ed25519(seed) => ed25519(seed).sign(message).to_bytes().to_vec(),
            Self::Dsa(_) | Self::X25519 => return self.signature_algorithm(),
        })
    }

    /// The uncompressed point of a key on an elliptic curve.
    fn point(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.public_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::P384(key) => key.public_key().to_sec1_point(false).as_bytes().to_vec(),
            _ => Vec::new(),
        }
    }
}

fn ed25519(seed: &[u8; 32]) -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(seed)
}

fn unsupported(type_name: &str) -> String {
    format!("x509: unsupported public key type: {type_name}")
}

/// RFC 5915.
fn sec1(key: &[u8], curve: &[u8], point: &[u8]) -> Vec<u8> {
    der::sequence(&[
        der::integer(&[1]),
        der::octet_string(key),
        der::explicit(0, &der::object_identifier(curve)),
        der::explicit(1, &der::bit_string(point, 0)),
    ])
}

fn of_pkcs1(der: &[u8]) -> Result<PrivateKey, String> {
    let error = match RsaKey::parse(der) {
        Ok(key) => return Ok(PrivateKey::Rsa(key)),
        Err(error) => error,
    };
    let is_syntax = error.starts_with("asn1: ") && !error.ends_with("trailing data");
    Err(match container(der) {
        Some(Container::Sec1) if is_syntax => use_instead("ParseECPrivateKey"),
        Some(Container::Pkcs8) if is_syntax => use_instead("ParsePKCS8PrivateKey"),
        _ => error,
    })
}

/// The forms in which keys are mistaken for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Pkcs1,
    Sec1,
    Pkcs8,
}

/// In which of the forms the fields can be read, tried in Go's order.
fn container(der: &[u8]) -> Option<Container> {
    if sec1_fields(der).is_ok() {
        return Some(Container::Sec1);
    }
    if pkcs8_fields(der).is_ok() {
        return Some(Container::Pkcs8);
    }
    pkcs1_fields(der).ok().map(|()| Container::Pkcs1)
}

fn use_instead(function: &str) -> String {
    format!("x509: failed to parse private key (use {function} instead for this key format)")
}

fn pkcs1_fields(der: &[u8]) -> Result<(), String> {
    let mut fields = Elements::new(der).structure("pkcs1PrivateKey")?;
    fields.small_integer()?;
    fields.big_integer()?;
    fields.small_integer()?;
    for _ in 0..3 {
        fields.big_integer()?;
    }
    Ok(())
}

struct Sec1<'d> {
    version: i64,
    key: &'d [u8],
    curve: Option<&'d [u8]>,
}

fn sec1_fields(der: &[u8]) -> Result<Sec1<'_>, String> {
    let mut fields = Elements::new(der).structure("ecPrivateKey")?;
    let version = fields.small_integer()?;
    let key = fields.octet_string()?;
    let curve = fields.tagged_object_identifier(0)?;
    fields.tagged_bit_string(1)?;
    Ok(Sec1 {
        version,
        key,
        curve,
    })
}

struct Pkcs8<'d> {
    algorithm: &'d [u8],
    parameters: &'d [u8],
    key: &'d [u8],
}

fn pkcs8_fields(der: &[u8]) -> Result<Pkcs8<'_>, String> {
    let mut fields = Elements::new(der).structure("pkcs8")?;
    fields.small_integer()?;
    let mut identifier = fields.structure("AlgorithmIdentifier")?;
    let algorithm = identifier.object_identifier()?;
    let parameters = if identifier.is_empty() {
        &[][..]
    } else {
        identifier.any()?
    };
    Ok(Pkcs8 {
        algorithm,
        parameters,
        key: fields.octet_string()?,
    })
}

fn of_sec1(der: &[u8], curve: Option<&[u8]>) -> Result<PrivateKey, String> {
    let fields = match sec1_fields(der) {
        Ok(fields) => fields,
        Err(error) => {
            return Err(match container(der) {
                Some(Container::Pkcs8) => use_instead("ParsePKCS8PrivateKey"),
                Some(Container::Pkcs1) => use_instead("ParsePKCS1PrivateKey"),
                _ => format!("x509: failed to parse EC private key: {error}"),
            });
        }
    };
    if fields.version != 1 {
        let version = fields.version;
        return Err(format!("x509: unknown EC private key version {version}"));
    }
    match curve.or(fields.curve) {
        Some(oid::P256) => {
            let key = padded::<32>(fields.key)?;
            let key = SecretKey::from_slice(&key).map_err(|_| invalid_scalar(&key))?;
            Ok(PrivateKey::P256(key))
        }
        Some(oid::P384) => {
            let key = padded::<48>(fields.key)?;
            let key = SecretKey::from_slice(&key).map_err(|_| invalid_scalar(&key))?;
            Ok(PrivateKey::P384(key))
        }
        Some(oid::P224 | oid::P521) => {
            Err("keys on the curves P-224 and P-521 are not supported".to_owned())
        }
        _ => Err("x509: unknown elliptic curve".to_owned()),
    }
}

/// A private key on a curve is neither zero nor as large as its order.
fn invalid_scalar(key: &[u8]) -> String {
    let is_zero = key.iter().all(|&byte| byte == 0);
    let problem = if is_zero {
        "ecdsa: invalid public key encoding"
    } else {
        "input overflows the modulus"
    };
    problem.to_owned()
}

/// The number with as many bytes as the curve has: some writers pad it, some leave zeros out.
fn padded<const SIZE: usize>(key: &[u8]) -> Result<[u8; SIZE], String> {
    let excess = key.len().saturating_sub(SIZE);
    let (zeros, digits) = key.split_at(excess);
    if zeros.iter().any(|&byte| byte != 0) {
        return Err("x509: invalid private key length".to_owned());
    }
    let mut padded = [0; SIZE];
    padded[SIZE - digits.len()..].copy_from_slice(digits);
    Ok(padded)
}

fn of_pkcs8(der: &[u8]) -> Result<PrivateKey, String> {
    let fields = match pkcs8_fields(der) {
        Ok(fields) => fields,
        Err(error) => {
            return Err(match container(der) {
                Some(Container::Sec1) => use_instead("ParseECPrivateKey"),
                Some(Container::Pkcs1) => use_instead("ParsePKCS1PrivateKey"),
                _ => error,
            });
        }
    };
    match fields.algorithm {
        oid::RSA_ENCRYPTION => of_pkcs1(fields.key).map_err(|error| {
            format!("x509: failed to parse RSA private key embedded in PKCS#8: {error}")
        }),
        oid::EC_PUBLIC_KEY => {
            let curve = Elements::new(fields.parameters).object_identifier().ok();
            of_sec1(fields.key, curve).map_err(|error| {
                format!("x509: failed to parse EC private key embedded in PKCS#8: {error}")
            })
        }
        oid::ED25519 => {
            if !fields.parameters.is_empty() {
                return Err("x509: invalid Ed25519 private key parameters".to_owned());
            }
            let key = Elements::new(fields.key)
                .octet_string()
                .map_err(|error| format!("x509: invalid Ed25519 private key: {error}"))?;
            let length = key.len();
            <[u8; 32]>::try_from(key)
                .map(PrivateKey::Ed25519)
                .map_err(|_| format!("x509: invalid Ed25519 private key length: {length}"))
        }
        oid::X25519 => {
            if !fields.parameters.is_empty() {
                return Err("x509: invalid X25519 private key parameters".to_owned());
            }
            match Elements::new(fields.key).octet_string() {
                Ok(key) if key.len() == 32 => Ok(PrivateKey::X25519),
                Ok(_) => Err("crypto/ecdh: invalid private key size".to_owned()),
                Err(error) => Err(format!("x509: invalid X25519 private key: {error}")),
            }
        }
        other => Err(format!(
            "x509: PKCS#8 wrapping contained private key with unknown algorithm: {}",
            dotted(other)
        )),
    }
}

/// An object identifier as people write it.
pub(super) fn dotted(content: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number = 0_u64;
    for &byte in content {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first);
                number -= first * 40;
            }
            numbers.push(number);
            number = 0;
        }
    }
    let texts: Vec<String> = numbers.iter().map(u64::to_string).collect();
    texts.join(".")
}
