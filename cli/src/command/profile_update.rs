//! `cairn profile update`: chooses newer pack versions and writes the lock.

use cairn_compiler::LockMode;
use cairn_spec::{LockedChart, PackName};
use clap::Args;

use super::profile_build::{ProfileArgs, refused};
use crate::{config::Environment, exit::Outcome, files::write_file, output::Output};

/// Choose newer pack versions and write the lock
///
/// Without --pack, every pack is chosen anew: the highest version that fits its range.
#[derive(Debug, Args)]
pub(crate) struct ProfileUpdate {
    #[command(flatten)]
    profile: ProfileArgs,
    /// Only these packs
    #[arg(short, long = "pack", value_name = "PACK")]
    packs: Vec<PackName>,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl ProfileUpdate {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let path = self.profile.lock_path();
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let build =
            self.profile
                .build(LockMode::Update(self.packs.clone()), environment, output)?;
        let Some(lock) = build
            .lock
            .as_ref()
            .filter(|_| !build.session.diagnostics.has_errors())
        else {
            return Err(refused(&build, output));
        };
        let changes = changes(&before, lock);
        if changes.is_empty() {
            output.message(&format!("{} is up to date", path.display()));
            return Ok(());
        }
        output.data(&changes);
        if !self.dry_run {
            write_file(&path, lock.as_bytes())?;
            output.message(&format!("wrote {}", path.display()));
        }
        Ok(())
    }
}

/// One line a pack or chart whose version or content changed.
fn changes(before: &str, after: &str) -> String {
    let read = |text: &str| {
        let lock: Option<cairn_spec::Lock> = serde_yaml::from_str(text).ok();
        lock.map(|lock| (lock.packs, lock.charts))
            .unwrap_or_default()
    };
    let ((before, charts_before), (after, charts_after)) = (read(before), read(after));
    let mut lines = chart_changes(&charts_before, &charts_after);
    for pack in &after {
        let title = format!("{} {}", pack.name, pack.version);
        match before
            .iter()
            .find(|old| old.name == pack.name && old.required_by == pack.required_by)
        {
            None => lines.push(format!("{title} (new)")),
            Some(old) if old.version != pack.version => {
                lines.push(format!("{} {} -> {}", pack.name, old.version, pack.version));
            }
            Some(old) if old.digest != pack.digest => {
                let (old, new) = (old.digest.short(), pack.digest.short());
                lines.push(format!("{title} (content changed: {old} -> {new})"));
            }
            Some(old) if old != pack => lines.push(format!("{title} (signers or range changed)")),
            Some(_) => {}
        }
    }
    for old in before
        .iter()
        .filter(|old| !after.iter().any(|pack| pack.name == old.name))
    {
        lines.push(format!("{} {} (gone)", old.name, old.version));
    }
    lines
        .iter()
        .fold(String::new(), |text, line| text + line + "\n")
}

fn chart_changes(before: &[LockedChart], after: &[LockedChart]) -> Vec<String> {
    let mut lines = Vec::new();
    for chart in after {
        let (name, version) = (&chart.name, &chart.version);
        let known = |old: &&LockedChart| old.name == *name && old.required_by == chart.required_by;
        match before.iter().find(known) {
            None => lines.push(format!("chart {name} {version} (new)")),
            Some(old) if old.version != *version => {
                lines.push(format!("chart {name} {} -> {version}", old.version));
            }
            Some(old) if old != chart => lines.push(format!(
                "chart {name} {version} (content, repository or range changed)"
            )),
            Some(_) => {}
        }
    }
    for old in before {
        if !after.iter().any(|chart| chart.name == old.name) {
            lines.push(format!("chart {} {} (gone)", old.name, old.version));
        }
    }
    lines
}
