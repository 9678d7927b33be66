//! `cairn profile update`: chooses newer pack versions and writes the lock.

use cairn_compiler::LockMode;
use cairn_spec::PackName;
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

/// One line a pack whose version or content changed.
fn changes(before: &str, after: &str) -> String {
    let read = |text: &str| {
        let lock: Option<cairn_spec::Lock> = serde_yaml::from_str(text).ok();
        lock.map(|lock| lock.packs).unwrap_or_default()
    };
    let (before, after) = (read(before), read(after));
    let mut lines = String::new();
    for pack in &after {
        match before
            .iter()
            .find(|old| old.name == pack.name && old.required_by == pack.required_by)
        {
            None => lines += &format!("{} {} (new)\n", pack.name, pack.version),
            Some(old) if old.version != pack.version => {
                lines += &format!("{} {} -> {}\n", pack.name, old.version, pack.version)
            }
            Some(old) if old.digest != pack.digest => {
                lines += &format!(
                    "{} {} (content changed: {} -> {})\n",
                    pack.name,
                    pack.version,
                    old.digest.short(),
                    pack.digest.short()
                )
            }
            Some(old) if old != pack => {
                lines += &format!(
                    "{} {} (signers or range changed)\n",
                    pack.name, pack.version
                )
            }
            Some(_) => {}
        }
    }
    for old in before
        .iter()
        .filter(|old| !after.iter().any(|pack| pack.name == old.name))
    {
        lines += &format!("{} {} (gone)\n", old.name, old.version);
    }
    lines
}
