//! The cluster for tests, as kubectl sees it.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use cairn_test_kube::{KubeServer, Program, unique};
use serde_json::{Value, json};

#[test]
#[ignore = "needs kube, kubectl"]
fn a_deployment_rolls_out_and_a_bad_image_does_not() -> Result<()> {
    let namespace = Namespace::new(KubeServer::shared()?)?;
    namespace.apply(&deployment("example.org/app:1.0"))?;
    let said = namespace.kubectl(&["rollout", "status", "deployment/app", "--timeout=30s"])?;
    ensure!(said.contains("successfully rolled out"), "{said}");

    namespace.apply(&deployment("example.org/app:2.0-pull-fails"))?;
    namespace.wait(
        "{.status.containerStatuses[0].state.waiting.reason}",
        "ImagePullBackOff",
    )?;
    let found = namespace.json(&["get", "deployment", "app"])?;
    assert_eq!(found["status"]["availableReplicas"], 3);
    assert_eq!(found["status"]["updatedReplicas"], 1);
    Ok(())
}

#[test]
#[ignore = "needs kube, kubectl"]
fn a_crash_leaves_its_last_words() -> Result<()> {
    let namespace = Namespace::new(KubeServer::shared()?)?;
    namespace.apply(&deployment("example.org/app:2.0-crashes"))?;
    // Of one moment: by the next request the container may have started again.
    let status = "{.status.containerStatuses[0].restartCount} \
                  {.status.containerStatuses[0].state.waiting.reason} \
                  {.status.containerStatuses[0].lastState.terminated.exitCode}";
    namespace.wait(status, "3 CrashLoopBackOff 1")?;
    let pods = namespace.json(&["get", "pods"])?;
    let name = pods["items"][0]["metadata"]["name"].as_str();
    let log = namespace.kubectl(&["logs", "--tail=1", name.context("no name")?])?;
    assert_eq!(log, "fatal: the configuration has no key `endpoint`\n");
    Ok(())
}

#[test]
#[ignore = "needs kube, kubectl"]
fn jobs_end_claims_are_bound_and_load_balancers_have_addresses() -> Result<()> {
    let namespace = Namespace::new(KubeServer::shared()?)?;
    let containers = json!([{"name": "main", "image": "example.org/job:1"}]);
    namespace.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": containers}}},
        },
        {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "app"}},
        },
        {
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "everywhere"},
            "spec": {
                "selector": {"matchLabels": {"app": "everywhere"}},
                "template": {
                    "metadata": {"labels": {"app": "everywhere"}},
                    "spec": {"containers": containers},
                },
            },
        },
    ]}))?;
    for (what, until) in [
        ("job/once", "condition=Complete"),
        ("pvc/data", "jsonpath={.status.phase}=Bound"),
        (
            "service/web",
            "jsonpath={.status.loadBalancer.ingress[0].ip}",
        ),
        (
            "daemonset/everywhere",
            "jsonpath={.status.numberAvailable}=3",
        ),
    ] {
        namespace.kubectl(&["wait", what, "--timeout=30s", &format!("--for={until}")])?;
    }
    Ok(())
}

#[test]
#[ignore = "needs kube, kubectl"]
fn an_api_server_that_was_killed_comes_back_with_everything() -> Result<()> {
    let namespace = Namespace::new(KubeServer::private()?)?;
    namespace.apply(&deployment("example.org/app:1.0"))?;
    namespace.server.kill(Program::ApiServer)?;
    let refused = namespace.kubectl(&["get", "deployments"]).unwrap_err();
    ensure!(refused.to_string().contains("refused"), "{refused}");
    namespace.server.start(Program::ApiServer)?;
    namespace.kubectl(&["rollout", "status", "deployment/app", "--timeout=60s"])?;

    namespace.server.halt(Program::ApiServer)?;
    let halted = namespace.kubectl(&["get", "deployments", "--request-timeout=1s"]);
    let halted = halted.unwrap_err().to_string();
    ensure!(
        halted.contains("timeout") || halted.contains("deadline"),
        "{halted}"
    );
    namespace.server.resume(Program::ApiServer)?;
    namespace.kubectl(&["get", "deployments"])?;
    let audit = namespace.server.audit_log()?;
    ensure!(audit.contains("\"userAgent\":\"kubectl/"), "{audit}");
    Ok(())
}

/// A namespace of a test's own.
struct Namespace {
    server: KubeServer,
    name: String,
}

impl Namespace {
    fn new(server: KubeServer) -> Result<Self> {
        let name = unique("smoke");
        run(server.kubectl().args(["create", "namespace", &name]))?;
        Ok(Self { server, name })
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.server.kubectl();
        run(command.args(["--namespace", &self.name]).args(arguments))
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.kubectl(&[arguments, &["--output=json"]].concat())?;
        Ok(serde_json::from_str(&text)?)
    }

    fn apply(&self, objects: &Value) -> Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        serde_json::to_writer(&file, objects)?;
        let path = file.path().to_str().context("no text")?;
        self.kubectl(&["apply", "--server-side", "--filename", path])?;
        Ok(())
    }

    /// Waits until a pod has a value.
    fn wait(&self, path: &str, value: &str) -> Result<()> {
        let mut command = self.server.kubectl();
        command
            .args(["--namespace", &self.name, "get", "pods", "--watch"])
            .args(["--request-timeout=60s", "--output"])
            .arg(format!("jsonpath={path}{{'\\n'}}"))
            .stdout(Stdio::piped());
        let mut watching = command.spawn()?;
        let stdout = watching.stdout.take().context("no output")?;
        let mut values = BufReader::new(stdout).lines().map_while(Result::ok);
        let found = values.any(|found| found == value);
        watching.kill()?;
        watching.wait()?;
        ensure!(found, "no pod ever had `{value}` at {path}");
        Ok(())
    }
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "app"}},
            "template": {
                "metadata": {"labels": {"app": "app"}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    })
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().context("failed to run kubectl")?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
