//! X.509 certificates as Sprig makes them with Go's `crypto/x509`: the same fields, in the same
//! order, in the same forms.

use core::net::IpAddr;
use std::any::Any;

use sha2::{Digest as _, Sha256};

use super::{
    der::{self, oid},
    key::PrivateKey,
    pem,
    signer::Signer,
};
use crate::{
    go::format::quote,
    go_time::Civil,
    value::{Data, Encoded, Encoder, Object, Source, Value},
};

/// A certificate and its private key, both in PEM: what templates get.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    cert: Value,
    key: Value,
}

impl Certificate {
    pub(super) fn new(cert: impl Into<Value>, key: impl Into<Value>) -> Self {
        Self {
            cert: cert.into(),
            key: key.into(),
        }
    }

    /// What a map of `Cert` and `Key` says, and nothing else.
    pub(crate) fn of_map(value: &Value) -> Option<Self> {
        let Data::Map(map) = &value.data else {
            return None;
        };
        let text = |key| map.get(key).filter(|value| value.as_bytes().is_some());
        let certificate = Self::new(text("Cert")?, text("Key")?);
        (map.len() == 2).then_some(certificate)
    }

    /// The same as a value, each part of which came from `source`.
    pub(crate) fn with_source(&self, source: Source) -> Value {
        let part = |value: &Value| Value::scalar(value.clone(), source);
        Value::object(Self::new(part(&self.cert), part(&self.key)))
    }

    pub(super) fn cert(&self) -> &[u8] {
        self.cert.as_bytes().unwrap_or_default()
    }

    pub(super) fn key(&self) -> &[u8] {
        self.key.as_bytes().unwrap_or_default()
    }
}

impl Object for Certificate {
    fn type_name(&self) -> &'static str {
        "sprig.certificate"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(self.cert.clone()),
            "Key" => Some(self.key.clone()),
            _ => None,
        }
    }

    fn print(&self) -> String {
        let text = |bytes| String::from_utf8_lossy(bytes);
        format!("{{{} {}}}", text(self.cert()), text(self.key()))
    }

    fn to_value(&self) -> Value {
        Value::map([("Cert", self.cert.clone()), ("Key", self.key.clone())])
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(vec![("Cert", self.cert.clone()), ("Key", self.key.clone())])
    }

    fn encoded(&self, encoder: Encoder) -> Option<Encoded> {
        Some(Encoded::Fields(vec![
            (encoder.name_of("Cert"), self.cert.clone()),
            (encoder.name_of("Key"), self.key.clone()),
        ]))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What a certificate says.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) common_name: Vec<u8>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) dns_names: Vec<Vec<u8>>,
    pub(super) days_valid: i64,
    /// Seconds since 1970.
    pub(super) now: i64,
    pub(super) serial: [u8; 16],
    pub(super) is_authority: bool,
}

/// Who signs a certificate.
#[derive(Debug)]
pub(super) enum Issuer<'s> {
    Itself,
    Authority(&'s Signer),
}

impl Contents {
    /// Signs the certificate of a key.
    pub(super) fn issue(
        &self,
        key: &PrivateKey,
        issuer: &Issuer<'_>,
    ) -> Result<Certificate, String> {
        let der = self
            .sign(key, issuer)
            .map_err(|error| format!("error creating certificate: {error}"))?;
        Ok(Certificate::new(
            pem::encode("CERTIFICATE", &der),
            key.to_pem(),
        ))
    }

    fn sign(&self, key: &PrivateKey, issuer: &Issuer<'_>) -> Result<Vec<u8>, String> {
        let signing_key = match issuer {
            Issuer::Itself => key,
            Issuer::Authority(signer) => &signer.key,
        };
        let algorithm = signing_key.signature_algorithm()?;
        let (key_algorithm, key_bits) = key.public_key()?;
        let subject = name(&self.common_name)?;
        let issuer_name = match issuer {
            Issuer::Itself => &subject,
            Issuer::Authority(signer) => {
                signer.check_key()?;
                &signer.subject
            }
        };
        let authority_key_id = match issuer {
            Issuer::Authority(signer) if signer.subject != subject => {
                signer.subject_key_id.as_deref()
            }
            _ => None,
        };
        let extensions = self.extensions(&subject, &key_bits, authority_key_id)?;
        let to_be_signed = der::sequence(&[
            der::explicit(0, &der::integer(&[2])),
            der::integer(&self.serial),
            algorithm.clone(),
            issuer_name.clone(),
            der::sequence(&self.validity()?),
            subject,
            der::sequence(&[key_algorithm, der::bit_string(&key_bits, 0)]),
            der::explicit(3, &der::sequence(&extensions)),
        ]);
        let signature = signing_key.sign(&to_be_signed)?;
        Ok(der::sequence(&[
            to_be_signed,
            algorithm,
            der::bit_string(&signature, 0),
        ]))
    }

    /// From now on, for so many days; as many as Go's durations hold, beyond which they wrap.
    fn validity(&self) -> Result<[Vec<u8>; 2], String> {
        const NANOSECONDS: i64 = 1_000_000_000;
        let valid_ns = (86_400 * NANOSECONDS).wrapping_mul(self.days_valid);
        let end = self.now.saturating_add(valid_ns.div_euclid(NANOSECONDS));
        Ok([time(self.now)?, time(end)?])
    }

    fn extensions(
        &self,
        subject: &[u8],
        key_bits: &[u8],
        authority_key_id: Option<&[u8]>,
    ) -> Result<Vec<Vec<u8>>, String> {
        // Digital signature and key encipherment; certificate signing as well.
        let (usage, authority) = if self.is_authority {
            let is_authority = der::element(der::BOOLEAN, &[0xff]);
            (der::bit_string(&[0b1010_0100], 2), vec![is_authority])
        } else {
            (der::bit_string(&[0b1010_0000], 5), Vec::new())
        };
        let purposes = [
            der::object_identifier(oid::SERVER_AUTH),
            der::object_identifier(oid::CLIENT_AUTH),
        ];
        let mut extensions = vec![
            extension(oid::KEY_USAGE, true, &usage),
            extension(oid::EXTENDED_KEY_USAGE, false, &der::sequence(&purposes)),
            extension(oid::BASIC_CONSTRAINTS, true, &der::sequence(&authority)),
        ];
        if self.is_authority {
            // RFC 7093, section 2, method 1.
            let digest = Sha256::digest(key_bits);
            let key_id = der::octet_string(&digest[..20]);
            extensions.push(extension(oid::SUBJECT_KEY_ID, false, &key_id));
        }
        if let Some(key_id) = authority_key_id {
            let key_id = der::sequence(&[der::implicit(0, key_id)]);
            extensions.push(extension(oid::AUTHORITY_KEY_ID, false, &key_id));
        }
        if !self.dns_names.is_empty() || !self.addresses.is_empty() {
            let is_critical = subject == der::sequence(&[]);
            let names = self.alternative_names()?;
            extensions.push(extension(oid::SUBJECT_ALT_NAME, is_critical, &names));
        }
        Ok(extensions)
    }

    fn alternative_names(&self) -> Result<Vec<u8>, String> {
        const DNS_NAME: u8 = 2;
        const IP_ADDRESS: u8 = 7;
        let mut names = Vec::new();
        for name in &self.dns_names {
            if !name.is_ascii() {
                let shown = quote(name);
                return Err(format!("x509: {shown} cannot be encoded as an IA5String"));
            }
            names.push(der::implicit(DNS_NAME, name));
        }
        for address in &self.addresses {
            names.push(match address.to_canonical() {
                IpAddr::V4(address) => der::implicit(IP_ADDRESS, &address.octets()),
                IpAddr::V6(address) => der::implicit(IP_ADDRESS, &address.octets()),
            });
        }
        Ok(der::sequence(&names))
    }
}

fn extension(identifier: &[u8], is_critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::object_identifier(identifier)];
    if is_critical {
        parts.push(der::element(der::BOOLEAN, &[0xff]));
    }
    parts.push(der::octet_string(value));
    der::sequence(&parts)
}

/// A distinguished name of a common name alone.
fn name(common_name: &[u8]) -> Result<Vec<u8>, String> {
    if common_name.is_empty() {
        return Ok(der::sequence(&[]));
    }
    if std::str::from_utf8(common_name).is_err() {
        return Err("asn1: string not valid UTF-8".to_owned());
    }
    let is_printable = common_name
        .iter()
        .all(|&byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte));
    let tag = if is_printable {
        der::PRINTABLE_STRING
    } else {
        der::UTF8_STRING
    };
    let attribute = der::sequence(&[
        der::object_identifier(oid::COMMON_NAME),
        der::element(tag, common_name),
    ]);
    Ok(der::sequence(&[der::element(der::SET, &attribute)]))
}

/// A time, in the form that its year asks for (RFC 5280, section 4.1.2.5).
fn time(unix_s: i64) -> Result<Vec<u8>, String> {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = Civil::of_seconds(unix_s);
    let rest = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}");
    match year {
        1950..2050 => {
            let text = format!("{:02}{rest}Z", year % 100);
            Ok(der::element(der::UTC_TIME, text.as_bytes()))
        }
        0..=9999 => {
            let text = format!("{year:04}{rest}Z");
            Ok(der::element(der::GENERALIZED_TIME, text.as_bytes()))
        }
        _ => Err("asn1: structure error: cannot represent time as GeneralizedTime".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_the_form_of_their_year() {
        let text = |unix_s| {
            let der = time(unix_s).unwrap();
            (der[0], String::from_utf8(der[2..].to_vec()).unwrap())
        };
        assert_eq!(text(0), (der::UTC_TIME, "700101000000Z".to_owned()));
        assert_eq!(
            text(951_782_399),
            (der::UTC_TIME, "000228235959Z".to_owned())
        );
        assert_eq!(
            text(2_524_607_999),
            (der::UTC_TIME, "491231235959Z".to_owned())
        );
        assert_eq!(
            text(2_524_608_000),
            (der::GENERALIZED_TIME, "20500101000000Z".to_owned())
        );
        assert_eq!(
            text(-631_152_000),
            (der::UTC_TIME, "500101000000Z".to_owned())
        );
        assert_eq!(
            text(-631_152_001),
            (der::GENERALIZED_TIME, "19491231235959Z".to_owned())
        );
        assert!(time(i64::MAX / 2).is_err());
    }
}
