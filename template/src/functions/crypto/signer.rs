//! Who signs certificates: a certificate and its key, read as Go's `crypto/x509` reads them, with
//! its errors.

use super::{
    certificate::Certificate,
    der::{self, oid},
    key::PrivateKey,
    pem,
};

/// An authority.
#[derive(Debug)]
pub(super) struct Signer {
    /// Its name, as its certificate has it.
    pub(super) subject: Vec<u8>,
    pub(super) subject_key_id: Option<Vec<u8>>,
    pub(super) key: PrivateKey,
    /// Algorithm and bits of the public key, if Go knows the algorithm.
    public_key: Option<Vec<u8>>,
}

impl Signer {
    pub(super) fn of(authority: &Certificate) -> Result<Self, String> {
        let Some(block) = pem::decode(authority.cert()) else {
            return Err("unable to decode certificate".to_owned());
        };
        let certificate = parse(&block.bytes).map_err(|error| {
            format!("error parsing certificate: decodedSignerCert.Bytes: {error}")
        })?;
        let key = PrivateKey::of_pem(authority.key())
            .map_err(|error| format!("error parsing private key: {error}"))?;
        Ok(Self {
            subject: certificate.subject.to_vec(),
            subject_key_id: certificate.subject_key_id.map(<[u8]>::to_vec),
            key,
            public_key: certificate.public_key.map(<[u8]>::to_vec),
        })
    }

    /// The key is that of the certificate.
    pub(super) fn check_key(&self) -> Result<(), String> {
        let (algorithm, bits) = self.key.public_key()?;
        let own = [algorithm, der::bit_string(&bits, 0)].concat();
        match &self.public_key {
            Some(certified) if *certified != own => {
                Err("x509: provided PrivateKey doesn't match parent's PublicKey".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// What is read of a certificate.
#[derive(Debug)]
pub(super) struct Parsed<'d> {
    subject: &'d [u8],
    public_key: Option<&'d [u8]>,
    subject_key_id: Option<&'d [u8]>,
}

/// The parts of an element one by one; whatever is not as it must be is `malformed`.
struct Reader<'d> {
    rest: &'d [u8],
}

impl<'d> Reader<'d> {
    /// The next element if it has this tag: with its tag, and its content.
    fn element(&mut self, tag: u8) -> Option<(&'d [u8], &'d [u8])> {
        let [first, second, after @ ..] = self.rest else {
            return None;
        };
        if *first != tag {
            return None;
        }
        let (length, header) = if *second < 0x80 {
            (usize::from(*second), 2)
        } else {
            let count = usize::from(*second & 0x7f);
            let bytes = after.get(..count).filter(|_| (1..=4).contains(&count))?;
            let length = bytes
                .iter()
                .fold(0, |length, &byte| length << 8 | usize::from(byte));
            // As short as it can be.
            if length < 0x80 || bytes[0] == 0 {
                return None;
            }
            (length, 2 + count)
        };
        let element = self.rest.get(..header.checked_add(length)?)?;
        self.rest = &self.rest[element.len()..];
        Some((element, &element[header..]))
    }

    fn content(&mut self, tag: u8, malformed: &str) -> Result<&'d [u8], String> {
        match self.element(tag) {
            Some((_, content)) => Ok(content),
            None => Err(format!("x509: {malformed}")),
        }
    }

    fn whole(&mut self, tag: u8, malformed: &str) -> Result<(&'d [u8], Reader<'d>), String> {
        match self.element(tag) {
            Some((element, content)) => Ok((element, Reader { rest: content })),
            None => Err(format!("x509: {malformed}")),
        }
    }

    fn optional(&mut self, tag: u8, malformed: &str) -> Result<Option<&'d [u8]>, String> {
        if self.rest.first() == Some(&tag) {
            return self.content(tag, malformed).map(Some);
        }
        Ok(None)
    }
}

/// Reads a certificate as far as others depend on it.
pub(super) fn parse(der: &[u8]) -> Result<Parsed<'_>, String> {
    let mut outer = Reader { rest: der };
    let (_, mut certificate) = outer.whole(der::SEQUENCE, "malformed certificate")?;
    let (_, mut signed) = certificate.whole(der::SEQUENCE, "malformed tbs certificate")?;
    let version = version(&mut signed)?;
    let serial = signed.content(der::INTEGER, "malformed serial number")?;
    match serial {
        [] => return Err("x509: malformed serial number".to_owned()),
        [first, ..] if *first >= 0x80 => return Err("x509: negative serial number".to_owned()),
        _ => {}
    }
    let inner = signed.content(der::SEQUENCE, "malformed signature algorithm identifier")?;
    let outer_algorithm = certificate.content(der::SEQUENCE, "malformed algorithm identifier")?;
    if inner != outer_algorithm {
        let error = "x509: inner and outer signature algorithm identifiers don't match";
        return Err(error.to_owned());
    }
    let (_, issuer) = signed.whole(der::SEQUENCE, "malformed issuer")?;
    check_name(issuer)?;
    let (_, mut validity) = signed.whole(der::SEQUENCE, "malformed validity")?;
    for _ in 0..2 {
        check_time(&mut validity)?;
    }
    let (subject, names) = signed.whole(der::SEQUENCE, "malformed issuer")?;
    check_name(names)?;
    let (_, key) = signed.whole(der::SEQUENCE, "malformed spki")?;
    let public_key = public_key(key)?;
    let mut subject_key_id = None;
    if version >= 1 {
        signed.optional(0x81, "malformed issuerUniqueID")?;
        signed.optional(0x82, "malformed subjectUniqueID")?;
    }
    if version == 2
        && let Some(extensions) = signed.optional(0xa3, "malformed extensions")?
    {
        subject_key_id = extensions_of(extensions)?;
    }
    certificate.content(der::BIT_STRING, "malformed signature")?;
    if !outer.rest.is_empty() {
        return Err("x509: trailing data".to_owned());
    }
    Ok(Parsed {
        subject,
        public_key,
        subject_key_id,
    })
}

/// 0 for a certificate of version 1.
fn version(signed: &mut Reader<'_>) -> Result<u8, String> {
    let Some(version) = signed.optional(0xa0, "malformed version")? else {
        return Ok(0);
    };
    let version = Reader { rest: version }.content(der::INTEGER, "malformed version")?;
    match version {
        [version @ 0..=2] => Ok(*version),
        [0..=0x7f, ..] => Err("x509: invalid version".to_owned()),
        _ => Err("x509: malformed version".to_owned()),
    }
}

fn check_name(mut name: Reader<'_>) -> Result<(), String> {
    while !name.rest.is_empty() {
        let (_, mut set) = name.whole(der::SET, "invalid RDNSequence")?;
        while !set.rest.is_empty() {
            let (_, mut attribute) =
                set.whole(der::SEQUENCE, "invalid RDNSequence: invalid attribute")?;
            attribute.content(
                der::OBJECT_IDENTIFIER,
                "invalid RDNSequence: invalid attribute type",
            )?;
            let problem = "invalid RDNSequence: invalid attribute value";
            let tag = attribute.rest.first().copied().unwrap_or_default();
            let value = attribute.content(tag, problem)?;
            if tag == der::UTF8_STRING && std::str::from_utf8(value).is_err() {
                return Err(format!("x509: {problem}: invalid UTF-8 string"));
            }
        }
    }
    Ok(())
}

fn check_time(validity: &mut Reader<'_>) -> Result<(), String> {
    let (problem, length) = match validity.rest.first() {
        Some(&der::UTC_TIME) => ("malformed UTCTime", 13),
        Some(&der::GENERALIZED_TIME) => ("malformed GeneralizedTime", 15),
        _ => return Err("x509: unsupported time format".to_owned()),
    };
    let tag = validity.rest.first().copied().unwrap_or_default();
    let text = validity.content(tag, problem)?;
    let is_time = text.len() == length
        && text.last() == Some(&b'Z')
        && text[..length - 1].iter().all(u8::is_ascii_digit);
    if is_time {
        return Ok(());
    }
    Err(format!("x509: {problem}"))
}

/// Algorithm and bits of a public key; none of an algorithm that Go does not know.
fn public_key(mut key: Reader<'_>) -> Result<Option<&[u8]>, String> {
    let whole = key.rest;
    let (_, mut algorithm) =
        key.whole(der::SEQUENCE, "malformed public key algorithm identifier")?;
    let identifier = algorithm.content(der::OBJECT_IDENTIFIER, "malformed OID")?;
    let bits = key.content(der::BIT_STRING, "malformed subjectPublicKey")?;
    let parameters = algorithm.rest;
    let error = |reason: &str| Err(format!("x509: {reason}"));
    match identifier {
        oid::RSA_ENCRYPTION if parameters != der::null() => {
            return error("RSA key missing NULL parameters");
        }
        oid::ED25519 if !parameters.is_empty() => {
            return error("Ed25519 key encoded with illegal parameters");
        }
        oid::ED25519 if bits.len() != 33 => return error("wrong Ed25519 public key size"),
        oid::RSA_ENCRYPTION | oid::ED25519 | oid::EC_PUBLIC_KEY | oid::DSA => {}
        _ => return Ok(None),
    }
    Ok(Some(whole))
}

/// The identifier of the key, if the extensions give one.
fn extensions_of(extensions: &[u8]) -> Result<Option<&[u8]>, String> {
    let (_, mut list) = Reader { rest: extensions }.whole(der::SEQUENCE, "malformed extensions")?;
    let mut seen = Vec::new();
    let mut subject_key_id = None;
    while !list.rest.is_empty() {
        let (_, mut extension) = list.whole(der::SEQUENCE, "malformed extension")?;
        let identifier =
            extension.content(der::OBJECT_IDENTIFIER, "malformed extension OID field")?;
        let critical = extension.optional(der::BOOLEAN, "malformed extension critical field")?;
        let value = extension.content(der::OCTET_STRING, "malformed extension value field")?;
        if seen.contains(&identifier) {
            let shown = super::key::dotted(identifier);
            return Err(format!(
                "x509: certificate contains duplicate extension with OID \"{shown}\""
            ));
        }
        seen.push(identifier);
        if identifier == oid::SUBJECT_KEY_ID {
            if critical == Some(&[0xff]) {
                let error = "x509: subject key identifier incorrectly marked critical";
                return Err(error.to_owned());
            }
            let id = Reader { rest: value }
                .content(der::OCTET_STRING, "invalid subject key identifier")?;
            subject_key_id = Some(id).filter(|id| !id.is_empty());
        }
    }
    Ok(subject_key_id)
}
