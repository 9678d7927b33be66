//! Waiting until objects are healthy, by watching them and the pods of what is not ready yet.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use cairn_spec::{HealthRule, ObjectId};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    Cluster, ClusterError, Follow, Seen,
    judgeable::{Judgeable, slim},
    pods::Pods,
};
use crate::health::{
    Facts, PodFailure, Status, Verdict, assess, by_rule, missing, pod_failure, rule_for, with_pods,
};

/// Some verdicts follow from the time alone.
const JUDGED_EVERY: Duration = Duration::from_secs(5);

/// An object to wait for.
#[derive(Debug, Clone)]
pub struct Awaited {
    /// Which one.
    pub id: ObjectId,
    /// How it is judged once it is gone.
    gone: Verdict,
    /// What the API server has answered to the apply, as far as it counts.
    live: Value,
    /// When it was applied.
    applied: Timestamp,
}

impl Awaited {
    /// What was applied, and what the API server has answered to that. Many are waited for at once, so
    /// no more is kept than their health depends on.
    pub fn new(id: ObjectId, desired: &Value, live: Value, applied: Timestamp) -> Self {
        Self {
            gone: missing(desired),
            live: slim(&id, live),
            id,
            applied,
        }
    }
}

/// How to wait.
#[derive(Debug, Clone)]
pub struct Waiting<'a> {
    /// What all objects carry (`name=value`), so that no others are watched; may be empty.
    pub label: &'a str,
    /// For how long.
    pub timeout: Duration,
    /// Services of type `LoadBalancer` must have an address.
    pub load_balancer_address: bool,
    /// How objects are judged that say it in their own way.
    pub health: &'a [HealthRule],
}

/// An object that is not healthy.
#[derive(Debug, Clone, PartialEq)]
pub struct Unhealthy {
    /// Which one.
    pub id: ObjectId,
    /// What is wrong with it, or what it waits for.
    pub verdict: Verdict,
    /// The pod that will not become ready, if that is why.
    pub pod: Option<PodFailure>,
    /// What that pod wrote last.
    pub last_words: Option<String>,
}

/// How waiting ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// All are as they should be.
    Healthy,
    /// At least one of them will not get there: those.
    Failed(Vec<Unhealthy>),
    /// Time is over: those that are not as they should be.
    TimedOut(Vec<Unhealthy>),
}

struct State {
    id: ObjectId,
    /// How it is judged once it is gone.
    gone: Verdict,
    facts: Facts,
    rule: Option<HealthRule>,
    live: Option<Value>,
    verdict: Verdict,
    pod: Option<PodFailure>,
}

impl Cluster {
    /// Waits until all are healthy, one has failed or time is over. Each change of a verdict is told.
    pub async fn wait(
        &self,
        awaited: Vec<Awaited>,
        how: &Waiting<'_>,
        mut tell: impl FnMut(&ObjectId, &Verdict),
    ) -> Result<Ended, ClusterError> {
        let deadline = Instant::now() + how.timeout;
        let mut states = BTreeMap::new();
        let mut promising = BTreeMap::new();
        for awaited in awaited {
            let kind = (awaited.id.api_version.clone(), awaited.id.kind.clone());
            let promises_conditions = match promising.get(&kind) {
                Some(known) => *known,
                None => self.promises_conditions(&awaited.id).await?,
            };
            promising.insert(kind, promises_conditions);
            let state = self.first_state(awaited, promises_conditions, how).await?;
            tell(&state.id, &state.verdict);
            // What is well at once and only holds data is not watched.
            if state.verdict.status != Status::Current {
                states.insert(state.id.clone(), state);
            }
        }
        let ids: Vec<ObjectId> = states.keys().cloned().collect();
        let mut follow = self.follow(&ids, how.label).await?;
        let mut pods = Pods::of(self, &ids).await?;
        loop {
            if let Some(ended) = ended(&states) {
                return self.with_last_words(ended).await;
            }
            let Ok(changed) = timeout_at(deadline, next(&mut follow, &mut pods)).await else {
                let late = Ended::TimedOut(unhealthy(&states, |status| status != Status::Current));
                return self.with_last_words(late).await;
            };
            for seen in changed? {
                if let Some(state) = states.get_mut(&seen.id) {
                    state.live = seen.object.map(|object| object.of(&seen.id));
                }
            }
            for state in states.values_mut() {
                if state.judge(&pods) {
                    tell(&state.id, &state.verdict);
                }
            }
        }
    }

    async fn first_state(
        &self,
        awaited: Awaited,
        promises_conditions: bool,
        how: &Waiting<'_>,
    ) -> Result<State, ClusterError> {
        let is_claim = awaited.id.kind == "PersistentVolumeClaim" && awaited.id.group().is_empty();
        let facts = Facts {
            now: now(),
            applied: awaited.applied,
            binds_on_use: is_claim && self.binds_on_use(&awaited.live).await?,
            promises_conditions,
            load_balancer_address: how.load_balancer_address,
        };
        let rule = rule_for(how.health, &awaited.id).cloned();
        Ok(State {
            verdict: verdict(&awaited.live, &facts, rule.as_ref()),
            rule,
            gone: awaited.gone,
            live: Some(awaited.live),
            id: awaited.id,
            facts,
            pod: None,
        })
    }

    async fn with_last_words(&self, mut ended: Ended) -> Result<Ended, ClusterError> {
        let (Ended::Failed(unhealthy) | Ended::TimedOut(unhealthy)) = &mut ended else {
            return Ok(ended);
        };
        for one in unhealthy {
            if let Some(pod) = &one.pod
                && let Some(container) = &pod.container
                && let Some(namespace) = &one.id.namespace
            {
                one.last_words = self.last_words(namespace, &pod.pod, container).await?;
            }
        }
        Ok(ended)
    }
}

impl State {
    /// Judges anew; true if the verdict is another one.
    fn judge(&mut self, pods: &Pods) -> bool {
        self.facts.now = now();
        let (verdict, pod) = match &self.live {
            None => (self.gone.clone(), None),
            Some(live) => {
                let verdict = verdict(live, &self.facts, self.rule.as_ref());
                let of_it = pods.newest(&self.id, live);
                let failed = of_it
                    .iter()
                    .find_map(|pod| pod_failure(pod, self.facts.now));
                (with_pods(verdict, of_it, self.facts.now), failed)
            }
        };
        let has_changed = verdict != self.verdict;
        (self.verdict, self.pod) = (verdict, pod);
        has_changed
    }
}

fn verdict(live: &Value, facts: &Facts, rule: Option<&HealthRule>) -> Verdict {
    match rule {
        Some(rule) => by_rule(live, rule, facts.now),
        None => assess(live, facts),
    }
}

/// How it has ended, if it has.
fn ended(states: &BTreeMap<ObjectId, State>) -> Option<Ended> {
    let failed = unhealthy(states, |status| status == Status::Failed);
    if !failed.is_empty() {
        return Some(Ended::Failed(failed));
    }
    let mut all = states.values();
    let is_healthy = all.all(|state| state.verdict.status == Status::Current);
    is_healthy.then_some(Ended::Healthy)
}

fn unhealthy(states: &BTreeMap<ObjectId, State>, which: impl Fn(Status) -> bool) -> Vec<Unhealthy> {
    let states = states.values().filter(|state| which(state.verdict.status));
    states
        .map(|state| Unhealthy {
            id: state.id.clone(),
            verdict: state.verdict.clone(),
            pod: state.pod.clone(),
            last_words: None,
        })
        .collect()
}

/// The next changes of objects; none if pods have changed, or only the time.
async fn next(
    follow: &mut Follow<Judgeable>,
    pods: &mut Pods,
) -> Result<Vec<Seen<Judgeable>>, ClusterError> {
    tokio::select! {
        seen = follow.next() => seen,
        changed = pods.next() => changed.map(|()| Vec::new()),
        () = sleep_until(Instant::now() + JUDGED_EVERY) => Ok(Vec::new()),
    }
}

/// The time, in whole seconds, as objects have it.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
