//! What a hub is told when it starts, and every bound that it keeps.

use std::sync::Arc;

use crate::{Authority, Clock, ContentSource, HubStore, SystemClock};

/// A hub that is a server of its own.
#[derive(Debug)]
pub struct Config {
    /// What must last.
    pub store: Arc<dyn HubStore>,
    /// Who signs the agents' certificates.
    pub authority: Authority,
    /// Where bundles are; without it, agents fetch from their registry alone.
    pub content: Option<Arc<dyn ContentSource>>,
    /// The server's certificate. Without it the hub speaks plain HTTP, behind a proxy that does TLS.
    pub tls: Option<TlsConfig>,
    /// How it behaves.
    pub settings: Settings,
    /// What it bears.
    pub limits: Limits,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// A configuration with what is usual.
    pub fn new(store: Arc<dyn HubStore>, authority: Authority) -> Self {
        Self {
            store,
            authority,
            content: None,
            tls: None,
            settings: Settings::default(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// The server's certificate and key, PEM.
#[derive(Clone)]
pub struct TlsConfig {
    /// The certificate, followed by those that link it to its authority.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsConfig").finish_non_exhaustive()
    }
}

/// How a hub behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often agents speak, in seconds.
    pub sync_s: u32,
    /// How long a sync is held, in seconds.
    pub wait_s: u32,
    /// Somebody must agree to every agent that joins, whatever its token says.
    pub needs_approval: bool,
    /// When an agent that waits for approval asks again, in seconds.
    pub pending_retry_s: u32,
    /// How often contacts are written to the store, in seconds.
    pub flush_s: u64,
    /// How often a shared store is asked what changed, in milliseconds.
    pub poll_ms: u64,
    /// Agents that come back after a restart are spread so that no more than so many come each second.
    pub reconnects_per_s: u32,
    /// Certificates that the hub's own may be issued by, PEM, for agents to trust from now on.
    pub tls_authorities: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sync_s: 30,
            wait_s: 30,
            needs_approval: false,
            pending_retry_s: 30,
            flush_s: 30,
            poll_ms: 1_000,
            reconnects_per_s: 300,
            tls_authorities: None,
        }
    }
}

/// What a hub bears.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// How long a TLS handshake may take, in seconds.
    pub handshake_timeout_s: u64,
    /// How long a connection may be silent before a request's header is whole, in seconds.
    pub header_timeout_s: u64,
    /// How long a request's body may take, in seconds.
    pub body_timeout_s: u64,
    /// How long requests may go on once the hub was told to stop, in seconds.
    pub drain_s: u64,
    /// Requests of one agent a minute, over time.
    pub agent_requests_per_min: u32,
    /// Requests of one agent at once.
    pub agent_burst: u32,
    /// Attempts to join of all clusters together a second, over time.
    pub joins_per_s: u32,
    /// Attempts to join at once.
    pub join_burst: u32,
    /// Request tokens that are remembered so that none is good twice.
    pub remembered_requests: usize,
    /// Certificates that are remembered so that a hash is enough.
    pub remembered_certificates: usize,
    /// Join tokens at a time.
    pub join_tokens: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            handshake_timeout_s: 10,
            header_timeout_s: 75,
            body_timeout_s: 30,
            drain_s: 10,
            agent_requests_per_min: 120,
            agent_burst: 30,
            joins_per_s: 50,
            join_burst: 200,
            remembered_requests: 500_000,
            remembered_certificates: 50_000,
            join_tokens: 10_000,
        }
    }
}
