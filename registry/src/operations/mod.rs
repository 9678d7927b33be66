//! What whoever runs a registry needs beside the protocol: numbers, records of who did what, and
//! limits on clients. Nothing here knows HTTP or how content is stored.

pub(crate) mod audit;
pub(crate) mod metrics;
pub(crate) mod rate_limits;
pub(crate) mod webhooks;
