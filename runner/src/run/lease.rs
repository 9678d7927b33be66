//! One run at a time: a `Lease` that a run renews while it goes, and gives back when it ends.
//!
//! What a killed run leaves is taken when nobody has renewed it for as long as it is good, by the
//! clock of whoever waits; the same holder takes it at once. A run that cannot renew it stands still
//! before that time is over, and goes on only if nobody has taken it.

use std::{
    future::Future,
    pin::pin,
    time::{Duration, SystemTime},
};

use cairn_spec::ObjectId;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    NAMESPACE, RunError,
    memory::{read_journal, remembering},
};
use crate::cluster::{Cluster, ClusterError, Judged, Propagation, presence_of};

const NAME: &str = "cairn-run";
/// How long a lease is good that nobody renews.
const GOOD_FOR: Duration = Duration::from_secs(15);
/// How often it is renewed.
const RENEWED_EVERY: Duration = Duration::from_secs(5);
/// So long before its end a run stands still that could not renew it.
const MARGIN: Duration = Duration::from_secs(4);
/// How often somebody who waits for its end looks.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(500);

const DOING: &str = "make sure that no other run is under way";

/// A lease that is ours.
struct Held<'a> {
    cluster: &'a Cluster,
    holder: &'a str,
    version: String,
    renewed: Instant,
}

/// Does work while nobody else's run is under way in a cluster.
pub(super) async fn alone<T>(
    cluster: &Cluster,
    holder: &str,
    work: impl Future<Output = Result<T, RunError>>,
) -> Result<T, RunError> {
    let mut held = take(cluster, holder).await?;
    let mut work = pin!(work);
    let ended = loop {
        tokio::select! {
            ended = &mut work => break ended,
            () = sleep_until(held.renewed + RENEWED_EVERY) => {}
        }
        let good_until = held.renewed + GOOD_FOR - MARGIN;
        let renewed = {
            let mut renewal = pin!(held.renewed_lease());
            tokio::select! {
                ended = &mut work => break ended,
                renewed = &mut renewal => renewed,
                // From here on the work is not driven until the lease is ours for sure.
                () = sleep_until(good_until) => renewal.await,
            }
        };
        (held.version, held.renewed) = renewed?;
    };
    // The next run takes what is left behind.
    let _ = give_back(cluster, holder).await;
    ended
}

async fn give_back(cluster: &Cluster, holder: &str) -> Result<(), ClusterError> {
    let Some(live) = cluster.get(&id()).await? else {
        return Ok(());
    };
    if holder_of(&live) == holder {
        let presence = presence_of(&live);
        let judged = Judged {
            uid: &presence.uid,
            resource_version: &presence.resource_version,
        };
        let resource = cluster.resource_of(&id()).await?;
        cluster
            .delete(&resource, &id(), &judged, Propagation::Background)
            .await?;
    }
    Ok(())
}

impl Held<'_> {
    /// The lease's version and time after it was renewed; an error if it is somebody else's by now.
    async fn renewed_lease(&self) -> Result<(String, Instant), RunError> {
        let at = Instant::now();
        let lease = lease(self.holder, &self.version);
        let swapped = self.cluster.swap(&lease).await;
        if let Some(live) = swapped.map_err(|source| remembering(DOING, source))? {
            return Ok((version_of(&live), at));
        }
        let live = self.cluster.get(&id()).await;
        let live = live.map_err(|source| remembering(DOING, source))?;
        match live.as_ref().map(holder_of) {
            Some(holder) if holder == self.holder => {
                Ok((version_of(&live.unwrap_or_default()), at))
            }
            holder => Err(RunError::TakenOver {
                by: holder.unwrap_or("nobody").to_owned(),
            }),
        }
    }
}

async fn take<'a>(cluster: &'a Cluster, holder: &'a str) -> Result<Held<'a>, RunError> {
    let failed = |source| remembering(DOING, source);
    // Whose lease was seen first, at which version, and when.
    let mut seen: Option<(String, String, Instant)> = None;
    loop {
        let now = Instant::now();
        let live = cluster.get(&id()).await.map_err(failed)?;
        let version = live.as_ref().map(version_of).unwrap_or_default();
        let is_free = match live.as_ref().map(holder_of) {
            None => true,
            Some(other) if other == holder || other.is_empty() => true,
            Some(other) => match &seen {
                None => {
                    seen = Some((other.to_owned(), version.clone(), now));
                    false
                }
                Some((first, at, _)) if first != other || *at != version => {
                    return Err(busy(cluster, other).await);
                }
                Some((_, _, since)) => now.duration_since(*since) > GOOD_FOR,
            },
        };
        if is_free {
            let swapped = cluster.swap(&lease(holder, &version)).await;
            if let Some(live) = swapped.map_err(failed)? {
                return Ok(Held {
                    cluster,
                    holder,
                    version: version_of(&live),
                    renewed: now,
                });
            }
        } else {
            sleep(LOOKED_AT_EVERY).await;
        }
    }
}

/// What another run is doing, as far as it can be found out.
async fn busy(cluster: &Cluster, holder: &str) -> RunError {
    let run = read_journal(cluster).await.ok();
    let run = run.and_then(|(journal, _)| journal.run);
    let doing = run.map_or_else(
        || "it has just begun".to_owned(),
        |run| {
            format!(
                "the {} of `{}` that began at {}, now {}",
                run.action, run.bundle, run.started, run.phase
            )
        },
    );
    RunError::Busy {
        holder: holder.to_owned(),
        doing,
    }
}

fn id() -> ObjectId {
    ObjectId {
        api_version: "coordination.k8s.io/v1".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: NAME.to_owned(),
    }
}

/// The lease as it is written over a version of it; over none when that is empty.
fn lease(holder: &str, version: &str) -> Json {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since_us = since.map_or(0, |since| since.as_micros());
    let now = i64::try_from(since_us).ok();
    let now = now.and_then(|now| Timestamp::from_microsecond(now).ok());
    let mut lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": GOOD_FOR.as_secs(),
            "renewTime": format!("{:.6}", now.unwrap_or(Timestamp::UNIX_EPOCH)),
        },
    });
    if !version.is_empty() {
        lease["metadata"]["resourceVersion"] = version.into();
    }
    lease
}

fn holder_of(lease: &Json) -> &str {
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default()
}

fn version_of(lease: &Json) -> String {
    let version = lease["metadata"]["resourceVersion"].as_str();
    version.unwrap_or_default().to_owned()
}
