//! TLS of the hub's own listener.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_rustls::TlsAcceptor;

use crate::{Error, TlsConfig};

/// Sessions that go on after a connection broke: their keys are in tickets, so they cost no memory.
pub(crate) fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Tls(error.to_string());
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(config.certificate.as_bytes()).collect();
    let certificates = certificates.map_err(|error| failed(&error))?;
    let key =
        PrivateKeyDer::from_pem_slice(config.key.as_bytes()).map_err(|error| failed(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| failed(&error))?;
    // One request at a time is all that an agent has: HTTP/2 would only cost memory.
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    server.ticketer = rustls::crypto::ring::Ticketer::new().map_err(|error| failed(&error))?;
    server.send_tls13_tickets = 1;
    Ok(TlsAcceptor::from(Arc::new(server)))
}
