//! TLS: rustls with ring, the system's authorities and those of the options.
//!
//! The system's authorities are read when the first certificate is to be verified. Reading them
//! takes tens of milliseconds, which a client of a registry in plain HTTP need not wait for, and a
//! machine without any can still speak to that one.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;

use crate::Error;

/// The protocols that are offered: HTTP/2 where it is built in, else HTTP/1.1.
const ALPN: &[&[u8]] = if cfg!(feature = "http2") {
    &[b"h2", b"http/1.1"]
} else {
    &[b"http/1.1"]
};

/// How to verify servers. Clones share what was read of the system.
pub(super) fn client_config(extra_ca_pem: &[Vec<u8>]) -> Result<ClientConfig, Error> {
    // `oci-distribution` takes the process's provider. Whoever installed one before has chosen; a
    // second installation is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let provider = CryptoProvider::get_default().map_or_else(
        || Arc::new(rustls::crypto::ring::default_provider()),
        Arc::clone,
    );
    let verifier = SystemVerifier {
        extra_roots: parse(extra_ca_pem)?,
        provider: Arc::clone(&provider),
        loaded: OnceLock::new(),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// Malformed certificates are found here, not at the first connection.
fn parse(extra_ca_pem: &[Vec<u8>]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut certificates = Vec::new();
    let mut usable = RootCertStore::empty();
    for pem in extra_ca_pem {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(setup)?;
            usable.add(certificate.clone()).map_err(setup)?;
            certificates.push(certificate);
        }
    }
    Ok(certificates)
}

fn setup(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Setup {
        source: Box::new(source),
    }
}

/// The platform's verifier, made on first use. It decides; this one only delays it.
#[derive(Debug)]
struct SystemVerifier {
    extra_roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    loaded: OnceLock<Result<Verifier, rustls::Error>>,
}

impl SystemVerifier {
    fn get(&self) -> Result<&Verifier, rustls::Error> {
        let load = || {
            Verifier::new_with_extra_roots(
                self.extra_roots.iter().cloned(),
                Arc::clone(&self.provider),
            )
        };
        self.loaded.get_or_init(load).as_ref().map_err(Clone::clone)
    }
}

impl ServerCertVerifier for SystemVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.get()?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.get()?
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.get()?
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
