//! What Kubernetes' and cloud-init's own tools say about the bundles of the examples.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use cairn_tests::{copy_folder, files_below, repository_root};

use crate::harness::Meeting;

/// A profile and a cluster of each example.
const EXAMPLES: [(&str, &str); 4] = [
    ("edge", "shop-17"),
    ("edge", "shop-23"),
    ("datacenter", "frankfurt"),
    ("datacenter", "oregon"),
];

/// Builds the bundles of all examples, each into the folder named after its cluster.
fn build_examples() -> Result<Meeting> {
    let meeting = Meeting::new()?;
    copy_folder(
        &repository_root().join("examples"),
        &meeting.path("examples"),
    )?;
    let packs = repository_root().join("packs");
    for manifest in files_below(&packs)? {
        // The charts of some come from repositories that only a network leads to.
        let is_whole = || -> Result<bool> {
            let text = fs::read_to_string(packs.join(&manifest))?;
            Ok(!text.contains("repository: http"))
        };
        if manifest.ends_with("pack.yaml") && is_whole()? {
            let folder = manifest.parent().context("no folder")?;
            meeting.push_pack(&format!("packs/{}", folder.display()))?;
        }
    }
    for (profile, cluster) in EXAMPLES {
        meeting.sandbox.ok(&format!(
            "profile build examples/{profile}/profile.yaml --cluster examples/{profile}/clusters/{cluster}.yaml --registry default=oci://{}/packs --output {cluster}",
            meeting.address()
        ))?;
    }
    Ok(meeting)
}

/// The manifests of a bundle, as absolute paths.
fn manifests(bundle: &Path) -> Result<Vec<String>> {
    let folder = bundle.join("manifests");
    let paths = files_below(&folder)?;
    ensure!(paths.len() > 50, "only {} manifests", paths.len());
    Ok(paths
        .iter()
        .map(|path| folder.join(path).display().to_string())
        .collect())
}

#[test]
#[ignore = "needs kubectl"]
fn kubectl_parses_every_manifest() -> Result<()> {
    let meeting = build_examples()?;
    for (_, cluster) in EXAMPLES {
        let bundle = meeting.path(cluster);
        let paths = files_below(&bundle.join("manifests"))?;
        let listed: Vec<String> = paths
            .iter()
            .map(|path| format!("- {}", path.display()))
            .collect();
        fs::write(
            bundle.join("manifests/kustomization.yaml"),
            format!(
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{}\n",
                listed.join("\n")
            ),
        )?;
        let printed = meeting.peer("kubectl", &format!("kustomize {cluster}/manifests"))?;
        let kinds = printed.lines().filter(|line| line.starts_with("kind: "));
        assert_eq!(kinds.count(), paths.len(), "{cluster}");
    }
    Ok(())
}

#[test]
#[ignore = "needs kubernetes-validate"]
fn every_manifest_fits_the_schemas_of_kubernetes() -> Result<()> {
    let meeting = build_examples()?;
    for (_, cluster) in EXAMPLES {
        let mut arguments: Vec<String> = ["-k", "1.34", "--strict"].map(str::to_owned).into();
        arguments.extend(manifests(&meeting.path(cluster))?);
        let run = meeting.try_peer("kubernetes-validate", &arguments)?;
        let complaints: Vec<&str> = run
            .stdout
            .lines()
            .chain(run.stderr.lines())
            .filter(|line| !line.contains("INFO") && !line.contains(" passed "))
            .collect();
        ensure!(
            run.status.success(),
            "{cluster}: {}\n{}",
            run.status,
            complaints.join("\n")
        );
    }
    Ok(())
}

#[test]
#[ignore = "needs cloud-init"]
fn cloud_init_accepts_the_user_data() -> Result<()> {
    let meeting = build_examples()?;
    for (_, cluster) in EXAMPLES {
        let path = format!("{cluster}/host/os/user-data.yaml");
        let checked = meeting.peer("cloud-init", &format!("schema --config-file {path}"))?;
        assert!(checked.contains("Valid"), "{checked}");
    }
    Ok(())
}
