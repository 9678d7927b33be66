//! What the API server says of itself: its version, and the certificate that it shows.

use std::{sync::Arc, time::Duration};

use kube::client::ConfigExt as _;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{Cluster, ClusterError, request::Call};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Where the API server is, and how to tell that it is the one.
pub(super) struct Endpoint {
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
}

impl Endpoint {
    /// None if it speaks no TLS, or is reached through a proxy.
    pub(super) fn of(config: &kube::Config) -> Option<Self> {
        let is_direct = config.proxy_url.is_none();
        if !is_direct || config.cluster_url.scheme_str() != Some("https") {
            return None;
        }
        // An address of IPv6 stands in brackets.
        let host = config.cluster_url.host()?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = config.tls_server_name.as_deref().unwrap_or(host);
        Some(Self {
            host: host.to_owned(),
            port: config.cluster_url.port_u16().unwrap_or(443),
            name: ServerName::try_from(name.to_owned()).ok()?,
            tls: Arc::new(config.rustls_client_config().ok()?),
        })
    }
}

impl Cluster {
    /// The API server's version, such as `v1.36.3`.
    pub async fn version(&self) -> Result<String, ClusterError> {
        let answer = self.ask(&Call::get("/version".to_owned())).await?;
        let version = answer.value["gitVersion"].as_str();
        version
            .map(str::to_owned)
            .ok_or_else(|| ClusterError::Answer {
                request: "GET /version".to_owned(),
                problem: "it has no `gitVersion`".to_owned(),
            })
    }

    /// The certificate that the API server shows, in DER, found out by a handshake; none if it
    /// cannot be had this way. One that has ended is an error, as it is for every other request.
    pub async fn serving_certificate(&self) -> Result<Option<Vec<u8>>, std::io::Error> {
        let Some(endpoint) = &self.endpoint else {
            return Ok(None);
        };
        let shake = async {
            let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
            let connector = TlsConnector::from(Arc::clone(&endpoint.tls));
            let stream = connector.connect(endpoint.name.clone(), stream).await?;
            let (_, connection) = stream.get_ref();
            let shown = connection.peer_certificates().unwrap_or_default();
            Ok(shown.first().map(|first| first.as_ref().to_vec()))
        };
        timeout(HANDSHAKE, shake)
            .await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }
}
