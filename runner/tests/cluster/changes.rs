//! Proposals, applies and deletions.

use anyhow::{Context as _, Result, bail};
use cairn_runner::{
    bundle::Secrets,
    cluster::{
        Applied, Candidate, Conflict, Deletion, Force, Judged, Listed, Mode, Propagation, Proposal,
        id_of, owned_fields,
    },
    diff::{Options, changes},
};
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn proposals_say_what_would_happen_and_write_nothing() -> Result<()> {
    let world = World::shared().await?;
    let object = world.config_map("settings", &json!({"a": "1"}));
    let id = id_of(&object);
    let proposal = world.cluster.propose(&id, &object).await?;
    assert!(matches!(proposal, Proposal::Create(_)), "{proposal:?}");
    assert_eq!(world.cluster.get(&id).await?, None);

    let applied = world.apply(&object).await?;
    let Proposal::Merge {
        live,
        after,
        conflicts,
    } = world.cluster.propose(&id, &object).await?
    else {
        bail!("no merge");
    };
    assert_eq!(
        (&live["data"], &after["data"]),
        (&object["data"], &object["data"])
    );
    assert_eq!(conflicts, []);
    assert_eq!(owned_fields(&after), owned_fields(&applied));

    let mut elsewhere = object.clone();
    elsewhere["metadata"]["namespace"] = json!("nowhere");
    let proposal = world
        .cluster
        .propose(&id_of(&elsewhere), &elsewhere)
        .await?;
    let later = "the namespace `nowhere` is not there yet".to_owned();
    assert_eq!(proposal, Proposal::Later(later));

    let mut unknown = object.clone();
    unknown["apiVersion"] = json!("x.test/v1");
    let proposal = world.cluster.propose(&id_of(&unknown), &unknown).await?;
    let later = "`ConfigMap` in `x.test/v1` is not known yet".to_owned();
    assert_eq!(proposal, Proposal::Later(later));

    let mut misspelt = object;
    misspelt["dta"] = json!({});
    let Proposal::Refused(refusal) = world.cluster.propose(&id, &misspelt).await? else {
        bail!("no refusal");
    };
    assert!(
        refusal.message.contains("field not declared in schema"),
        "{refusal}"
    );
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn who_else_writes_is_seen_and_named() -> Result<()> {
    let world = World::shared().await?;
    let object = world.config_map("settings", &json!({"a": "1", "b": "1"}));
    let id = id_of(&object);
    let ours = owned_fields(&world.apply(&object).await?).context("we hold nothing")?;

    // What is not ours does not touch what is.
    world.kubectl("annotate configmap settings note=theirs")?;
    let label = "test=yes";
    let presence = world
        .cluster
        .presence(std::slice::from_ref(&id), label)
        .await?;
    assert_eq!(presence[&id].owned.as_ref(), Some(&ours));

    world
        .kubectl(r#"patch configmap settings --field-manager=theirs --patch={"data":{"a":"2"}}"#)?;
    let presence = world
        .cluster
        .presence(std::slice::from_ref(&id), label)
        .await?;
    assert_ne!(presence[&id].owned.as_ref(), Some(&ours));

    let Proposal::Merge {
        live,
        after,
        conflicts,
    } = world.cluster.propose(&id, &object).await?
    else {
        bail!("no merge");
    };
    assert_eq!(
        (&live["data"]["a"], &after["data"]["a"]),
        (&json!("2"), &json!("1"))
    );
    let conflict = Conflict {
        field: ".data.a".to_owned(),
        manager: "theirs".to_owned(),
    };
    assert_eq!(conflicts, std::slice::from_ref(&conflict));
    let options = Options {
        ignore: &[],
        secrets: &Secrets::default(),
    };
    let changes = changes(&live, &after, &options);
    let owners: Vec<_> = changes.iter().map(|change| &change.owner).collect();
    let [Some(owner)] = owners.as_slice() else {
        bail!("{changes:?}");
    };
    assert_eq!(
        (owner.manager.as_str(), owner.operation.as_str()),
        ("theirs", "Update")
    );

    let asked = world
        .cluster
        .apply(&id, &object, Mode::Write, Force::Ask)
        .await?;
    assert_eq!(asked, Applied::Conflicts(vec![conflict]));
    let taken = world
        .cluster
        .apply(&id, &object, Mode::Write, Force::Take)
        .await?;
    let Applied::Merged(taken) = taken else {
        bail!("{taken:?}")
    };
    assert_eq!(owned_fields(&taken), Some(ours));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn what_cannot_be_changed_is_told_from_what_is_wrong() -> Result<()> {
    let world = World::shared().await?;
    let job = |image: &str| {
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "once", "namespace": world.namespace},
            "spec": {"template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "main", "image": image}],
            }}},
        })
    };
    world.apply(&job("example.org/job:1")).await?;
    let changed = job("example.org/job:2");
    let proposal = world.cluster.propose(&id_of(&changed), &changed).await?;
    assert!(
        matches!(proposal, Proposal::Immutable { .. }),
        "{proposal:?}"
    );

    let mut wrong = job("example.org/job:1");
    wrong["spec"]["parallelism"] = json!(-1);
    let proposal = world.cluster.propose(&id_of(&wrong), &wrong).await?;
    assert!(matches!(proposal, Proposal::Refused(_)), "{proposal:?}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn only_what_was_judged_is_deleted() -> Result<()> {
    let world = World::shared().await?;
    let object = world.config_map("settings", &json!({}));
    let id = id_of(&object);
    let resource = world.cluster.resource_of(&id).await?;
    let delete = async |judged: &Value| {
        let text = |key: &str| judged["metadata"][key].as_str().unwrap_or_default();
        let judged = Judged {
            uid: text("uid"),
            resource_version: text("resourceVersion"),
        };
        let deleting = world
            .cluster
            .delete(&resource, &id, &judged, Propagation::Background);
        deleting.await
    };
    let before = world.apply(&object).await?;
    world.kubectl("annotate configmap settings changed=yes")?;
    assert_eq!(delete(&before).await?, Deletion::Changed);
    let now = world.cluster.get(&id).await?.context("gone")?;
    let mut other = now.clone();
    other["metadata"]["uid"] = before["metadata"]["resourceVersion"].clone();
    assert_eq!(delete(&other).await?, Deletion::Changed);
    assert_eq!(delete(&now).await?, Deletion::Gone);
    assert_eq!(delete(&now).await?, Deletion::Gone);

    let mut held = object;
    held["metadata"]["finalizers"] = json!(["example.org/held"]);
    let held = world.apply(&held).await?;
    assert_eq!(delete(&held).await?, Deletion::Going);
    let presence = world
        .cluster
        .presence(std::slice::from_ref(&id), "")
        .await?;
    assert!(presence[&id].is_going);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn lists_have_all_pages() -> Result<()> {
    let world = World::shared().await?;
    let objects: Vec<Value> = (0..620)
        .map(|number| world.config_map(&format!("c{number}"), &json!({})))
        .collect();
    let ids: Vec<_> = objects.iter().map(id_of).collect();
    let pairs: Vec<_> = ids.iter().zip(&objects).collect();
    for chunk in pairs.chunks(31) {
        let applied = chunk
            .iter()
            .map(|(id, object)| world.cluster.apply(id, object, Mode::Write, Force::Ask));
        futures_util::future::try_join_all(applied).await?;
    }
    let resource = world.cluster.resource_of(&ids[0]).await?;
    let namespace = Some(world.namespace.as_str());
    for how in [Listed::Whole, Listed::Metadata] {
        let listed = world
            .cluster
            .list(&resource, namespace, "test=yes", how)
            .await?;
        assert_eq!(listed.len(), 620);
        assert_eq!(
            listed[0].get("data").is_some(),
            how == Listed::Whole && listed[0]["data"].is_object()
        );
    }
    let presence = world.cluster.presence(&ids, "test=yes").await?;
    assert_eq!(presence.len(), 620);
    let candidates: Vec<Candidate<'_>> = pairs[..50]
        .iter()
        .map(|(id, object)| Candidate {
            id,
            object,
            ignored: Vec::new(),
        })
        .collect();
    let proposals = world.cluster.propose_all(&candidates).await?;
    assert!(
        proposals
            .iter()
            .all(|one| matches!(one, Proposal::Merge { .. }))
    );
    Ok(())
}
