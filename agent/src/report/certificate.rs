//! When certificates end: whom they name, and until when they are good.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cairn_spec::{Timestamp, agent::Certificate};
use serde_json::Value as Json;
use x509_cert::{
    Certificate as X509,
    der::Decode as _,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use super::cut::short;

/// What a certificate says, in DER; the reason why it cannot be read is in words.
pub(super) fn of_der(der: &[u8]) -> Result<Certificate, String> {
    let certificate = X509::from_der(der).map_err(|error| error.to_string())?;
    let certificate = certificate.tbs_certificate();
    let not_after = certificate.validity().not_after.to_unix_duration();
    let subject = certificate.subject().to_string();
    let name = alternative_name(certificate).unwrap_or(subject);
    Ok(Certificate {
        name: short(&name),
        not_after: Timestamp::from_unix_s(not_after.as_secs()),
    })
}

/// The first name of DNS that a certificate is for.
fn alternative_name(certificate: &x509_cert::TbsCertificate) -> Option<String> {
    let (_, names) = certificate
        .get_extension::<SubjectAltName>()
        .ok()
        .flatten()?;
    names.0.iter().find_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        _ => None,
    })
}

/// The certificate of a Secret of type `kubernetes.io/tls`; none if it is another Secret.
pub(super) fn of_secret(secret: &Json) -> Option<Result<Certificate, String>> {
    if secret["type"] != "kubernetes.io/tls" {
        return None;
    }
    let read = || {
        let encoded = secret["data"]["tls.crt"].as_str().unwrap_or_default();
        let pem = BASE64.decode(encoded).map_err(|error| error.to_string())?;
        let chain = X509::load_pem_chain(&pem).map_err(|error| error.to_string())?;
        let own = chain.first().ok_or("it is empty")?;
        let der = x509_cert::der::Encode::to_der(own).map_err(|error| error.to_string())?;
        of_der(&der)
    };
    Some(read())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn certificate() -> rcgen::Certificate {
        let mut params =
            rcgen::CertificateParams::new(vec!["shop.example.com".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2027, 3, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap()
    }

    #[test]
    fn certificates_say_whom_they_name_and_when_they_end() {
        let read = of_der(certificate().der()).unwrap();
        assert_eq!(read.name, "shop.example.com");
        assert_eq!(read.not_after.to_string(), "2027-03-01T00:00:00Z");
        assert!(of_der(b"no certificate").is_err());
    }

    #[test]
    fn only_secrets_of_tls_have_one() {
        let encoded = BASE64.encode(certificate().pem());
        let mut secret = json!({"type": "kubernetes.io/tls", "data": {"tls.crt": encoded}});
        let read = of_secret(&secret).unwrap().unwrap();
        assert_eq!(read.name, "shop.example.com");
        secret["data"]["tls.crt"] = json!("");
        assert!(of_secret(&secret).unwrap().is_err());
        secret["type"] = json!("Opaque");
        assert_eq!(of_secret(&secret), None);
    }
}
