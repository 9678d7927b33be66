//! Sprig's cryptographic functions. What Go takes from its source of chance and its clock comes
//! from the seed of the call, so that equal seeds give equal bytes, keys of RSA included.

mod certificate;
mod cipher;
mod der;
mod dsa;
mod go_asn1;
mod key;
mod key_cache;
mod password;
mod pem;
mod prime;
mod rsa;
mod signer;

use core::net::IpAddr;
use std::sync::Arc;

pub(crate) use certificate::Certificate;
use certificate::{Contents, Issuer};
use key::{NewKey, PrivateKey};
use rsa::KeySize;
use signer::Signer;

use super::{
    Function, functions,
    seed::{Kind, Seed, generated},
};
use crate::{
    call::Call,
    go::{base64, format::print},
    state::Outcome,
    value::{Data, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "bcrypt" (String) => password::bcrypt;
    "buildCustomCert" (String, String) => build_custom_cert;
    "decryptAES" (String, String) => cipher::decrypt;
    "derivePassword" (Uint32, String, String, String, String) => password::derive_password;
    "encryptAES" (String, String) => cipher::encrypt;
    "genCA" (String, Int) => gen_ca;
    "genCAWithKey" (String, Int, String) => gen_ca_with_key;
    "genPrivateKey" (String) => gen_private_key;
    "genSelfSignedCert" (String, List, List, Int) => gen_self_signed_cert;
    "genSelfSignedCertWithKey" (String, List, List, Int, String) => gen_self_signed_cert_with_key;
    "genSignedCert" (String, List, List, Int, Certificate) => gen_signed_cert;
    "genSignedCertWithKey" (String, List, List, Int, Certificate, String) => gen_signed_cert_with_key;
    "htpasswd" (String, String) => password::htpasswd;
];

/// What a key of 2048 bits takes on average: 100 ms.
const RSA_2048_STEPS: usize = 500_000;
/// What a key of 4096 bits, and one of DSA, takes on average: a second.
const LARGE_KEY_STEPS: usize = 5_000_000;
/// What a signature takes: some milliseconds.
const SIGNATURE_STEPS: usize = 25_000;
/// How many names a certificate may hold.
const MAX_NAMES: usize = 10_000;

fn gen_private_key(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let kind = call.read_text(0)?;
    let (kind, steps) = match kind.as_bytes() {
        b"" | b"rsa" => (NewKey::Rsa(KeySize::Bits4096), LARGE_KEY_STEPS),
        b"dsa" => (NewKey::Dsa, LARGE_KEY_STEPS),
        b"ecdsa" => (NewKey::P256, SIGNATURE_STEPS),
        b"ed25519" => (NewKey::Ed25519, SIGNATURE_STEPS),
        other => {
            let problem = [b"Unknown type ", other].concat();
            return call.computed_bytes(problem);
        }
    };
    call.state().step(steps)?;
    generated(call, Kind::Text, |seed| {
        Ok(key_cache::key(kind, seed.part("key")).to_pem().into())
    })
}

fn gen_ca(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let request = Request {
        days: 1,
        is_authority: true,
        ..Request::default()
    };
    request.certificate(call)
}

fn gen_ca_with_key(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let request = Request {
        days: 1,
        key: Some(2),
        is_authority: true,
        ..Request::default()
    };
    request.certificate(call)
}

fn gen_self_signed_cert(call: &mut Call<'_, '_>) -> Outcome<Value> {
    Request::with_names().certificate(call)
}

fn gen_self_signed_cert_with_key(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let request = Request {
        key: Some(4),
        ..Request::with_names()
    };
    request.certificate(call)
}

fn gen_signed_cert(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let request = Request {
        authority: Some(4),
        ..Request::with_names()
    };
    request.certificate(call)
}

fn gen_signed_cert_with_key(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let request = Request {
        authority: Some(4),
        key: Some(5),
        ..Request::with_names()
    };
    request.certificate(call)
}

/// Which arguments a function has that makes certificates. The first is the common name.
#[derive(Debug, Clone, Copy, Default)]
struct Request {
    addresses: Option<usize>,
    dns_names: Option<usize>,
    days: usize,
    authority: Option<usize>,
    key: Option<usize>,
    is_authority: bool,
}

impl Request {
    fn with_names() -> Self {
        Self {
            addresses: Some(1),
            dns_names: Some(2),
            days: 3,
            ..Self::default()
        }
    }

    /// Errors come in Sprig's order: the key's, the authority's, those of names.
    fn certificate(self, call: &mut Call<'_, '_>) -> Outcome<Value> {
        let common_name = call.read_text(0)?.as_bytes().to_vec();
        let days_valid = call.integer(self.days)?;
        let key = match self.key {
            Some(index) => Some(given_key(call, index)?),
            None => None,
        };
        let authority = match self.authority {
            Some(index) => Some(authority(call, index)?),
            None => None,
        };
        let addresses = match self.addresses {
            Some(index) => addresses(call, index)?,
            None => Vec::new(),
        };
        let dns_names = match self.dns_names {
            Some(index) => dns_names(call, index)?,
            None => Vec::new(),
        };
        let key_steps = if key.is_some() { 0 } else { RSA_2048_STEPS };
        call.state().step(SIGNATURE_STEPS + key_steps)?;
        generated(call, Kind::Certificate, |seed| {
            let contents = Contents {
                common_name,
                addresses,
                dns_names,
                days_valid,
                now: seed.now,
                serial: serial(seed),
                is_authority: self.is_authority,
            };
            let new = NewKey::Rsa(KeySize::Bits2048);
            let key = key.unwrap_or_else(|| key_cache::key(new, seed.part("key")));
            let issuer = authority.as_ref().map_or(Issuer::Itself, Issuer::Authority);
            contents.issue(&key, &issuer).map(Value::object)
        })
    }
}

fn serial(seed: &Seed) -> [u8; 16] {
    let [serial @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = seed.part("serial");
    serial
}

fn given_key(call: &mut Call<'_, '_>, index: usize) -> Outcome<Arc<PrivateKey>> {
    let text = call.read_text(index)?;
    match PrivateKey::of_pem(text.as_bytes()) {
        Ok(key) => Ok(Arc::new(key)),
        Err(error) => Err(call.failure(format!("parsing private key: {error}"))),
    }
}

fn authority(call: &mut Call<'_, '_>, index: usize) -> Outcome<Signer> {
    let value = call.whole(index)?;
    let signer = match &value.data {
        Data::Object(object) => object.as_any().downcast_ref().map(Signer::of),
        _ => None,
    };
    match signer {
        Some(Ok(signer)) => Ok(signer),
        Some(Err(error)) => Err(call.failure(error)),
        None => Err(call.wrong_type(index, "a certificate", &value)),
    }
}

fn names(call: &mut Call<'_, '_>, index: usize) -> Outcome<Vec<Value>> {
    let list = call.whole(index)?;
    let names = list.items().unwrap_or_default().to_vec();
    if names.len() > MAX_NAMES {
        let problem = format!("a certificate holds at most {MAX_NAMES} names of a kind");
        return Err(call.failure(problem));
    }
    Ok(names)
}

fn addresses(call: &mut Call<'_, '_>, index: usize) -> Outcome<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for name in names(call, index)? {
        let shown = shown(&name);
        let problem = match name.as_bytes() {
            None => format!("error parsing ip: {shown} is not a string"),
            Some(_) => match shown.parse() {
                Ok(address) => {
                    addresses.push(address);
                    continue;
                }
                Err(_) => format!("error parsing ip: {shown}"),
            },
        };
        return Err(call.failure(problem));
    }
    Ok(addresses)
}

fn dns_names(call: &mut Call<'_, '_>, index: usize) -> Outcome<Vec<Vec<u8>>> {
    let mut dns_names = Vec::new();
    for name in names(call, index)? {
        let Some(text) = name.as_bytes() else {
            let shown = shown(&name);
            let problem = format!("error processing alternate dns name: {shown} is not a string");
            return Err(call.failure(problem));
        };
        dns_names.push(text.to_vec());
    }
    Ok(dns_names)
}

/// A value as `%v` shows it.
fn shown(value: &Value) -> String {
    String::from_utf8_lossy(&print(value)).into_owned()
}

/// A certificate and a key that are there already, in base64.
fn build_custom_cert(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (certificate, key) = (call.read_text(0)?, call.read_text(1)?);
    match custom_certificate(certificate.as_bytes(), key.as_bytes()) {
        Ok(certificate) => {
            let source = crate::value::Source::derived(call.used);
            Ok(certificate.with_source(source))
        }
        Err(error) => Err(call.failure(error)),
    }
}

fn custom_certificate(certificate: &[u8], key: &[u8]) -> Result<Certificate, String> {
    let Ok(certificate) = base64::decode(certificate) else {
        return Err("unable to decode base64 certificate".to_owned());
    };
    let Ok(key) = base64::decode(key) else {
        return Err("unable to decode base64 private key".to_owned());
    };
    let Some(block) = pem::decode(&certificate) else {
        return Err("unable to decode certificate".to_owned());
    };
    signer::parse(&block.bytes)
        .map_err(|error| format!("error parsing certificate: decodedCert.Bytes: {error}"))?;
    PrivateKey::of_pem(&key).map_err(|error| format!("error parsing private key: {error}"))?;
    Ok(Certificate::new(certificate, key))
}
