//! `cairn pack build`: a pack as an OCI image layout.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use cairn_compiler::{Session, load_pack};
use cairn_oci::{
    LayoutStore,
    store::{self, SetTag as _},
};
use cairn_spec::{
    ArchiveLimits, Artifact, FileTree, PackManifest, Tag, human_bytes, pack_artifact,
};
use clap::Args;
use serde_json::json;

use crate::{
    chart_source::{ChartArgs, PackCharts, write_lock},
    client::{ClientArgs, runtime},
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    files::read_tree,
    output::Output,
};

/// Build a pack as an OCI image layout
///
/// The same folder gives the same digest on any machine. The layout can be copied to a registry by
/// any OCI client: `oras cp --from-oci-layout OUT:VERSION HOST/packs/NAME:VERSION`.
#[derive(Debug, Args)]
pub(crate) struct PackBuild {
    /// The folder of the pack
    #[arg(default_value = ".", value_name = "FOLDER")]
    folder: PathBuf,
    /// Where to write the OCI image layout; without it, only the digest is printed
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    charts: ChartArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// A pack that was built.
pub(crate) struct BuiltPack {
    pub(crate) manifest: PackManifest,
    pub(crate) artifact: Artifact,
    /// All files, charts that were fetched included.
    pub(crate) tree: FileTree,
}

impl BuiltPack {
    /// The tag: the version.
    pub(crate) fn tag(&self) -> anyhow::Result<Tag> {
        Ok(Tag::from_version(&self.manifest.metadata.version)?)
    }

    /// All its blobs together, in bytes.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.artifact
            .blobs()
            .iter()
            .map(|blob| blob.descriptor().size)
            .sum()
    }
}

/// Reads a pack folder and makes its artifact, with the charts that the pack wants of repositories;
/// findings are printed.
pub(crate) fn build(
    folder: &Path,
    charts: &PackCharts,
    environment: &Environment,
    output: &Output,
) -> Result<BuiltPack, Failure> {
    let tree = charts.complete(read_tree(folder, &ArchiveLimits::PACK)?)?;
    let mut session = Session::default();
    let pack = load_pack(&folder.display().to_string(), &tree, &mut session);
    output.diagnostics(&session);
    let Some(pack) = pack.filter(|_| !session.diagnostics.has_errors()) else {
        return Err(Failure::reported(ExitCode::InvalidInput));
    };
    let created = environment.created()?;
    let artifact = pack_artifact(&pack.manifest, &tree, created.as_deref())
        .map_err(|error| Failure::new(ExitCode::Error, error))?;
    let packed = artifact
        .blobs()
        .iter()
        .map(|blob| blob.descriptor().size)
        .max()
        .unwrap_or(0);
    if packed > ArchiveLimits::PACK.packed_bytes {
        return Err(Failure::new(
            ExitCode::InvalidInput,
            anyhow!(
                "the pack is {} packed, more than the {} that readers accept",
                human_bytes(packed),
                human_bytes(ArchiveLimits::PACK.packed_bytes)
            ),
        ));
    }
    Ok(BuiltPack {
        manifest: pack.manifest,
        artifact,
        tree,
    })
}

impl PackBuild {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let charts = self.charts.fetcher(&self.client, environment)?;
        let built = build(&self.folder, &charts, environment, output)?;
        write_lock(&self.folder, &built.tree)?;
        if let Some(folder) = &self.output {
            let tag = built.tag()?;
            runtime()?.block_on(async {
                let layout = LayoutStore::open(folder).await?;
                let descriptor = store::push_artifact(&layout, &built.artifact).await?;
                layout.set_tag(&descriptor, &tag).await
            })?;
        }
        let metadata = &built.manifest.metadata;
        let digest = built.artifact.digest();
        output.result(
            &json!({"name": metadata.name, "version": metadata.version, "digest": digest, "sizeBytes": built.size_bytes()}),
            || format!("{} {}  {digest}  {}", metadata.name, metadata.version, human_bytes(built.size_bytes())),
            || digest.to_string(),
        );
        Ok(())
    }
}
