//! The command line's shape.

use std::{env, ffi::OsString};

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};

use crate::command::{
    agent_manifest, agent_rights, agent_run, apply, bench_registry, bundle_verify, chart_explain,
    chart_lint, chart_show, chart_template::ChartTemplate, cluster_desire, cluster_keyring,
    cluster_sign, completion, key_generate, pack_build, pack_import_helm, pack_import_palette,
    pack_inspect, pack_lint, pack_new, pack_pull, pack_push, pack_test, plan, profile_build,
    profile_explain, profile_lint, profile_tree, profile_update, quickstart,
    registry_authz_explain, registry_check, registry_doctor, registry_export, registry_fsck,
    registry_gc, registry_healthcheck, registry_import, registry_login, registry_logout,
    registry_quota, registry_rebuild, registry_retention, registry_serve, registry_sync,
    registry_token_create, registry_token_list, registry_token_revoke, registry_user_add,
    registry_user_remove, registry_webhooks_discard, registry_webhooks_list,
    registry_webhooks_retry, rollback, sign, status, uninstall, verify,
};

/// Stack packs into cluster profiles; get manifests that are right before they reach a cluster.
#[derive(Debug, Parser)]
#[command(
    name = "cairn",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cairn {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Whether the command is one of those that render a chart and end, as far as the first argument
/// tells before any is read.
pub(crate) fn may_render_charts() -> bool {
    env::args_os().nth(1).is_some_and(|first| first == "chart")
}

impl Cairn {
    /// The command line of this process.
    pub(crate) fn read() -> Self {
        let arguments: Vec<OsString> = env::args_os().collect();
        if let Some(plain) = Self::plain(&arguments) {
            return plain;
        }
        let first = arguments.get(1);
        let may_be_short = first.is_some_and(|first| first == "chart" || first == "--version");
        if may_be_short {
            match Short::try_parse() {
                Ok(Short { output, command }) => {
                    let ShortCommand::Chart(chart) = command;
                    let command = Command::Chart(chart);
                    return Self { output, command };
                }
                Err(error) if error.kind() == ErrorKind::DisplayVersion => error.exit(),
                // Whoever asks for help or is mistaken gets the answer that knows all commands.
                Err(_) => {}
            }
        }
        Self::parse()
    }

    /// What `cairn chart template NAME CHART` is read as. To have clap read it takes a tenth of the
    /// time of a small chart.
    fn plain(arguments: &[OsString]) -> Option<Self> {
        let [_, chart, template, name, path] = arguments else {
            return None;
        };
        let is_value = |argument: &OsString| {
            !argument.is_empty() && !argument.as_encoded_bytes().starts_with(b"-")
        };
        if chart != "chart" || template != "template" || !is_value(name) || !is_value(path) {
            return None;
        }
        let template = ChartTemplate::plain(name.to_str()?, path.into());
        Some(Self {
            output: OutputArgs::default(),
            command: Command::Chart(Chart::Template(Box::new(template))),
        })
    }
}

/// The part of [`Cairn`] that renders charts, which is called in loops. To make all commands with
/// all their arguments takes a millisecond, half as long as to render a small chart.
#[derive(Debug, Parser)]
#[command(name = "cairn", version, propagate_version = true)]
struct Short {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: ShortCommand,
}

#[derive(Debug, Subcommand)]
enum ShortCommand {
    #[command(subcommand)]
    Chart(Chart),
}

/// How results are printed.
#[derive(Debug, Default, Args)]
pub(crate) struct OutputArgs {
    /// The format of results on standard output
    #[arg(short = 'o', long = "output-format", global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) format: Format,
    /// Print errors and results only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more; twice for every request
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
}

/// The format of results.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns, for people
    #[default]
    Table,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// Names only, one a line
    Name,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Try it all: registry, keys, packs and an example cluster's bundle, on this machine
    Quickstart(quickstart::Quickstart),
    /// Write, check and publish packs
    #[command(subcommand)]
    Pack(Pack),
    /// Render and check Helm charts
    #[command(subcommand)]
    Chart(Chart),
    /// Build bundles from profiles
    #[command(subcommand)]
    Profile(Profile),
    /// Check bundles
    #[command(subcommand)]
    Bundle(Bundle),
    /// Show what applying a bundle would change; nothing is written
    Plan(plan::Plan),
    /// Apply a bundle to a cluster, layer by layer
    Apply(apply::Apply),
    /// Show the layers of a cluster, their objects, and how healthy they are
    Status(status::Status),
    /// Go back to the bundle that was healthy in a cluster before
    Rollback(rollback::Rollback),
    /// Delete what Cairn has applied to a cluster, the last layer first
    Uninstall(uninstall::Uninstall),
    /// Say what clusters with an agent are to run
    #[command(subcommand)]
    Cluster(Cluster),
    /// Install the agent that keeps a cluster as it should be
    #[command(subcommand)]
    Agent(Agent),
    /// Serve packs and any other OCI content
    #[command(subcommand)]
    Registry(Registry),
    /// Measure how fast something is
    #[command(subcommand)]
    Bench(Bench),
    /// Make keys to sign with
    #[command(subcommand)]
    Key(Key),
    /// Sign an artifact in a registry
    Sign(sign::Sign),
    /// Verify the signatures of an artifact in a registry
    Verify(verify::Verify),
    /// Print the completion script of a shell
    Completion(completion::Completion),
}

/// Write, check and publish packs.
#[derive(Debug, Subcommand)]
pub(crate) enum Pack {
    /// Start a new pack
    New(pack_new::PackNew),
    /// Find what would be refused, and what a careful author would mend
    Lint(pack_lint::PackLint),
    /// Run a pack's tests
    Test(pack_test::PackTest),
    /// Build a pack as an OCI image layout
    Build(pack_build::PackBuild),
    /// Build, push and sign a pack
    Push(pack_push::PackPush),
    /// Verify and unpack a pack
    Pull(pack_pull::PackPull),
    /// Show what a pack is
    Inspect(pack_inspect::PackInspect),
    /// Make a pack of something else
    #[command(subcommand)]
    Import(Import),
}

/// Make a pack of something else.
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Wrap a Helm chart as a pack
    Helm(pack_import_helm::PackImportHelm),
    /// Make a pack of a Palette pack
    Palette(pack_import_palette::PackImportPalette),
}

/// Render and check Helm charts.
#[derive(Debug, Subcommand)]
pub(crate) enum Chart {
    /// Render a chart, byte for byte as `helm template` does
    Template(Box<ChartTemplate>),
    /// Say where a field of what a chart renders came from
    Explain(Box<chart_explain::ChartExplain>),
    /// Show a part of a chart
    Show(chart_show::ChartShow),
    /// Find what keeps charts from being installed, and what looks like a mistake
    Lint(Box<chart_lint::ChartLint>),
}

/// Build bundles from profiles.
#[derive(Debug, Subcommand)]
pub(crate) enum Profile {
    /// Build a bundle: manifests, plan, host files, images, lock
    Build(profile_build::ProfileBuild),
    /// Say where a field of what a profile builds to came from
    Explain(Box<profile_explain::ProfileExplain>),
    /// Report every problem without writing anything
    Lint(profile_lint::ProfileLint),
    /// Show the stack of layers and why each is where it is
    Tree(profile_tree::ProfileTree),
    /// Choose newer pack versions and write the lock
    Update(profile_update::ProfileUpdate),
}

/// Check bundles.
#[derive(Debug, Subcommand)]
pub(crate) enum Bundle {
    /// Check that a bundle is whole, and that rebuilding it gives the same bytes
    Verify(bundle_verify::BundleVerify),
}

/// Say what clusters with an agent are to run.
#[derive(Debug, Subcommand)]
pub(crate) enum Cluster {
    /// Sign what a cluster is to run
    Desire(Box<cluster_desire::ClusterDesire>),
    /// Add a signature to what a cluster is to run, or to a keyring
    Sign(cluster_sign::ClusterSign),
    /// Say whose signatures agents take
    Keyring(cluster_keyring::ClusterKeyring),
}

/// Run or install the agent that keeps a cluster as it should be.
#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// Keep a cluster in its desired state: the agent itself
    Run(Box<agent_run::AgentRun>),
    /// Print the manifest that installs the agent: `kubectl apply -f`
    Manifest(Box<agent_manifest::AgentManifest>),
    /// Show what the agent must be allowed to do for a bundle
    Rights(agent_rights::AgentRights),
}

/// Serve packs and any other OCI content.
#[derive(Debug, Subcommand)]
pub(crate) enum Registry {
    /// Serve a registry
    Serve(registry_serve::RegistryServe),
    /// Check a registry's configuration without serving
    Check(registry_check::RegistryCheck),
    /// Try out a registry's storage
    Doctor(registry_doctor::RegistryDoctor),
    /// Ask a registry whether it is ready
    Healthcheck(registry_healthcheck::RegistryHealthcheck),
    /// Remove what nothing refers to any more
    Gc(registry_gc::RegistryGc),
    /// Check a registry's storage, and repair it
    Fsck(registry_fsck::RegistryFsck),
    /// Recompute everything that follows from manifests, tags and blobs
    Rebuild(registry_rebuild::RegistryRebuild),
    /// Show how much of the quotas is used
    Quota(registry_quota::RegistryQuota),
    /// Remove the tags and manifests that the rules of retention do not keep
    Retention(registry_retention::RegistryRetention),
    /// Copy repositories to an OCI image layout
    Export(registry_export::RegistryExport),
    /// Take over an OCI image layout, or the files of a distribution registry
    Import(registry_import::RegistryImport),
    /// Copy repositories and tags from one registry to another
    Sync(registry_sync::RegistrySync),
    /// Log in to a registry
    Login(registry_login::RegistryLogin),
    /// Log out of a registry
    Logout(registry_logout::RegistryLogout),
    /// Manage the users in a password file
    #[command(subcommand)]
    User(User),
    /// Manage API tokens
    #[command(subcommand)]
    Token(Token),
    /// Ask an access policy
    #[command(subcommand)]
    Authz(Authz),
    /// Look after events that webhooks did not take
    #[command(subcommand)]
    Webhooks(Webhooks),
}

/// Manage the users in a password file.
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a user, or change a password
    Add(registry_user_add::RegistryUserAdd),
    /// Remove a user
    Remove(registry_user_remove::RegistryUserRemove),
}

/// Manage API tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Create a token; its secret is printed once
    Create(registry_token_create::RegistryTokenCreate),
    /// List tokens, never their secrets
    List(registry_token_list::RegistryTokenList),
    /// Revoke a token
    Revoke(registry_token_revoke::RegistryTokenRevoke),
}

/// Ask an access policy.
#[derive(Debug, Subcommand)]
pub(crate) enum Authz {
    /// Say whether something is allowed, and which rule decides
    Explain(registry_authz_explain::RegistryAuthzExplain),
}

/// Look after events that webhooks did not take.
#[derive(Debug, Subcommand)]
pub(crate) enum Webhooks {
    /// List the events that webhooks never took
    List(registry_webhooks_list::RegistryWebhooksList),
    /// Have events delivered that webhooks did not take
    Retry(registry_webhooks_retry::RegistryWebhooksRetry),
    /// Throw events away that webhooks did not take
    Discard(registry_webhooks_discard::RegistryWebhooksDiscard),
}

/// Measure how fast something is.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Measure a registry, alone or beside others
    Registry(bench_registry::BenchRegistry),
}

/// Make keys to sign with.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Generate a key pair
    Generate(key_generate::KeyGenerate),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_arguments_are_read_as_clap_reads_them() {
        let read = |arguments: &[&str]| {
            let plain = arguments.iter().map(OsString::from).collect::<Vec<_>>();
            let plain = Cairn::plain(&plain).map(|plain| format!("{plain:?}"));
            let clap = Cairn::try_parse_from(arguments).map(|clap| format!("{clap:?}"));
            (plain, clap.ok())
        };
        let (plain, clap) = read(&["cairn", "chart", "template", "demo", "charts/web"]);
        assert!(plain.is_some());
        assert_eq!(plain, clap);
        for other in [
            &["cairn", "chart", "template", "demo"][..],
            &["cairn", "chart", "template", "demo", "-q"],
            &["cairn", "chart", "template", "-n", "web"],
            &["cairn", "chart", "template", "demo", ""],
            &["cairn", "chart", "show", "values", "web"],
            &["cairn", "pack", "template", "demo", "web"],
        ] {
            assert_eq!(read(other).0, None, "{other:?}");
        }
    }
}
