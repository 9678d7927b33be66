//! `cairn chart template`: renders a Helm chart.

use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
    io::Write as _,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use cairn_chart::{
    Capabilities, DEEP_TEMPLATE_BYTES, Dialect, KubeVersion, ManifestOptions, PrintedHooks,
    Release, RenderOptions, print_document, render,
};
use cairn_spec::TreePath;
use clap::Args;

use crate::{
    charts::{DialectArg, Failed, Texts, ValueArgs, load_chart_as, warn},
    exit::{ExitCode, Failure, Outcome},
    generated::GeneratedArgs,
    output::Output,
};

/// The name that Helm gives a release that has none.
pub(super) const UNNAMED: &str = "release-name";
const DEFAULT_NAMESPACE: &str = "default";

/// Render a Helm chart, byte for byte as `helm template` does
///
/// Functions that give another value at each render are refused, unless a value is chosen for the
/// call in `--generated-values`, or with --allow-nondeterministic.
#[derive(Debug, Args)]
pub(crate) struct ChartTemplate {
    /// The release's name; where nothing follows, the chart
    #[arg(value_name = "NAME")]
    name: String,
    /// A chart: a folder or a `.tgz`
    #[arg(value_name = "CHART")]
    chart: Option<PathBuf>,
    #[command(flatten)]
    values: ValueArgs,
    /// Call the release `release-name`
    #[arg(short, long, conflicts_with = "chart")]
    generate_name: bool,
    #[command(flatten)]
    release: ReleaseArgs,
    #[command(flatten)]
    generated: GeneratedArgs,
    #[command(flatten)]
    printed: PrintedArgs,
}

/// What the chart is told of the release and the cluster.
#[derive(Debug, Args)]
pub(super) struct ReleaseArgs {
    /// The release's namespace
    #[arg(short, long, default_value = DEFAULT_NAMESPACE)]
    pub(super) namespace: String,
    /// The release is upgraded, not installed
    #[arg(long)]
    is_upgrade: bool,
    /// The version of Kubernetes
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// API versions that the cluster has besides the usual ones
    #[arg(short, long, value_name = "VERSION", value_delimiter = ',')]
    api_versions: Vec<String>,
    /// Do not check the values against the chart's schemas
    #[arg(long)]
    skip_schema_validation: bool,
    /// How much a render may hold at a time, in MiB: 512 unless told
    #[arg(long, value_name = "MIB")]
    max_memory: Option<usize>,
    /// Which Helm to follow
    #[arg(long, value_enum, default_value_t = DialectArg::Helm4)]
    dialect: DialectArg,
}

/// What is printed, and where to.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Default, Args)]
struct PrintedArgs {
    /// Print the files in `crds/` too
    #[arg(long)]
    include_crds: bool,
    /// Print no hooks that are tests
    #[arg(long)]
    skip_tests: bool,
    /// Print no hooks
    #[arg(long)]
    no_hooks: bool,
    /// Print only what these templates rendered; `*` and `?` may stand for anything but `/`
    #[arg(short, long, value_name = "TEMPLATE")]
    show_only: Vec<String>,
    /// Write a file for each template into this folder
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// Put the release's name between that folder and the files
    #[arg(long, requires = "output_dir")]
    release_name: bool,
}

impl ChartTemplate {
    /// As if nothing else was asked for.
    pub(crate) fn plain(name: &str, chart: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            chart: Some(chart),
            values: ValueArgs::default(),
            generate_name: false,
            release: ReleaseArgs {
                namespace: DEFAULT_NAMESPACE.to_owned(),
                is_upgrade: false,
                kube_version: None,
                api_versions: Vec::new(),
                skip_schema_validation: false,
                max_memory: None,
                dialect: DialectArg::default(),
            },
            generated: GeneratedArgs::default(),
            printed: PrintedArgs::default(),
        }
    }

    pub(crate) fn run(self, output: &Output) -> Outcome {
        // The process ends after this: to give all memory back piece by piece would only take time.
        let mut texts = ManuallyDrop::new(Texts::default());
        self.template(&mut texts, output)
            .map_err(|failed| failed.report(&texts, output))
    }

    fn template(self, texts: &mut Texts, output: &Output) -> Result<(), Failed> {
        let (name, chart) = match self.chart {
            Some(chart) => (self.name, chart),
            None => (UNNAMED.to_owned(), PathBuf::from(self.name)),
        };
        let namespace = &self.release.namespace;
        let host = self.generated.host(&name, namespace, texts, output)?;
        let options = RenderOptions {
            host: &host,
            ..self.release.options(&name)?
        };
        let values = self.values.merge(options.dialect, texts)?;
        let chart = load_chart_as(options.dialect, &chart, texts)?;
        if chart.metadata.deprecated {
            output.warning("this chart is deprecated");
        }
        let release = ManuallyDrop::new(render(
            chart,
            &values,
            &options,
            &mut texts.sources,
            &mut texts.origins,
        )?);
        warn(&release.warnings, texts, output);
        self.printed.print(&release, &name, output)
    }
}

impl ReleaseArgs {
    pub(super) fn options(&self, name: &str) -> Result<RenderOptions<'static>, Failure> {
        let dialect = Dialect::from(self.dialect);
        let mut capabilities = Capabilities::default_of_helm(dialect);
        if let Some(version) = self.kube_version.as_ref().filter(|it| !it.is_empty()) {
            capabilities.kube_version = KubeVersion::parse(version).map_err(|error| {
                Failure::new(ExitCode::InvalidInput, error).hint("give it as in 1.33.4")
            })?;
        }
        let versions = self.api_versions.iter().cloned();
        capabilities.api_versions.extend(versions);
        let mut options = RenderOptions {
            namespace: self.namespace.clone(),
            is_upgrade: self.is_upgrade,
            capabilities,
            skips_schema: self.skip_schema_validation,
            dialect,
            // Only errors ask where bytes came from, and they know it without.
            provenance: false,
            ..RenderOptions::new(name)
        };
        options.limits.stack_bytes = DEEP_TEMPLATE_BYTES;
        if let Some(mib) = self.max_memory {
            options.limits.memory_bytes = mib.saturating_mul(1 << 20);
        }
        Ok(options)
    }
}

impl PrintedArgs {
    fn print(self, release: &Release, name: &str, output: &Output) -> Result<(), Failed> {
        let options = ManifestOptions {
            includes_crds: self.include_crds,
            hooks: if self.no_hooks {
                PrintedHooks::None
            } else if self.skip_tests {
                PrintedHooks::WithoutTests
            } else {
                PrintedHooks::All
            },
            show_only: self.show_only,
        };
        let Some(folder) = self.output_dir else {
            return output.pieces(|print| Ok(release.print(&options, print)?));
        };
        let release_folder = if self.release_name {
            folder.join(name)
        } else {
            folder.clone()
        };
        let mut writer = Writer {
            output,
            written: HashSet::new(),
        };
        for crd in release.printed_crds(&options) {
            writer.write(&folder, &crd.path, crd.bytes()?, false)?;
        }
        for document in &release.documents {
            writer.write(&release_folder, document.path(), document.bytes(), false)?;
        }
        for hook in release.printed_hooks(&options) {
            let document = &hook.document;
            writer.write(&release_folder, document.path(), document.bytes(), true)?;
        }
        output.data("\n");
        Ok(())
    }
}

/// Writes documents as files, as Helm does.
struct Writer<'o> {
    output: &'o Output,
    written: HashSet<PathBuf>,
}

impl Writer<'_> {
    /// Adds a document to the file of its template; hooks are also added to one that an earlier
    /// run wrote.
    fn write(
        &mut self,
        folder: &Path,
        path: &str,
        bytes: &[u8],
        is_hook: bool,
    ) -> Result<(), Failure> {
        // The chart's paths must not lead out of the folder.
        let below: TreePath = path.parse().map_err(|error: cairn_spec::PathError| {
            Failure::new(ExitCode::InvalidInput, anyhow!("`{path}`: {error}"))
                .hint("rename the template")
        })?;
        let file = folder.join(below.as_str());
        let appends = self.written.contains(&file) || (is_hook && file.exists());
        let mut text = Vec::new();
        print_document(path, bytes, &mut text);
        let write = || -> std::io::Result<()> {
            if let Some(parent) = file.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut options = OpenOptions::new();
            if appends {
                options.append(true);
            } else {
                options.write(true).create(true).truncate(true);
            }
            options.open(&file)?.write_all(&text)
        };
        write().with_context(|| format!("failed to write `{}`", file.display()))?;
        self.output.data(&format!("wrote {}\n", file.display()));
        self.written.insert(file);
        Ok(())
    }
}
