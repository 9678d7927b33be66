//! What the agent reports of a real cluster.

use std::{future::Future, io::Write as _, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_agent::{
    clock::Clock,
    report::{Reporter, Syncing, fitted},
};
use cairn_runner::{
    cluster::{Access, Cluster, Pace},
    journal::Journal,
};
use cairn_spec::agent::{ClusterIdentity, Status};
use cairn_test_kube::KubeServer;
use tokio::time::sleep;

/// What is tried, every tenth of a second, until it is so.
const PATIENCE: u32 = 600;

/// Two pods that run, one that fits on no node, a certificate in a Secret, and somebody who measures nodes.
const WORLD: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: example.org/web:1
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: stuck, namespace: shop}
spec:
  selector: {matchLabels: {app: stuck}}
  template:
    metadata: {labels: {app: stuck}}
    spec:
      nodeSelector: {nowhere: "true"}
      containers: [{name: main, image: "example.org/stuck:1"}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: nodes.metrics.k8s.io
  annotations: {api-approved.kubernetes.io: "unapproved, for a test"}
spec:
  group: metrics.k8s.io
  scope: Cluster
  names: {kind: NodeMetrics, plural: nodes}
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"#;
const USAGE: &str = r"
apiVersion: metrics.k8s.io/v1beta1
kind: NodeMetrics
metadata: {name: some-node}
usage: {cpu: 250000000n, memory: 2Gi}
";

fn apply(server: &KubeServer, manifests: &str) -> Result<()> {
    let mut kubectl = server.kubectl();
    kubectl.args(["apply", "-f", "-"]).stdin(Stdio::piped());
    let mut child = kubectl.stdout(Stdio::null()).spawn()?;
    let mut stdin = child.stdin.take().context("no input")?;
    stdin.write_all(manifests.as_bytes())?;
    drop(stdin);
    ensure!(child.wait()?.success(), "kubectl refused");
    Ok(())
}

async fn connect(server: &KubeServer) -> Result<Cluster> {
    let access = Access {
        kubeconfigs: vec![server.kubeconfig().to_owned()],
        ..Access::default()
    };
    Ok(Cluster::connect(&access, Pace::default()).await?)
}

/// Lets the reporter see until its status is as it must be.
async fn seen(reporter: &Reporter, is_complete: impl Fn(&Status) -> bool) -> Result<Status> {
    let look = async {
        for _ in 0..PATIENCE {
            let status = reporter.status(&Journal::default());
            if is_complete(&status) {
                return Ok(status);
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("it never came: {:#?}", reporter.status(&Journal::default()))
    };
    either(reporter.run(), look).await
}

async fn either<T>(
    endless: impl Future<Output = std::convert::Infallible>,
    ends: impl Future<Output = T>,
) -> T {
    tokio::select! {
        never = endless => match never {},
        ended = ends => ended,
    }
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_cluster_is_reported_as_it_is() -> Result<()> {
    let server = KubeServer::private()?;
    apply(&server, WORLD)?;
    for attempt in 0.. {
        match apply(&server, USAGE) {
            Ok(()) => break,
            Err(error) if attempt > 50 => return Err(error),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
    let cluster = connect(&server).await?;
    let reporter = Reporter::new(cluster, Clock::system(), ClusterIdentity::default());
    let status = seen(&reporter, |status| {
        let is_warned = |it: &String| it.starts_with("FailedScheduling Pod shop/stuck");
        status.capacity.requests.cpu_m >= 200
            && status.warnings.items.keys().any(is_warned)
            && status.certificates.items.contains_key("API server")
            && !status.identity.cluster_uid.is_empty()
            && status.workloads.not_ready.items.len() == 1
    })
    .await?;

    assert!(status.identity.kubernetes_version.starts_with("v1.36"));
    assert!(status.nodes.count > 0);
    assert_eq!(status.nodes.count, status.nodes.ready);
    assert_eq!(status.nodes.items.len(), status.nodes.count);
    assert_eq!(status.capacity.requests.memory_bytes, 128 << 20);
    assert_eq!(status.capacity.limits.memory_bytes, 256 << 20);
    assert!(status.capacity.allocatable.cpu_m >= status.capacity.requests.cpu_m);
    let on_nodes = status.nodes.items.values();
    let on_nodes: u64 = on_nodes.map(|node| node.resources.requests.pods).sum();
    assert_eq!(on_nodes, 2);
    let stuck = &status.workloads.not_ready.items["Deployment shop/stuck"];
    assert_eq!((stuck.desired, stuck.ready), (1, 0));
    assert_eq!(status.workloads.pods["Pending"], 1);
    assert_eq!(status.workloads.kinds["Deployment"], 2);
    assert!(status.unknown.is_empty(), "{:?}", status.unknown);
    let (_, json) = fitted(status);
    assert!(!json.to_string().contains("null"), "{json}");

    let metrics = reporter.metrics(Syncing::default());
    let usage = metrics.usage.context("nobody measured")?;
    assert_eq!(
        (usage.cpu_m.value, usage.memory_bytes.value),
        (250, 2 << 30)
    );
    assert!(metrics.agent.rss_bytes > 0);
    assert!(metrics.agent.api_p99_ms > 0);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn what_may_not_be_seen_is_said() -> Result<()> {
    let server = KubeServer::private()?;
    let access = Access {
        kubeconfigs: vec![server.kubeconfig().to_owned()],
        impersonate: Some("system:serviceaccount:default:nobody".to_owned()),
        ..Access::default()
    };
    let cluster = Cluster::connect(&access, Pace::default()).await?;
    let reporter = Reporter::new(cluster, Clock::system(), ClusterIdentity::default());
    let status = seen(&reporter, |status| status.unknown.len() >= 9).await?;
    for what in ["Node", "Pod", "Deployment", "Event", "certificates"] {
        let reason = status.unknown.get(what).context(what)?;
        assert!(reason.contains("forbidden"), "{what}: {reason}");
    }
    Ok(())
}
