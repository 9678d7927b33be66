//! The edge of the reports: it watches, samples, and looks at certificates, for as long as it is polled.

use std::{
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cairn_runner::{
    cluster::{Cluster, ClusterError, Event, Listed, Requests, Resource, View, Watch},
    journal::{Journal, Run},
    run::{Memory, status},
};
use cairn_spec::{
    ObjectId,
    agent::{AgentMetrics, Certificate, ClusterIdentity, Metrics, Status},
};
use jiff::Timestamp;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use super::{
    certificate,
    cut::short,
    itself::taken,
    layers::describe_bundles,
    node::NodeView,
    observed::{Observed, reported, take},
    pod::PodView,
    pressing::Pressing,
    usage::Samples,
    warning::EventView,
    workload::WorkloadKind,
};
use crate::clock::Clock;

/// How often usage is asked for: one request.
const SAMPLED_EVERY: Duration = Duration::from_mins(1);
/// How often the version is asked for: one request.
const IDENTIFIED_EVERY: Duration = Duration::from_hours(1);
/// How often certificates are looked at: a handshake, and a request for each Secret of the bundle.
const INSPECTED_EVERY: Duration = Duration::from_hours(24);
/// How often layers are asked for: a request a kind and namespace of the bundle.
const LOOKED_AT_MOST_EVERY: Duration = Duration::from_secs(10);
const LOOKED_AT_LEAST_EVERY: Duration = Duration::from_hours(2);
/// What failed is tried again after this time, then after twice it, and so on.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// What is told not to be known of layers.
const LAYERS: &str = "layers";
/// Where the API server's certificate is told.
const SERVER: &str = "API server";

/// Sees how the cluster is.
#[derive(Debug)]
pub struct Reporter {
    cluster: Cluster,
    clock: Clock,
    observed: Mutex<Observed>,
    samples: Mutex<Samples>,
    /// The requests until the last report, and when that was.
    requests: Mutex<(Requests, Timestamp)>,
    /// The run that was seen last: when it goes on, layers are looked at.
    run: Mutex<Option<Run>>,
    look: Notify,
    pressing: watch::Sender<Pressing>,
}

/// What the agent knows of its exchange with the hub.
#[derive(Debug, Clone, Copy, Default)]
pub struct Syncing {
    /// How long the last one took, without waiting, in milliseconds.
    pub latency_ms: Option<u64>,
    /// How far the agent's clock is ahead of the hub's, in seconds.
    pub clock_skew_s: Option<i64>,
}

impl Reporter {
    /// A reporter that has seen nothing yet, but may know which cluster it is.
    pub fn new(cluster: Cluster, clock: Clock, identity: ClusterIdentity) -> Self {
        let requests = Mutex::new((cluster.requests(), clock.now()));
        Self {
            cluster,
            clock,
            observed: Mutex::new(Observed {
                identity,
                ..Observed::default()
            }),
            samples: Mutex::default(),
            requests,
            run: Mutex::default(),
            look: Notify::new(),
            pressing: watch::Sender::default(),
        }
    }

    /// Sees what happens, until it is dropped.
    pub async fn run(&self) -> Infallible {
        let nodes = self.follow::<NodeView>(("", "Node"), |observed, event| {
            take(&mut observed.nodes, event, |it| &it.key);
            self.press(observed);
        });
        let pods = self.follow::<PodView>(("", "Pod"), |observed, event| {
            take(&mut observed.pods, event, |it| &it.key);
        });
        let warnings = self.follow::<EventView>(("events.k8s.io", "Event"), |observed, event| {
            observed.warnings.take(event);
        });
        let [daemons, deployments, stateful] = WorkloadKind::ALL.map(|kind| {
            self.follow(("apps", kind.name()), move |observed, event| {
                let before = observed.lacking();
                take(observed.workloads.entry(kind).or_default(), event, |it| {
                    &it.key
                });
                if observed.lacking() != before {
                    self.look.notify_one();
                    self.press(observed);
                }
            })
        });
        let (never, ..) = tokio::join!(
            Box::pin(nodes),
            Box::pin(pods),
            Box::pin(warnings),
            Box::pin(daemons),
            Box::pin(deployments),
            Box::pin(stateful),
            Box::pin(self.again_and_again("version", IDENTIFIED_EVERY, async || {
                self.identify().await
            })),
            Box::pin(self.look_at_layers()),
            Box::pin(self.again_and_again("usage", SAMPLED_EVERY, async || self.sample().await)),
            Box::pin(self.again_and_again(SERVER, INSPECTED_EVERY, async || {
                self.inspect_server().await
            })),
            Box::pin(
                self.again_and_again("certificates", INSPECTED_EVERY, async || {
                    self.inspect_secrets().await
                })
            ),
        );
        never
    }

    /// How the cluster is, without drift, which the agent knows of itself.
    pub fn status(&self, journal: &Journal) -> Status {
        let mut run = lock(&self.run);
        if *run != journal.run {
            run.clone_from(&journal.run);
            self.look.notify_one();
        }
        let mut status = self.observed().describe(self.clock.now());
        describe_bundles(&mut status, journal);
        status
    }

    /// What was measured since the last time.
    pub fn metrics(&self, syncing: Syncing) -> Metrics {
        let (usage, nodes, left_out) = lock(&self.samples).drain();
        let now = (self.cluster.requests(), self.clock.now());
        let before = std::mem::replace(&mut *lock(&self.requests), now);
        let requests = now.0.since(&before.0);
        let elapsed_s = now.1.duration_since(before.1).as_secs();
        let elapsed_s = u64::try_from(elapsed_s).unwrap_or_default().max(1);
        let taken = taken();
        let per_minute = requests.count().saturating_mul(60);
        Metrics {
            time: Some(reported(now.1)),
            usage,
            nodes,
            left_out,
            agent: AgentMetrics {
                rss_bytes: taken.rss_bytes,
                cpu_ms: taken.cpu_ms,
                sync_latency_ms: syncing.latency_ms,
                clock_skew_s: syncing.clock_skew_s,
                api_p50_ms: requests.percentile_ms(50).unwrap_or_default(),
                api_p99_ms: requests.percentile_ms(99).unwrap_or_default(),
                api_requests_per_minute: per_minute / elapsed_s,
            },
        }
    }

    /// What is to be told at once when it changes.
    pub fn pressing(&self) -> watch::Receiver<Pressing> {
        self.pressing.subscribe()
    }

    /// Tells whoever reports when something is not as it was.
    fn press(&self, observed: &Observed) {
        let now = observed.pressing();
        self.pressing.send_if_modified(|told| {
            let is_news = *told != now;
            *told = now;
            is_news
        });
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        lock(&self.observed)
    }

    /// Notes that something cannot be found out, or can.
    fn note(&self, what: &str, failure: Option<&dyn std::error::Error>) {
        let mut observed = self.observed();
        match failure {
            Some(error) => observed
                .unknown
                .insert(what.to_owned(), short(&cairn_oci::chain(error))),
            None => observed.unknown.remove(what),
        };
    }

    async fn follow<T: View>(
        &self,
        (group, kind): (&str, &str),
        seen: impl Fn(&mut Observed, Event<T>),
    ) -> Infallible {
        let mut pause = FIRST_PAUSE;
        let mut watch: Option<Watch<T>> = None;
        loop {
            let next = async {
                let watch = if let Some(watch) = &mut watch {
                    watch
                } else {
                    let resource = self.resource(group, kind).await?;
                    watch.insert(Watch::new(&self.cluster, resource, None, ""))
                };
                watch.next().await
            };
            match next.await {
                Ok(event) => {
                    seen(&mut self.observed(), event);
                    self.note(kind, None);
                    pause = FIRST_PAUSE;
                }
                Err(error) => {
                    self.note(kind, Some(&error));
                    sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }
    }

    async fn resource(&self, group: &str, kind: &str) -> Result<Resource, ClusterError> {
        let kinds = self.cluster.kinds().await?;
        let resource = kinds.preferred(group, kind).cloned();
        resource.ok_or_else(|| ClusterError::UnknownKind {
            api_version: group.to_owned(),
            kind: kind.to_owned(),
        })
    }

    async fn again_and_again(
        &self,
        what: &str,
        every: Duration,
        find_out: impl AsyncFn() -> Result<(), Failure>,
    ) -> Infallible {
        let mut pause = FIRST_PAUSE;
        loop {
            match find_out().await {
                Ok(()) => {
                    self.note(what, None);
                    pause = FIRST_PAUSE;
                    sleep(every).await;
                }
                Err(error) => {
                    self.note(what, Some(error.as_ref()));
                    sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }
    }

    /// Asks how the layers are: now and then, and when a run or a workload is not as it was.
    async fn look_at_layers(&self) -> Infallible {
        loop {
            match status(&self.cluster).await {
                Ok(seen) => {
                    let mut observed = self.observed();
                    observed.take_layers(&seen);
                    self.press(&observed);
                    drop(observed);
                    self.note(LAYERS, None);
                }
                Err(error) => self.note(LAYERS, Some(&error)),
            }
            // What changes once, often changes again at once.
            sleep(LOOKED_AT_MOST_EVERY).await;
            let _ = timeout(LOOKED_AT_LEAST_EVERY, self.look.notified()).await;
        }
    }

    async fn identify(&self) -> Result<(), Failure> {
        let version = self.cluster.version().await?;
        let kube_system = id("Namespace", None, "kube-system");
        let namespace = self.cluster.get(&kube_system).await?.unwrap_or_default();
        let mut observed = self.observed();
        let identity = &mut observed.identity;
        identity.kubernetes_version = version;
        env!("CARGO_PKG_VERSION").clone_into(&mut identity.agent_version);
        let uid = namespace["metadata"]["uid"].as_str();
        uid.unwrap_or_default()
            .clone_into(&mut identity.cluster_uid);
        Ok(())
    }

    async fn sample(&self) -> Result<(), Failure> {
        let kinds = self.cluster.kinds().await?;
        let Some(resource) = kinds.preferred("metrics.k8s.io", "NodeMetrics") else {
            lock(&self.samples).clear();
            return Ok(());
        };
        let listed = self.cluster.list(resource, None, "", Listed::Whole).await?;
        lock(&self.samples).take(&listed);
        Ok(())
    }

    /// Looks at the certificate that the API server shows.
    async fn inspect_server(&self) -> Result<(), Failure> {
        if let Some(der) = self.cluster.serving_certificate().await? {
            let certificate = certificate::of_der(&der)?;
            let mut observed = self.observed();
            observed.certificates.insert(SERVER.to_owned(), certificate);
        }
        Ok(())
    }

    /// Looks at the certificates in Secrets that the bundle has brought.
    async fn inspect_secrets(&self) -> Result<(), Failure> {
        let memory = Memory::read(&self.cluster).await?;
        let inventories = memory.inventories.iter();
        let objects = inventories.flat_map(|it| it.entries.keys());
        let mut found: Vec<(String, Result<Certificate, String>)> = Vec::new();
        for object in objects.filter(|it| it.kind == "Secret" && it.group.is_empty()) {
            let secret = id("Secret", object.namespace.clone(), &object.name);
            if let Some(secret) = self.cluster.get(&secret).await?
                && let Some(read) = certificate::of_secret(&secret)
            {
                found.push((object.to_string(), read));
            }
        }
        let mut observed = self.observed();
        observed.certificates.retain(|place, _| place == SERVER);
        for (place, read) in found {
            match read {
                Ok(certificate) => {
                    observed.unknown.remove(&place);
                    observed.certificates.insert(place, certificate);
                }
                Err(reason) => {
                    observed.unknown.insert(place, short(&reason));
                }
            }
        }
        Ok(())
    }
}

/// Anything that keeps something from being found out.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn id(kind: &str, namespace: Option<String>, name: &str) -> ObjectId {
    ObjectId {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace,
        name: name.to_owned(),
    }
}

/// What is behind a lock is whole between two statements, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
