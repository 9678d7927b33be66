//! Keeps the lease: asks the API server, and tells the rest of the agent whether it leads.

use std::time::Duration;

use cairn_runner::cluster::{Cluster, ClusterError};
use cairn_spec::ObjectId;
use jiff::Timestamp;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{Election, Record, Step, Timing};
use crate::clock::Clock;

/// Whether this replica leads; it changes as it happens.
pub type Leadership = watch::Receiver<bool>;

/// Takes the lease when it is free, renews it, and gives it back when `leads` is dropped everywhere.
/// Never returns otherwise: what fails is tried again.
pub async fn keep(
    cluster: &Cluster,
    place: (&str, &str),
    (me, timing, clock): (&str, Timing, &Clock),
    leads: watch::Sender<bool>,
) {
    let mut election = Election::new(me, timing);
    let mut looked = None;
    loop {
        let now = Instant::now();
        tell(&leads, election.leads(now));
        let step = election.step(looked, now);
        // A request that hangs must not outlive the right to act.
        let asked = match step {
            Step::Look => timeout(timing.retry, look(cluster, place)).await,
            Step::Write(before) => {
                let time = written(clock.now());
                let lease = election.lease(before.as_ref(), place, &time);
                timeout(timing.retry, write(cluster, place, lease)).await
            }
            Step::Wait(until) => {
                tokio::select! {
                    () = sleep_until(until) => continue,
                    () = leads.closed() => break,
                }
            }
        };
        looked = Some(Instant::now());
        match asked {
            Ok(Ok(Found::Mine(record))) => election.wrote(record, now),
            Ok(Ok(Found::Says(record))) => election.saw(record, Instant::now()),
            Ok(Err(error)) => tracing::warn!(%error, "the lease cannot be had"),
            Err(_) => tracing::warn!("the API server does not answer about the lease"),
        }
    }
    give_back(cluster, place, &election, &written(clock.now())).await;
}

enum Found {
    /// This one wrote it.
    Mine(Record),
    /// It is like this.
    Says(Option<Record>),
}

async fn look(cluster: &Cluster, place: (&str, &str)) -> Result<Found, ClusterError> {
    let lease = cluster.get(&id(place)).await?;
    Ok(Found::Says(lease.as_ref().map(Record::of)))
}

async fn write(
    cluster: &Cluster,
    place: (&str, &str),
    lease: serde_json::Value,
) -> Result<Found, ClusterError> {
    match cluster.swap(&lease).await? {
        Some(lease) => Ok(Found::Mine(Record::of(&lease))),
        None => look(cluster, place).await,
    }
}

/// Who takes over need not wait for the lease to run out.
async fn give_back(cluster: &Cluster, place: (&str, &str), election: &Election, time: &str) {
    const PATIENCE: Duration = Duration::from_secs(2);
    let Some((Some(record), _)) = &election.seen else {
        return;
    };
    if !election.leads(Instant::now()) {
        return;
    }
    let mut lease = election.lease(Some(record), place, time);
    lease["spec"]["holderIdentity"] = "".into();
    let given = timeout(PATIENCE, cluster.swap(&lease)).await;
    if !matches!(given, Ok(Ok(Some(_)))) {
        tracing::warn!(
            "the lease could not be given back: another replica waits until it runs out"
        );
    }
}

fn tell(leads: &watch::Sender<bool>, now: bool) {
    let changed = leads.send_if_modified(|leads| std::mem::replace(leads, now) != now);
    if changed && now {
        tracing::info!("this replica leads");
    } else if changed {
        tracing::warn!("this replica does not lead any more");
    }
}

fn id((namespace, name): (&str, &str)) -> ObjectId {
    ObjectId {
        api_version: "coordination.k8s.io/v1".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

/// `MicroTime`, as Leases have it.
fn written(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
