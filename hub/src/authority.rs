//! The authority that signs agents' certificates, and judges them.
//!
//! Its certificate is made anew from its key each time: only name and key matter to those who verify.

use cairn_oci::PublicKey;
use cairn_spec::agent::limits::{CERTIFICATE_LIFE_S, MAX_CLOCK_SKEW_S};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm,
};
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::{
    Certificate,
    der::{Decode as _, Encode as _},
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use crate::Error;

/// How the URI of a certificate begins that says which cluster it is for.
const CLUSTER_URI: &str = "cairn:cluster:";
/// A certificate is good a little before it was made, for clocks that are behind, in seconds.
const BACKDATED_S: u64 = MAX_CLOCK_SKEW_S;
/// The uncompressed point at the end of a P-256 key's SPKI DER, in bytes.
const POINT_BYTES: usize = 65;

/// Signs and judges certificates of agents.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    anchor: TrustAnchor<'static>,
}

/// What a certificate of ours says.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) agent_id: String,
    pub(crate) cluster_uid: String,
    pub(crate) key: PublicKey,
    /// The last second it is good, since 1970.
    pub(crate) not_after_s: u64,
}

/// A certificate that was made.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) pem: String,
    pub(crate) not_after_s: u64,
}

impl Authority {
    /// An authority by its key, PKCS#8 PEM. It must be the same after a restart.
    pub fn from_pem(key: &str) -> Result<Self, Error> {
        let key = KeyPair::from_pem(key).map_err(failed)?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Cairn hub");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).map_err(failed)?;
        let certificate = certificate.der().clone().into_owned();
        let anchor = anchor_from_trusted_cert(&certificate)
            .map_err(|error| Error::Authority(error.to_string()))?
            .to_owned();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
            anchor,
        })
    }

    /// A new authority, and its key as PKCS#8 PEM.
    pub fn generate() -> Result<(Self, String), Error> {
        let key = KeyPair::generate().map_err(failed)?.serialize_pem();
        Ok((Self::from_pem(&key)?, key))
    }

    /// Its certificate, DER, for proxies that ask agents for theirs.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// Makes a certificate for a key.
    pub(crate) fn issue(
        &self,
        agent_id: &str,
        cluster_uid: &str,
        key: &PublicKey,
        now_s: u64,
    ) -> Result<Issued, Error> {
        let not_after_s = now_s.saturating_add(CERTIFICATE_LIFE_S);
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, agent_id);
        let uri = format!("{CLUSTER_URI}{cluster_uid}");
        params.subject_alt_names = vec![SanType::URI(uri.try_into().map_err(failed)?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from_slice(&random::<16>()?));
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let at = |unix_s| epoch + Duration::from_secs(unix_s);
        params.not_before = at(now_s.saturating_sub(BACKDATED_S));
        params.not_after = at(not_after_s);
        let certificate = params
            .signed_by(&Point::of(key)?, &self.issuer)
            .map_err(failed)?;
        Ok(Issued {
            pem: certificate.pem(),
            not_after_s,
        })
    }

    /// What a certificate says, if it is one of ours; its end is for the caller to judge.
    pub(crate) fn judge(&self, der: &[u8], now_s: u64) -> Result<Identity, Error> {
        const NOT_OURS: Error = Error::Unauthenticated("the certificate is not one of this hub's");
        let parsed = Certificate::from_der(der).map_err(|_| NOT_OURS)?;
        let certificate = parsed.tbs_certificate();
        let not_after_s = certificate
            .validity()
            .not_after
            .to_unix_duration()
            .as_secs();
        let der = CertificateDer::from(der);
        let end_entity = EndEntityCert::try_from(&der).map_err(|_| NOT_OURS)?;
        // One that has expired was good at its end.
        let at = UnixTime::since_unix_epoch(Duration::from_secs(now_s.min(not_after_s)));
        end_entity
            .verify_for_usage(
                &[webpki::ring::ECDSA_P256_SHA256],
                std::slice::from_ref(&self.anchor),
                &[],
                at,
                KeyUsage::client_auth(),
                None,
                None,
            )
            .map_err(|_| NOT_OURS)?;
        let name = certificate.subject().common_name().ok().flatten();
        let spki = certificate.subject_public_key_info().to_der();
        let key = PublicKey::from_der(&spki.map_err(|_| NOT_OURS)?).map_err(|_| NOT_OURS)?;
        let names = certificate.get_extension::<SubjectAltName>().ok().flatten();
        let cluster_uid = names.and_then(|(_, names)| names.0.iter().find_map(cluster_uid));
        Ok(Identity {
            agent_id: name.ok_or(NOT_OURS)?.value().into_owned(),
            cluster_uid: cluster_uid.ok_or(NOT_OURS)?,
            key,
            not_after_s,
        })
    }
}

fn cluster_uid(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => {
            uri.as_str().strip_prefix(CLUSTER_URI).map(str::to_owned)
        }
        _ => None,
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// A P-256 key as `rcgen` wants it.
struct Point(Vec<u8>);

impl Point {
    fn of(key: &PublicKey) -> Result<Self, Error> {
        let der = key.to_der();
        let point = der
            .len()
            .checked_sub(POINT_BYTES)
            .and_then(|at| der.get(at..));
        match point {
            Some(point) if key.is_p256() && point.first() == Some(&4) => Ok(Self(point.to_vec())),
            _ => Err(Error::Malformed("the key is not a P-256 key".to_owned())),
        }
    }
}

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    use rand::TryRng as _;
    let mut bytes = [0; N];
    rand::rngs::SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| Error::Randomness)?;
    Ok(bytes)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Authority(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_oci::key;

    const NOW_S: u64 = 1_800_000_000;

    fn der_of(issued: &Issued) -> Vec<u8> {
        use rustls::pki_types::pem::PemObject as _;
        let der = CertificateDer::from_pem_slice(issued.pem.as_bytes()).unwrap();
        der.to_vec()
    }

    #[test]
    fn what_is_issued_is_ours_also_after_a_restart() {
        let (authority, key_pem) = Authority::generate().unwrap();
        let key = key::generate().unwrap().public_key().unwrap();
        let issued = authority.issue("a1", "5f0c-1", &key, NOW_S).unwrap();
        let again = Authority::from_pem(&key_pem).unwrap();
        let identity = again.judge(&der_of(&issued), NOW_S).unwrap();
        assert_eq!(identity.agent_id, "a1");
        assert_eq!(identity.cluster_uid, "5f0c-1");
        assert_eq!(identity.key, key);
        assert_eq!(identity.not_after_s, NOW_S + 90 * 86_400);
        // Long after its end it is still ours; who asks decides what that is good for.
        let late = again.judge(&der_of(&issued), NOW_S + 200 * 86_400).unwrap();
        assert!(late.not_after_s < NOW_S + 200 * 86_400);
        assert!(
            again.judge(&der_of(&issued), NOW_S - 3_600).is_err(),
            "it is not good yet"
        );
    }

    #[test]
    fn certificates_of_others_are_not_ours() {
        let (ours, _) = Authority::generate().unwrap();
        let (theirs, _) = Authority::generate().unwrap();
        let key = key::generate().unwrap().public_key().unwrap();
        let issued = theirs.issue("a1", "5f0c-1", &key, NOW_S).unwrap();
        assert!(ours.judge(&der_of(&issued), NOW_S).is_err());
        // Not the authority's own, and nothing that is no certificate.
        assert!(ours.judge(ours.certificate_der(), NOW_S).is_err());
        for der in [&b""[..], b"\x30\x00", &der_of(&issued)[..200]] {
            assert!(ours.judge(der, NOW_S).is_err());
        }
    }
}
