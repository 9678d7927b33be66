//! A byte stream to a registry, over TLS if its address says so.

use std::{fmt, sync::Arc};

use anyhow::{Context as _, Result};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::target::Target;

/// Bytes in both directions.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug> Transport for T {}

pub(crate) async fn connect(target: &Target) -> Result<Box<dyn Transport>> {
    let what = || format!("failed to connect to {target}");
    let stream = TcpStream::connect(&target.authority)
        .await
        .with_context(what)?;
    stream.set_nodelay(true).with_context(what)?;
    let Some(tls) = &target.tls else {
        return Ok(Box::new(stream));
    };
    let host = target.authority.rsplit_once(':');
    let host = host.map_or("", |(host, _)| host.trim_matches(['[', ']']));
    let name = ServerName::try_from(host.to_owned()).with_context(what)?;
    let connector = TlsConnector::from(Arc::clone(tls));
    let stream = connector.connect(name, stream).await.with_context(what)?;
    Ok(Box::new(stream))
}
