//! What whoever runs a registry needs beside the protocol: numbers, records of who did what,
//! limits on clients, and whether it can serve. Nothing here knows HTTP or how content is stored.

pub(crate) mod audit;
pub(crate) mod metrics;
pub(crate) mod rate_limits;
pub(crate) mod readiness;
pub(crate) mod webhooks;
