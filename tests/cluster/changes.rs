//! An upgrade of a small bundle: what its plan shows, what it does, how one fails, what drifts.

use anyhow::{Context as _, Result, ensure};
use insta::assert_snapshot;

use crate::world::{CONFLICT, DENIED, NOT_FOUND, World, of_sort};

const BASE: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
";

fn web(image: &str, replicas: u32, token: &str, job: &str) -> String {
    format!(
        "\
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, namespace: shop}}
data: {{color: \"{image}\", size: small}}
---
apiVersion: v1
kind: Secret
metadata: {{name: login, namespace: shop}}
stringData: {{token: {token}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers: [{{name: main, image: \"example.org/web:{image}\"}}]
---
apiVersion: batch/v1
kind: Job
metadata: {{name: migrate, namespace: shop}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: main, image: \"example.org/migrate:{job}\"}}]
"
    )
}

const OLD: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: old, namespace: shop}
data: {a: b}
";
const NEW: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: new, namespace: shop}
data: {a: b}
";

fn first(world: &World) -> Result<String> {
    let web = web("1.0", 2, "first-token", "1.0");
    world.bundle(
        "first",
        &[("base", BASE), ("web", &format!("{web}---\n{OLD}"))],
    )
}

/// A text without what no two runs have in common.
fn settled(text: &str) -> String {
    let word = |word: &str| {
        let is_time = word.len() == 20 && word.ends_with('Z') && word.contains('T');
        let is_pod = word.starts_with("web-") && word.ends_with(':');
        match (is_time, is_pod) {
            (true, _) => "TIME".to_owned(),
            (_, true) => "POD:".to_owned(),
            _ => word.to_owned(),
        }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
#[ignore = "needs kube, kubectl"]
fn a_plan_shows_fields_managers_and_no_secrets() -> Result<()> {
    let world = World::new()?;
    let first = first(&world)?;
    assert_snapshot!(world.ok(&format!("apply {first}"))?, @"2 layers healthy, 6 objects changed, 0 deleted");
    world.kubectl("scale deployment -n shop web --replicas=5")?;

    let web = web("2.0", 3, "second-token", "2.0");
    let second = world.bundle(
        "second",
        &[("base", BASE), ("web", &format!("{web}---\n{NEW}"))],
    )?;
    let plan = world.ok(&format!("plan {second}"))?;
    assert_snapshot!(plan, @r#"
    web
      + ConfigMap shop/new
      ~ ConfigMap shop/settings
          data.color: "1.0" → "2.0" (set by cairn)
      ~ Secret shop/login
          data.token: "*** (before)" → "*** (after)" (set by cairn)
      ~ Deployment shop/web
          spec.replicas: 5 → 3 (set by kubectl)
          spec.template.spec.containers[name=main].image: "example.org/web:1.0" → "example.org/web:2.0" (set by cairn)
      ± Job shop/migrate: spec.template: field is immutable
      - ConfigMap shop/old
    1 to create, 3 to change, 1 to recreate, 1 to delete, 1 unchanged
    "#);
    let json = world.json(&format!("plan {second}"))?;
    let text = json.to_string();
    ensure!(
        !text.contains("token\":\"") && !text.contains("second-token"),
        "{text}"
    );
    let web = json["layers"][1]["objects"]
        .as_array()
        .context("no objects")?;
    let deployment = web
        .iter()
        .find(|it| it["object"]["kind"] == "Deployment")
        .context("no deployment")?;
    let replicas = &deployment["changes"][0];
    assert_eq!(
        (
            &replicas["field"],
            &replicas["old"],
            &replicas["new"],
            &replicas["manager"]
        ),
        (
            &"spec.replicas".into(),
            &5.into(),
            &3.into(),
            &"kubectl".into()
        )
    );

    // It is as the plan says, and then there is nothing left to plan.
    let run = world.ends(&format!("apply {second}"), 0)?;
    // What is waited for meanwhile depends on who is faster.
    let told: Vec<&str> = run.stderr.lines().filter(|it| !it.contains('…')).collect();
    assert_snapshot!(told.join("\n"), @r"
    base
      base is healthy
    web
      + ConfigMap shop/new
      ~ ConfigMap shop/settings
      ~ Secret shop/login
      ~ Deployment shop/web
      ± Job shop/migrate
      web is healthy
      - ConfigMap shop/old: deleted
    ");
    assert_snapshot!(world.ok(&format!("plan {second}"))?, @"0 to create, 0 to change, 0 to recreate, 0 to delete, 6 unchanged");
    ensure!(world.kubectl("get configmap -n shop old").is_err());
    Ok(())
}

#[test]
#[ignore = "needs kube, kubectl"]
fn what_is_somebody_elses_is_a_conflict_until_it_is_adopted() -> Result<()> {
    let world = World::new()?;
    world.kubectl("create namespace shop")?;
    world.kubectl("create configmap -n shop settings --from-literal=color=red")?;
    let first = first(&world)?;
    let plan = world.ends(&format!("plan {first}"), CONFLICT)?;
    assert_snapshot!(plan.stdout, @r"
    base
      ! Namespace shop is there already and is not Cairn's
    web
      + ConfigMap shop/old
      ! ConfigMap shop/settings is there already and is not Cairn's
      + Secret shop/login
      + Deployment shop/web
      + Job shop/migrate
    4 to create, 0 to change, 0 to recreate, 0 to delete, 0 unchanged
    2 somebody else's: the run would fail
    ");
    let plan = world.ok(&format!("plan {first} --adoption adopt"))?;
    // Their label is a digest.
    let told: Vec<&str> = plan.lines().filter(|it| !it.contains("part-of")).collect();
    assert_snapshot!(told.join("\n"), @r#"
    base
      ~ Namespace shop (taken over)
    web
      + ConfigMap shop/old
      ~ ConfigMap shop/settings (taken over)
          data.color: "red" → "1.0" (set by kubectl-create)
          data.size: + "small"
      + Secret shop/login
      + Deployment shop/web
      + Job shop/migrate
    4 to create, 2 to change, 0 to recreate, 0 to delete, 0 unchanged
    "#);
    world.ok(&format!("apply {first} --adoption adopt"))?;
    assert_eq!(
        world.kubectl("get configmap -n shop settings -o jsonpath={.data.color}")?,
        "1.0"
    );
    Ok(())
}

#[test]
#[ignore = "needs kube, kubectl"]
fn a_bad_image_fails_with_the_reason_and_the_last_lines() -> Result<()> {
    let world = World::new()?;
    let first = first(&world)?;
    world.ok(&format!("apply {first}"))?;
    for (name, image, reason) in [
        ("pulls", "2.0-pull-fails", "ImagePullBackOff"),
        ("crashes", "2.0-crashes", "CrashLoopBackOff"),
    ] {
        let web = web(image, 2, "first-token", "1.0");
        let bad = world.bundle(name, &[("base", BASE), ("web", &web)])?;
        let events = world.events(&format!("apply {bad}"), 1)?;
        let failed = events.last().context("no events")?;
        assert_eq!(
            (&failed["event"], &failed["layer"]),
            (&"failed".into(), &"web".into())
        );
        let unhealthy = &failed["unhealthy"][0];
        let message = unhealthy["verdict"]["message"].as_str().unwrap_or_default();
        ensure!(message.contains(reason), "{failed}");
        ensure!(failed["wentBackTo"].is_string(), "{failed}");
        assert_eq!(of_sort(&events, "rollingBack").len(), 1);
        let image = world.kubectl(
            "get deployment -n shop web -o jsonpath={.spec.template.spec.containers[0].image}",
        )?;
        assert_eq!(image, "example.org/web:1.0");
        let status = world.ok("status")?;
        ensure!(status.contains("\nrejected  sha256:"), "{status}");
        if name == "crashes" {
            let log = unhealthy["log"].as_str().unwrap_or_default();
            ensure!(
                log.contains("fatal: the configuration has no key `endpoint`"),
                "{failed}"
            );
        }
        ensure!(
            of_sort(&events, "health")
                .iter()
                .any(|it| it["verdict"]["status"] == "Failed")
        );
        let again = world.ends(&format!("apply {bad}"), DENIED)?;
        ensure!(
            again.stderr.contains("--retry-rejected"),
            "{}",
            again.stderr
        );
    }
    Ok(())
}

#[test]
#[ignore = "needs kube, kubectl"]
fn a_rollback_by_hand_brings_back_what_was_there() -> Result<()> {
    let world = World::new()?;
    let first = first(&world)?;
    world.ok(&format!("apply {first}"))?;
    let nowhere = world.ends("rollback", NOT_FOUND)?;
    ensure!(nowhere.stderr.contains("hint:"), "{}", nowhere.stderr);
    let web = web("2.0", 3, "second-token", "1.0");
    let second = world.bundle(
        "second",
        &[("base", BASE), ("web", &format!("{web}---\n{NEW}"))],
    )?;
    world.ok(&format!("apply {second}"))?;

    let events = world.events("rollback", 0)?;
    let done = events.last().context("no events")?;
    assert_eq!(
        (&done["event"], &done["deleted"]),
        (&"done".into(), &1.into())
    );
    assert_eq!(
        world.ok(&format!("plan {first}"))?,
        "0 to create, 0 to change, 0 to recreate, 0 to delete, 6 unchanged\n"
    );
    ensure!(world.kubectl("get configmap -n shop new").is_err());
    let again = world.ends(&format!("apply {second}"), DENIED)?;
    ensure!(
        again.stderr.contains("--retry-rejected"),
        "{}",
        again.stderr
    );
    Ok(())
}

#[test]
#[ignore = "needs kube, kubectl"]
fn status_tells_health_and_drift_with_field_manager_and_time() -> Result<()> {
    let world = World::new()?;
    let first = first(&world)?;
    world.ok(&format!("apply {first}"))?;
    assert_snapshot!(settled(&body(&world.ok("status")?)), @r"
    LAYER  HEALTHY  DRIFTED  WHY
    base   1/1      0
    web    5/5      0
    ");
    world.kubectl("scale deployment -n shop web --replicas=3")?;
    world.kubectl("set image -n shop deployment/web main=example.org/web:9-pull-fails")?;
    world.kubectl("delete configmap -n shop old")?;
    // Until the pod has tried to pull.
    for _ in 0..1_000 {
        if world.ok("status")?.contains("ImagePullBackOff") {
            break;
        }
    }
    assert_snapshot!(settled(&body(&world.ok("status")?)), @r#"
    LAYER                  HEALTHY   DRIFTED  WHY
    base                   1/1       0
    web                    3/5       2
      ConfigMap shop/old   NotFound  yes      Resource not found
      Deployment shop/web  Failed    yes      container main of pod POD: ImagePullBackOff: Back-off pulling image "example.org/web:9-pull-fails": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "example.org/web:9-pull-fails": not found
                                              spec.replicas was changed by kubectl
                                              spec.template.spec.containers[name=main].image was changed by kubectl-set at TIME
    "#);
    let status = world.json("status")?;
    let objects = status["layers"][1]["objects"].as_array().context("none")?;
    let web = objects
        .iter()
        .find(|it| it["kind"] == "Deployment")
        .context("no deployment")?;
    let (replicas, image) = (&web["drift"][0], &web["drift"][1]);
    assert_eq!(
        (&replicas["field"], &replicas["manager"]),
        (&"spec.replicas".into(), &"kubectl".into())
    );
    assert_eq!(image["manager"], "kubectl-set");
    let time = image["time"].as_str();
    ensure!(time.is_some_and(|it| it.ends_with('Z')), "{web}");
    Ok(())
}

/// Without the lines on top, which name the digest.
fn body(status: &str) -> String {
    status
        .split_once("\n\n")
        .map_or(status, |(_, body)| body)
        .to_owned()
}
