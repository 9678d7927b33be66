//! `cairn registry sync` between two registries, and with the mirrors of a configuration.

use anyhow::Result;
use cairn_tests::{RegistryProcess, Sandbox, repository_root};
use serde_json::Value;

/// Two registries, the first with a signed pack and an unsigned one.
struct Site {
    sandbox: Sandbox,
    from: RegistryProcess,
    to: RegistryProcess,
}

impl Site {
    fn new() -> Result<Self> {
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
        let from = RegistryProcess::start(&sandbox, "from")?;
        let to = RegistryProcess::start(&sandbox, "to")?;
        sandbox.ok("key generate us")?;
        sandbox.write(
            "trust.yaml",
            "apiVersion: cairn.dev/v1\nkind: TrustPolicy\nrules:\n- repositories: ['**']\n  keys: [{name: us, path: us.pub}]\n",
        )?;
        for (folder, key) in [("packs/cni/flannel", "--key us.key"), ("packs/csi/nfs", "")] {
            let folder = repository_root().join(folder);
            sandbox.ok(&format!(
                "pack push {} {}/packs {key}",
                folder.display(),
                from.address
            ))?;
        }
        Ok(Self { sandbox, from, to })
    }

    /// Runs `registry sync` between the two; what it printed, and how it ended.
    fn sync(&self, pattern: &str, options: &str) -> Result<(String, Option<i32>)> {
        let run = self.sandbox.run(&format!(
            "registry sync --from {}/{pattern} --to {}/mirror {options}",
            self.from.address, self.to.address
        ))?;
        Ok((run.stdout, run.status.code()))
    }
}

#[test]
fn packs_are_mirrored_with_their_signatures() -> Result<()> {
    let site = Site::new()?;
    let (planned, code) = site.sync("packs/*", "--dry-run -o name")?;
    assert_eq!((planned.lines().count(), code), (2, Some(0)), "{planned}");
    let flannel = planned.lines().next().unwrap_or_default();
    assert!(flannel.starts_with(&format!("{}/mirror/packs/flannel:", site.to.address)));
    let verify = format!("verify {flannel} --key us.pub");
    assert_eq!(site.sandbox.run(&verify)?.status.code(), Some(3));

    let (report, code) = site.sync("packs/*", "--trust trust.yaml -o json")?;
    let report: Value = serde_json::from_str(&report)?;
    assert_eq!(report[0]["entries"][0]["outcome"], "copied", "{report}");
    assert_eq!(report[0]["entries"][1]["outcome"], "refused", "{report}");
    assert_eq!(code, Some(9));
    site.sandbox.ok(&verify)?;

    let (rows, code) = site.sync("packs/*", "")?;
    assert_eq!(code, Some(0), "{rows}");
    let outcomes: Vec<&str> = rows
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(outcomes, ["OUTCOME", "present", "copied"], "{rows}");
    assert_eq!(site.sync("packs/none", "")?.1, Some(9));
    assert_eq!(site.sync("packs/[", "")?.1, Some(7));
    assert_eq!(site.sync("packs/*", "--versions nonsense")?.1, Some(2));
    Ok(())
}

#[test]
fn mirrors_of_a_configuration_run_on_command() -> Result<()> {
    let site = Site::new()?;
    site.sandbox.write(
        "registry.yaml",
        format!(
            "storage: {{directory: data}}\nmirrors:\n- name: packs\n  direction: pull\n  registry: {{url: 'http://{}'}}\n  repositories: [{{local: 'packs/**'}}]\n",
            site.from.address
        ),
    )?;
    let run = |options: &str| {
        let run = site
            .sandbox
            .run(&format!("registry sync --config registry.yaml {options}"))?;
        Ok::<_, anyhow::Error>(run.status.code())
    };
    assert_eq!(run("--dry-run")?, Some(0));
    assert_eq!(run("packs")?, Some(0));
    assert_eq!(run("others")?, Some(3));
    let served = RegistryProcess::start_configured(&site.sandbox, "registry.yaml")?;
    // One process holds a folder at a time.
    assert_eq!(run("packs")?, Some(6));
    let (there, here) = (&site.from.address, &served.address);
    let tags = site.sandbox.ok(&format!(
        "registry sync --from {there}/packs/* --to {here} -o json"
    ))?;
    assert!(!tags.stdout.contains("\"copied\""), "{}", tags.stdout);
    Ok(())
}
