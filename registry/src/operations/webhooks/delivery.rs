//! Delivers what is in the outbox: each endpoint by itself, its events in order as far as it takes
//! them.
//!
//! Replicas share an outbox without a lease. Whoever delivers an event first moves its due time
//! behind the attempt by compare-and-swap; who loses leaves it alone. Should the winner die, the
//! event is due again.

use std::{sync::Arc, time::Duration};

use cairn_spec::rfc_3339;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use super::{Endpoint, endpoint::Refusal};
use crate::{
    Error, Result,
    clock::Clock,
    operations::metrics::Metrics,
    records::{self, Delivery},
    storage::{Batch, Key, Metadata, Prefix, Version, Write},
    traces::{Current, Kind, TraceContext, Tracer},
};

/// Events that are looked at in one go.
const PAGE_EVENTS: usize = 100;
/// Events that wait which are counted, at most.
const COUNTED_EVENTS: usize = 1000;
/// How long to wait at most before looking for what other replicas left.
const POLL_S: u64 = 30;
/// The waiting time after the first failure; each further one doubles it.
const RETRY_MIN_S: u64 = 2;
const RETRY_MAX_S: u64 = 3600;

/// What a delivery works with.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    pub(crate) metadata: Arc<dyn Metadata>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    /// Present if traces go anywhere.
    pub(crate) tracer: Option<Arc<Tracer>>,
}

/// Delivers events to one endpoint until told to stop.
pub(crate) async fn deliver_until(
    stop: CancellationToken,
    outbox: Outbox,
    endpoint: Arc<Endpoint>,
) {
    loop {
        let delivered = outbox.deliver_due(&endpoint).await;
        let counted = outbox.count_waiting(&endpoint).await;
        let pause_s = match delivered.and_then(|pause_s| counted.map(|()| pause_s)) {
            Ok(pause_s) => pause_s,
            Err(error) => {
                tracing::error!(webhook = endpoint.name, %error, "failed to read or change the outbox");
                POLL_S
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(Duration::from_secs(pause_s)) => {}
            () = endpoint.arrived.notified(), if pause_s == POLL_S => {}
        }
    }
}

/// An event that this process may try to deliver.
struct Claim {
    id: Ulid,
    key: Key,
    version: Version,
    delivery: Delivery,
    event: bytes::Bytes,
}

impl Outbox {
    /// Delivers what is due; returns how long to wait before the next time, in seconds.
    pub(super) async fn deliver_due(&self, endpoint: &Endpoint) -> Result<u64> {
        let prefix = Prefix::Deliveries(endpoint.name.clone());
        let mut after: Option<String> = None;
        let mut pause_s = POLL_S;
        loop {
            let names = self
                .metadata
                .list(&prefix, after.as_deref(), PAGE_EVENTS)
                .await?;
            for name in &names {
                match self.claim(endpoint, name).await? {
                    Due::In(seconds) => pause_s = pause_s.min(seconds),
                    Due::Taken => {}
                    Due::Now(claim) => {
                        if let Some(away_s) = self.deliver(endpoint, claim).await? {
                            return Ok(away_s);
                        }
                    }
                }
            }
            if names.len() < PAGE_EVENTS {
                return Ok(pause_s.max(1));
            }
            after = names.last().cloned();
        }
    }

    async fn count_waiting(&self, endpoint: &Endpoint) -> Result<()> {
        let prefix = Prefix::Deliveries(endpoint.name.clone());
        let waiting = self.metadata.list(&prefix, None, COUNTED_EVENTS).await?;
        let count = waiting.len();
        self.metrics.webhooks.waiting(&endpoint.name, count);
        Ok(())
    }

    async fn claim(&self, endpoint: &Endpoint, name: &str) -> Result<Due> {
        let Ok(id) = name.parse::<Ulid>() else {
            return Ok(Due::Taken);
        };
        let key = Key::Delivery(endpoint.name.clone(), id);
        let Some(entry) = self.metadata.get(&key).await? else {
            return Ok(Due::Taken);
        };
        let (mut delivery, event): (Delivery, _) = records::decode(&key, &entry)?;
        let now_unix_s = self.clock.unix_now_s();
        if delivery.due_unix_s > now_unix_s {
            return Ok(Due::In(delivery.due_unix_s - now_unix_s));
        }
        delivery.attempts += 1;
        delivery.due_unix_s = now_unix_s + endpoint.timeout_s + retry_s(delivery.attempts);
        let value = records::encode(&delivery, &event)?;
        let write = Write::put_if(key.clone(), entry.version, value);
        match self.metadata.write(Batch::durable([write])).await {
            Err(Error::Conflict { .. }) => Ok(Due::Taken),
            written => {
                let version = written?.into_iter().next().flatten().ok_or(Error::Closed)?;
                Ok(Due::Now(Claim {
                    id,
                    key,
                    version,
                    delivery,
                    event,
                }))
            }
        }
    }

    /// Posts a claimed event. If the endpoint is away, returns how long to leave it alone.
    async fn deliver(&self, endpoint: &Endpoint, mut claim: Claim) -> Result<Option<u64>> {
        let now_unix_s = self.clock.unix_now_s();
        let trace = self.trace(claim.delivery.traceparent.as_deref());
        let mut span = trace
            .as_ref()
            .and_then(|(trace, parent)| trace.span("webhook", Kind::Client, Some(parent)));
        let traceparent = trace.map(|(trace, _)| trace.context.to_string());
        let posted = endpoint
            .post(claim.id, claim.event.clone(), traceparent, now_unix_s)
            .await;
        if let Some(span) = &mut span {
            span.set("webhook", endpoint.name.as_str());
            span.set("cloudevents.event_id", claim.id.to_string().as_str());
            if let Err(Refusal::Away(reason) | Refusal::Rejected(reason)) = &posted {
                span.fail(reason);
            }
        }
        drop(span);
        let (reason, is_away) = match posted {
            Ok(()) => {
                self.metrics.webhooks.delivered.add(1);
                let write = Write::delete_if(claim.key, claim.version);
                return self.settle(vec![write]).await.map(|()| None);
            }
            Err(Refusal::Away(reason)) => (reason, true),
            Err(Refusal::Rejected(reason)) => (reason, false),
        };
        self.metrics.webhooks.failed.add(1);
        let attempts = claim.delivery.attempts;
        if attempts >= endpoint.attempts {
            self.metrics.webhooks.dead_lettered.add(1);
            tracing::error!(
                webhook = endpoint.name, event.id = %claim.id, attempts, reason,
                "an event could not be delivered and is set aside"
            );
            claim.delivery.last_failure = Some(reason);
            let key = Key::DeadLetter(endpoint.name.clone(), claim.id);
            let value = records::encode(&claim.delivery, &claim.event)?;
            let writes = vec![
                Write::put(key, value),
                Write::delete_if(claim.key, claim.version),
            ];
            self.settle(writes).await?;
        } else {
            let due = rfc_3339(claim.delivery.due_unix_s);
            tracing::warn!(
                webhook = endpoint.name, event.id = %claim.id, attempts, reason, due,
                "an event was not taken and will be tried again"
            );
        }
        Ok(is_away.then(|| retry_s(attempts).min(POLL_S)))
    }

    /// The trace that a change began, as it goes on here, and where it came from.
    fn trace(&self, traceparent: Option<&str>) -> Option<(Current, TraceContext)> {
        let parent = TraceContext::parse(traceparent?)?;
        let trace = match &self.tracer {
            Some(tracer) => tracer.trace(Some(&parent)),
            None => Current::passing(parent),
        };
        Some((trace, parent))
    }

    async fn settle(&self, writes: Vec<Write>) -> Result<()> {
        match self.metadata.write(Batch::durable(writes)).await {
            // It took so long that another replica took over.
            Err(Error::Conflict { .. }) => Ok(()),
            settled => settled.map(drop),
        }
    }
}

enum Due {
    Now(Claim),
    In(u64),
    /// Somebody else delivers it, or has.
    Taken,
}

/// How long to wait after a number of failures, in seconds: up to half more by chance, so that not
/// all events come back at once.
fn retry_s(attempts: u32) -> u64 {
    let doublings = attempts.saturating_sub(1).min(RETRY_MAX_S.ilog2());
    let base_s = (RETRY_MIN_S << doublings).min(RETRY_MAX_S);
    let random = u64::try_from(Ulid::new().random() & 0xffff).unwrap_or(0);
    base_s + random % (base_s / 2)
}
