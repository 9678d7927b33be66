//! What was seen of the cluster, and the report that follows from it.

use std::collections::{BTreeMap, BTreeSet};

use cairn_runner::{cluster::Event, run::ClusterStatus};
use cairn_spec::{
    LayerName, Timestamp as Reported,
    agent::{
        Capacity, Certificate, ClusterIdentity, LayerReport, MAX_LISTED, MAX_NODES, Nodes,
        Resources, Status, Workloads,
    },
};
use jiff::Timestamp;

use super::{
    cut::{first, heaviest, short},
    layers::layers_of,
    metadata::Key,
    node::NodeView,
    pod::PodView,
    quantity::add,
    warning::Warnings,
    workload::{WorkloadKind, WorkloadView},
};

/// What is told not to be known of an inventory.
const INVENTORY: &str = "inventory";

/// A time as reports have it: to the second.
pub(super) fn reported(time: Timestamp) -> Reported {
    Reported::from_unix_s(u64::try_from(time.as_second()).unwrap_or_default())
}

/// Views by key.
pub(super) type Views<T> = BTreeMap<Key, T>;

/// Brings views up to date with what a watch tells.
pub(super) fn take<T>(views: &mut Views<T>, event: Event<T>, key: fn(&T) -> &Key) {
    match event {
        Event::All(all) => {
            *views = all.into_iter().map(|it| (key(&it).clone(), it)).collect();
        }
        Event::Changed(one) => {
            views.insert(key(&one).clone(), one);
        }
        Event::Removed(one) => {
            views.remove(key(&one));
        }
    }
}

/// What was seen of the cluster.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// What the API server says of itself.
    pub(super) identity: ClusterIdentity,
    pub(super) nodes: Views<NodeView>,
    pub(super) pods: Views<PodView>,
    pub(super) workloads: BTreeMap<WorkloadKind, Views<WorkloadView>>,
    pub(super) warnings: Warnings,
    pub(super) certificates: BTreeMap<String, Certificate>,
    pub(super) layers: BTreeMap<LayerName, LayerReport>,
    /// What could not be found out, and why.
    pub(super) unknown: BTreeMap<String, String>,
}

impl Observed {
    /// The report, without what the agent knows of its own work.
    pub(super) fn describe(&self, now: Timestamp) -> Status {
        let by_node = self.by_node();
        Status {
            identity: self.identity(),
            capacity: self.capacity(&by_node),
            nodes: self.nodes(&by_node),
            workloads: self.workloads(now),
            layers: self.layers.clone(),
            certificates: first(self.certificates.clone().into_iter()),
            warnings: self.warnings.describe(now),
            unknown: self.unknown.clone(),
            ..Status::default()
        }
    }

    /// How many pods workloads lack.
    pub(super) fn lacking(&self) -> u64 {
        let all = self.workloads.values().flat_map(BTreeMap::values);
        let lacking = all.filter_map(WorkloadView::not_ready);
        lacking.map(|it| it.desired.saturating_sub(it.ready)).sum()
    }

    /// Takes how the layers are.
    pub(super) fn take_layers(&mut self, seen: &ClusterStatus) {
        self.layers = layers_of(seen);
        self.unknown.retain(|what, _| !what.starts_with(INVENTORY));
        for (number, damage) in seen.damaged.iter().enumerate() {
            self.unknown
                .insert(format!("{INVENTORY} {number}"), short(damage));
        }
    }

    fn identity(&self) -> ClusterIdentity {
        let nodes = self.nodes.values();
        let regions: BTreeSet<&String> = nodes.clone().map(|it| &it.region).collect();
        let zones: BTreeSet<&String> = nodes.clone().map(|it| &it.report.zone).collect();
        let mut providers = nodes.map(|it| it.provider.as_str());
        let mut identity = self.identity.clone();
        identity.distribution = distribution(&identity.kubernetes_version);
        let provider = providers.find(|it| !it.is_empty());
        provider
            .unwrap_or_default()
            .clone_into(&mut identity.provider);
        identity.region = match regions.first() {
            Some(region) if regions.len() == 1 => (*region).clone(),
            _ => String::new(),
        };
        let zones = zones.into_iter().filter(|zone| !zone.is_empty());
        identity.zones = zones.take(MAX_LISTED).cloned().collect();
        identity
    }

    /// What the pods of each node ask for, and may use.
    fn by_node(&self) -> BTreeMap<&str, (Resources, Resources)> {
        let mut by_node: BTreeMap<&str, (Resources, Resources)> = BTreeMap::new();
        for pod in self.pods.values().filter(|pod| pod.counts) {
            let (requests, limits) = by_node.entry(&pod.node).or_default();
            add(requests, &pod.requests);
            add(limits, &pod.limits);
        }
        by_node
    }

    fn capacity(&self, by_node: &BTreeMap<&str, (Resources, Resources)>) -> Capacity {
        let mut total = Capacity::default();
        for node in self.nodes.values() {
            add(&mut total.capacity, &node.report.resources.capacity);
            add(&mut total.allocatable, &node.report.resources.allocatable);
        }
        for (requests, limits) in by_node.values() {
            add(&mut total.requests, requests);
            add(&mut total.limits, limits);
        }
        total
    }

    fn nodes(&self, by_node: &BTreeMap<&str, (Resources, Resources)>) -> Nodes {
        let reports = self.nodes.values().map(|node| &node.report);
        let mut kubelet_versions = BTreeMap::new();
        for report in reports.clone() {
            *kubelet_versions.entry(report.kubelet.clone()).or_default() += 1;
        }
        let told = self.nodes.iter().map(|(key, node)| {
            let name = key.place().1;
            let mut report = node.report.clone();
            let (requests, limits) = by_node.get(name).copied().unwrap_or_default();
            report.resources.requests = requests;
            report.resources.limits = limits;
            (name.to_owned(), report)
        });
        let told = heaviest(told, MAX_NODES, NodeView::weight);
        Nodes {
            count: self.nodes.len(),
            ready: reports.clone().filter(|report| report.ready).count(),
            cordoned: reports.filter(|report| report.cordoned).count(),
            kubelet_versions,
            items: told.items,
            left_out: told.left_out,
        }
    }

    fn workloads(&self, now: Timestamp) -> Workloads {
        let mut pods = BTreeMap::new();
        for pod in self.pods.values() {
            *pods.entry(pod.phase.clone()).or_default() += 1;
        }
        let kinds = self.workloads.iter();
        let not_ready = self.workloads.iter().flat_map(|(kind, views)| {
            views.iter().filter_map(move |(key, view)| {
                Some((
                    format!("{} {}", kind.name(), key.written()),
                    view.not_ready()?,
                ))
            })
        });
        let of_pods = |key: &Key| key.written();
        Workloads {
            pods,
            kinds: kinds
                .map(|(kind, views)| (kind.name().to_owned(), views.len()))
                .collect(),
            not_ready: heaviest(not_ready, MAX_LISTED, |it| {
                it.desired.saturating_sub(it.ready)
            }),
            restarts: heaviest(
                self.pods
                    .iter()
                    .filter_map(|(key, pod)| Some((of_pods(key), pod.restarts.clone()?))),
                MAX_LISTED,
                |it| it.count,
            ),
            pending: heaviest(
                self.pods
                    .iter()
                    .filter_map(|(key, pod)| Some((of_pods(key), pod.pending(now)?))),
                MAX_LISTED,
                // Those that wait for longest first.
                |it| std::cmp::Reverse(it.since),
            ),
            out_of_memory: heaviest(
                self.pods
                    .iter()
                    .filter_map(|(key, pod)| Some((of_pods(key), pod.out_of_memory.clone()?))),
                MAX_LISTED,
                |it| it.time,
            ),
        }
    }
}

/// Who built Kubernetes: `v1.34.1+k3s1` is of `k3s`, `v1.33.5-eks-1a2b3c` of `eks`.
fn distribution(version: &str) -> String {
    let Some((_, suffix)) = version.split_once(['+', '-']) else {
        return String::new();
    };
    let known = [
        "k3s", "rke2", "k0s", "eks", "gke", "aks", "minikube", "vmware",
    ];
    let found = known.iter().find(|name| suffix.starts_with(**name));
    found.map(|name| (*name).to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn pods(pods: &[Json]) -> Event<PodView> {
        let views = pods
            .iter()
            .map(|pod| serde_json::from_str(&pod.to_string()).unwrap());
        Event::All(views.collect())
    }

    fn pod(name: &str, node: &str, phase: &str) -> Json {
        json!({
            "metadata": {"namespace": "n", "name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"nodeName": node, "containers": [{"resources": {"requests": {"cpu": "1"}}}]},
            "status": {"phase": phase},
        })
    }

    fn node(name: &str, ready: &str) -> NodeView {
        let node = json!({
            "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": name}},
            "status": {
                "capacity": {"cpu": "4"}, "allocatable": {"cpu": "3"},
                "conditions": [{"type": "Ready", "status": ready}],
                "nodeInfo": {"kubeletVersion": "v1.36.3"},
            },
        });
        serde_json::from_str(&node.to_string()).unwrap()
    }

    fn now() -> Timestamp {
        "2026-01-02T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn what_pods_ask_for_is_counted_where_they_are() {
        let mut observed = Observed::default();
        let nodes = Event::All(vec![node("a", "True"), node("b", "False")]);
        take(&mut observed.nodes, nodes, |it| &it.key);
        let all = pods(&[
            pod("p1", "a", "Running"),
            pod("p2", "a", "Succeeded"),
            pod("p3", "", "Pending"),
        ]);
        take(&mut observed.pods, all, |it| &it.key);
        let status = observed.describe(now());
        assert_eq!(status.capacity.capacity.cpu_m, 8_000);
        assert_eq!(status.capacity.allocatable.cpu_m, 6_000);
        assert_eq!(status.capacity.requests.cpu_m, 1_000);
        assert_eq!(status.capacity.requests.pods, 1);
        assert_eq!(status.nodes.items["a"].resources.requests.cpu_m, 1_000);
        assert_eq!(status.nodes.items["b"].resources.requests.cpu_m, 0);
        assert_eq!((status.nodes.count, status.nodes.ready), (2, 1));
        assert_eq!(status.nodes.kubelet_versions["v1.36.3"], 2);
        assert_eq!(status.identity.zones, ["a", "b"]);
        assert_eq!(status.workloads.pods["Running"], 1);
        let pending: Vec<&String> = status.workloads.pending.items.keys().collect();
        assert_eq!(pending, ["n/p3"]);
    }

    #[test]
    fn watches_bring_what_changes() {
        let mut observed = Observed::default();
        let all = pods(&[pod("p1", "a", "Running"), pod("p2", "a", "Running")]);
        take(&mut observed.pods, all, |it| &it.key);
        let Event::All(mut changed) = pods(&[pod("p1", "a", "Succeeded")]) else {
            return;
        };
        let changed = changed.remove(0);
        take(&mut observed.pods, Event::Changed(changed.clone()), |it| {
            &it.key
        });
        assert_eq!(observed.describe(now()).workloads.pods["Succeeded"], 1);
        take(&mut observed.pods, Event::Removed(changed), |it| &it.key);
        let phases = observed.describe(now()).workloads.pods;
        assert_eq!(phases, BTreeMap::from([("Running".to_owned(), 1)]));
    }

    #[test]
    fn of_many_nodes_those_that_are_not_well_are_told() {
        let mut observed = Observed::default();
        let nodes = (0..300).map(|number| {
            let ready = if number % 100 == 99 { "False" } else { "True" };
            node(&format!("n{number:03}"), ready)
        });
        take(&mut observed.nodes, Event::All(nodes.collect()), |it| {
            &it.key
        });
        let nodes = observed.describe(now()).nodes;
        assert_eq!((nodes.items.len(), nodes.left_out), (MAX_NODES, 200));
        assert!(
            ["n099", "n199", "n299"]
                .iter()
                .all(|it| nodes.items.contains_key(*it))
        );
    }

    #[test]
    fn versions_say_who_built_kubernetes() {
        assert_eq!(distribution("v1.34.1+k3s1"), "k3s");
        assert_eq!(distribution("v1.33.5-eks-1a2b3c"), "eks");
        assert_eq!(distribution("v1.36.3"), "");
        assert_eq!(distribution("v1.37.0-alpha.1"), "");
    }
}
