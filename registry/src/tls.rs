//! TLS of the listener: certificates that are read again when they change, and who a client's
//! certificate says it is.

use std::{io, sync::Arc, time::Duration};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use x509_cert::{
    Certificate,
    der::Decode as _,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use crate::{
    Limits, Result,
    auth::{CertificateNames, Invalid},
    config::{ClientCertificates, TlsConfig},
    operations::metrics::WatchedFile,
    watched::{Files, Watch, Watched},
};

/// The protocols that are offered: HTTP/2, else HTTP/1.1.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Accepts TLS connections.
#[derive(Debug)]
pub(crate) struct Tls {
    config: Arc<Watched<ServerConfig>>,
    handshake_timeout: Duration,
}

impl Tls {
    pub(crate) fn open(config: &TlsConfig, limits: &Limits, watch: &Watch) -> Result<Self> {
        let config = config.clone();
        let read = move |files: &Files| server_config(&config, files);
        Ok(Self {
            config: watch.open(WatchedFile::Tls, read)?,
            handshake_timeout: Duration::from_secs(limits.handshake_timeout_s),
        })
    }

    /// Shakes hands; the names are those of a certificate that the client's authority signed.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<(TlsStream<S>, Option<CertificateNames>)> {
        let acceptor = TlsAcceptor::from(self.config.current().await);
        let stream = timeout(self.handshake_timeout, acceptor.accept(stream)).await??;
        let certificates = stream.get_ref().1.peer_certificates();
        let names = certificates.and_then(|chain| chain.first()).map(names_of);
        Ok((stream, names))
    }
}

fn server_config(config: &TlsConfig, files: &Files) -> Result<ServerConfig, Invalid> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate_path = config.certificate.display().to_string();
    let certificates = certificates(&certificate_path, &files.read(&config.certificate)?)?;
    let key_path = config.key.display().to_string();
    let key = PrivateKeyDer::from_pem_slice(files.read(&config.key)?.as_bytes())
        .map_err(|_| Invalid::new(&key_path, "it holds no private key in PEM"))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Invalid::new("tls", error.to_string()))?;
    let builder = match &config.client_ca {
        Some(path) => {
            let text = files.read(path)?;
            let path = path.display().to_string();
            let mut roots = RootCertStore::empty();
            for authority in self::certificates(&path, &text)? {
                roots
                    .add(authority)
                    .map_err(|error| Invalid::new(&path, error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match config.client_certificates {
                ClientCertificates::Optional => verifier.allow_unauthenticated(),
                ClientCertificates::Required => verifier,
            };
            let verifier = verifier
                .build()
                .map_err(|error| Invalid::new(&path, error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
        None if config.client_certificates == ClientCertificates::Required => {
            return Err(Invalid::new(
                "tls.clientCertificates",
                "client certificates are required, but `tls.clientCa` does not say which",
            ));
        }
        None => builder.with_no_client_auth(),
    };
    let mut server = builder
        .with_single_cert(certificates, key)
        .map_err(|error| {
            Invalid::new(
                &key_path,
                format!("it does not fit the certificate `{certificate_path}`: {error}"),
            )
        })?;
    server.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(server)
}

fn certificates(path: &str, text: &str) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Invalid::new(path, "it holds no certificate in PEM")),
    }
}

/// The names in a certificate; one that cannot be read names nobody.
fn names_of(certificate: &CertificateDer<'_>) -> CertificateNames {
    let Ok(certificate) = Certificate::from_der(certificate) else {
        return CertificateNames::default();
    };
    let certificate = certificate.tbs_certificate();
    let common_name = certificate.subject().common_name().ok().flatten();
    let alternatives = certificate.get_extension::<SubjectAltName>().ok().flatten();
    let uri = |name: GeneralName| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
        _ => None,
    };
    CertificateNames {
        common_name: common_name.map(|name| name.value().into_owned()),
        uris: alternatives
            .map(|(_, names)| names.0.into_iter().filter_map(uri).collect())
            .unwrap_or_default(),
    }
}
