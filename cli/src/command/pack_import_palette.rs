//! `cairn pack import palette`: a pack of a Palette pack, and a report of what it lacks.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use cairn_compiler::{ChanceCalls, ImportNote, ImportOutcome, import_palette};
use cairn_spec::ArchiveLimits;
use clap::Args;
use serde_json::json;

use crate::{
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    files::{read_tree_of, replace_folder},
    output::{Output, count, lines, table},
};

/// Make a pack of a Palette pack
///
/// Charts, their values and the names of their releases stay as they are; manifests with templates
/// become Go templates. What could not be carried over is reported, as a table or with `-o json`.
#[derive(Debug, Args)]
pub(crate) struct PackImportPalette {
    /// The folder of the Palette pack, with `pack.json`
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Where to write the pack [default: NAME-VERSION]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Let passwords, keys and certificates that charts make of chance follow from names that
    /// anybody knows; without it they are reported, and somebody chooses
    #[arg(long)]
    seeded: bool,
}

impl PackImportPalette {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let tree = read_tree_of(&self.folder, &ArchiveLimits::PACK, is_of_pack)?;
        let chance = self.chance(environment)?;
        let (session, import) = import_palette(&self.folder.display().to_string(), &tree, chance);
        output.diagnostics(&session);
        let Some(import) = import else {
            return Err(Failure::reported(ExitCode::InvalidInput));
        };
        let metadata = &import.manifest.metadata;
        let folder = self
            .output
            .unwrap_or_else(|| PathBuf::from(format!("{}-{}", metadata.name, metadata.version)));
        replace_folder(&folder, &import.tree, "pack.yaml")?;
        output.result(
            &json!({
                "name": metadata.name,
                "version": metadata.version,
                "output": folder,
                "files": import.tree.len(),
                "notes": import.notes,
            }),
            || report(&import.notes),
            || lines([folder.display().to_string()]),
        );
        output.message(&format!(
            "wrote {} with {}: {}",
            folder.display(),
            count(import.tree.len(), "file"),
            summary(&import.notes)
        ));
        output.message(&format!(
            "next: read the report, then `cairn pack lint {}`",
            folder.display()
        ));
        Ok(())
    }
}

impl PackImportPalette {
    fn chance(&self, environment: &Environment) -> Result<ChanceCalls, Failure> {
        if !self.seeded {
            return Ok(ChanceCalls::Reported);
        }
        let unix_s = environment.created_unix_s()?.unwrap_or_else(now);
        let now = cairn_spec::rfc_3339(unix_s).parse();
        Ok(ChanceCalls::Seeded(now.map_err(anyhow::Error::new)?))
    }
}

/// The time, in seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// A folder beside the archive of a chart holds the same once more.
fn is_of_pack(path: &str) -> bool {
    path.strip_prefix("charts/")
        .is_none_or(|below| !below.contains('/'))
}

/// What an import says, as a table.
pub(super) fn report(notes: &[ImportNote]) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = notes
        .iter()
        .map(|note| {
            vec![
                note.outcome.as_str().to_owned(),
                note.what.clone(),
                note.note.clone(),
            ]
        })
        .collect();
    table(&["OUTCOME", "WHAT", "NOTE"], &rows)
}

fn summary(notes: &[ImportNote]) -> String {
    let of = |outcome| notes.iter().filter(|note| note.outcome == outcome).count();
    format!(
        "{} changed, {} left out",
        count(of(ImportOutcome::Changed), "thing"),
        count(of(ImportOutcome::LeftOut), "thing")
    )
}
