//! `cairn quickstart`: the whole way once, on this machine, with everything it needs inside.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Instant,
};

use anyhow::{Context as _, anyhow};
use cairn_compiler::{Build, LockMode, charts_to_fetch};
use cairn_oci::{
    Client, PrivateKey, Progress,
    sign::{SignOptions, sign},
    trust::{TrustPolicy, verify_trust},
};
use cairn_registry::{Config, StorageConfig};
use cairn_spec::{
    ArchiveLimits, BundleManifest, Digest, FileTree, Reference, bundle_artifact, check_files,
    read_bundle_manifest, unpack_bundle,
};
use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    key_generate::load_or_create,
    pack_build::build as build_pack,
    pack_push::{PushedPack, find_packs, push},
    profile_build::{self, ProfileSources, refused},
    registry_serve::stop_on_signal,
};
use crate::{
    chart_mirrors::ChartMirrorArgs,
    chart_source::{ChartArgs, ChartPlaces, Charts},
    client::{ClientArgs, runtime},
    config::Environment,
    embedded,
    exit::{ExitCode, Failure, Outcome},
    files::{read_tree, write_file},
    output::{Output, count},
    packs::{RegistryPacks, pull_limits},
    picture,
    signing::{Trust, TrustArgs},
};

/// Try it all: registry, keys, packs and an example cluster's bundle, on this machine
///
/// Starts a registry with its data in ./.cairn, makes a key once, builds, signs and pushes every
/// pack, builds the example cluster's bundle into ./out, verifies all of it, and goes on serving.
/// Run it again: nothing changes, and it says so.
#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    /// Exit when all is done, instead of serving until Ctrl-C
    #[arg(long)]
    once: bool,
    /// The folder for the registry's data, the key, the trust policy and the lock
    #[arg(long, default_value = ".cairn", value_name = "FOLDER")]
    data: PathBuf,
    /// The folder to write the bundle to
    #[arg(long, default_value = "out", value_name = "FOLDER")]
    output: PathBuf,
    /// The port to serve on; another one is taken when it is in use
    #[arg(long, default_value_t = 5000)]
    port: u16,
}

/// How many packs are pushed at a time.
const CONCURRENT_PUSHES: usize = 6;
/// The example that is built.
const PROFILE: &str = "examples/edge/profile.yaml";
const CLUSTER: &str = "examples/edge/clusters/shop-17.yaml";

impl Quickstart {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let runtime = runtime()?;
        let shutdown = CancellationToken::new();
        let servers = TaskTracker::new();
        let result = self.serve_and_build(&runtime, (&shutdown, &servers), environment, output);
        if result.is_ok() && !self.once {
            runtime.block_on(shutdown.cancelled());
        }
        shutdown.cancel();
        servers.close();
        runtime.block_on(servers.wait());
        result
    }

    fn serve_and_build(
        &self,
        runtime: &Runtime,
        (shutdown, servers): (&CancellationToken, &TaskTracker),
        environment: &Environment,
        output: &Output,
    ) -> Outcome {
        let started = Instant::now();
        let address = runtime.block_on(self.start_registry(shutdown, servers, output))?;
        let (key, new_key) = load_or_create(&self.data.join("keys/quickstart"))?;
        let key_id = key.public_key()?.id().to_owned();
        output.message(&format!(
            "{} key {}",
            if new_key { "made" } else { "using" },
            &key_id[..12]
        ));
        let trust = self.write_trust_policy(&key)?;
        let tour = Tour {
            options: self,
            environment,
            output,
            runtime,
            client: ClientArgs::default().client(environment, Progress::default())?,
            policy: TrustPolicy::load(&trust)?,
            sources: embedded::sources(&self.data)?,
            address,
            key,
        };
        tour.take(started)?;
        if !self.once {
            output.message(&format!("serving on http://{address}/ until Ctrl-C"));
        }
        Ok(())
    }

    async fn start_registry(
        &self,
        shutdown: &CancellationToken,
        servers: &TaskTracker,
        output: &Output,
    ) -> Result<SocketAddr, Failure> {
        let listener = listen(self.port).await?;
        let address = listener
            .local_addr()
            .context("failed to learn the address")?;
        if self.port != 0 && address.port() != self.port {
            output.message(&format!(
                "port {} is in use, so the registry takes {}",
                self.port,
                address.port()
            ));
        }
        let config = Config {
            storage: StorageConfig::Directory(self.data.join("registry")),
            ..Config::default()
        };
        let app = config.build().await.map_err(|error| {
            Failure::new(ExitCode::Error, error)
                .hint("is another quickstart running here? It holds the registry's data")
        })?;
        stop_on_signal(shutdown, None)?;
        let token = shutdown.clone();
        servers.spawn(async move {
            if let Err(error) = app.run(listener, token).await {
                tracing::error!(error = %cairn_oci::chain(&error), "the registry stopped");
            }
        });
        output.message(&format!(
            "registry on http://{address}/, data in {}",
            self.data.display()
        ));
        Ok(address)
    }

    /// The policy trusts the quickstart's key for packs and bundles of this machine's registry.
    fn write_trust_policy(&self, key: &PrivateKey) -> anyhow::Result<PathBuf> {
        let path = self.data.join("trust.yaml");
        let pem = key.public_key()?.to_pem()?;
        let indented = pem
            .lines()
            .fold(String::new(), |text, line| text + "      " + line + "\n");
        let text = format!(
            "# Whose signatures packs and bundles need (spec/signing.md). Written by `cairn quickstart`.\n\
             apiVersion: cairn.dev/v1\n\
             kind: TrustPolicy\n\
             rules:\n\
             - repositories: [\"127.0.0.1:*/packs/**\", \"127.0.0.1:*/bundles/**\"]\n  \
               keys:\n  \
               - name: quickstart\n    \
                 pem: |\n{indented}"
        );
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            write_file(&path, text.as_bytes())?;
        }
        Ok(path)
    }
}

/// What every step of the tour needs.
struct Tour<'a> {
    options: &'a Quickstart,
    environment: &'a Environment,
    output: &'a Output,
    runtime: &'a Runtime,
    client: Client,
    policy: TrustPolicy,
    /// The folder with `packs/` and `examples/`.
    sources: PathBuf,
    address: SocketAddr,
    key: PrivateKey,
}

impl Tour<'_> {
    fn take(&self, started: Instant) -> Outcome {
        let packs = self.push_packs()?;
        let build = self.build()?;
        let bundle = build
            .bundle
            .as_ref()
            .context("the build reported no error and made no bundle")?;
        let published = self.publish(bundle)?;
        self.verify(&published, bundle, &packs)?;
        let unchanged = self.remember(&published, &packs)?;
        self.output
            .data(&picture::stack(&build.layers, self.output.color_data));
        self.report(&published, bundle, unchanged, started)
    }

    fn push_packs(&self) -> Result<Vec<PushedPack>, Failure> {
        let prefix = format!("{}/packs", self.address);
        let mut built = Vec::new();
        // Packs whose charts are elsewhere are left out: nothing here needs a network.
        let charts = ChartArgs {
            offline: true,
            ..ChartArgs::default()
        };
        let charts = charts.fetcher(&ClientArgs::default(), self.environment)?;
        for folder in find_packs(&self.sources.join("packs"))? {
            let tree = read_tree(&folder, &ArchiveLimits::PACK)?;
            if charts_to_fetch(&tree).wanted.is_empty() {
                built.push(build_pack(&folder, &charts, self.environment, self.output)?);
            }
        }
        let bar = self.progress_bar(built.len());
        let pushed: Vec<PushedPack> = self.runtime.block_on(
            stream::iter(&built)
                .map(|pack| async {
                    let pushed = push(
                        &self.client,
                        pack,
                        &prefix,
                        (Some(&self.key), self.environment),
                        false,
                    )
                    .await;
                    bar.set_message(pack.manifest.metadata.name.to_string());
                    bar.inc(1);
                    pushed
                })
                .buffered(CONCURRENT_PUSHES)
                .try_collect(),
        )?;
        bar.finish_and_clear();
        let new = pushed.iter().filter(|pack| pack.uploaded > 0).count();
        let is_new = |pack: &&PushedPack| {
            pack.signed
                .as_ref()
                .is_some_and(|signed| !signed.added.is_empty())
        };
        let signed = pushed.iter().filter(is_new).count();
        let packs = count(pushed.len(), "pack");
        self.output.message(&format!(
            "{packs}: {new} pushed, {} there already; {signed} newly signed",
            pushed.len() - new
        ));
        Ok(pushed)
    }

    fn progress_bar(&self, packs: usize) -> ProgressBar {
        let bar = if self.output.shows_progress() {
            ProgressBar::new(packs as u64)
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} packs {msg}") {
            bar.set_style(style);
        }
        bar
    }

    /// No profile of the example has charts of repositories.
    fn charts(&self) -> Charts {
        Charts::new(
            self.client.clone(),
            self.runtime.handle().clone(),
            ChartPlaces {
                offline: true,
                ..ChartPlaces::default()
            },
        )
    }

    fn build(&self) -> Result<Build, Failure> {
        let profile = self.sources.join(PROFILE);
        let sources = ProfileSources {
            cluster: Some(self.sources.join(CLUSTER)),
            variables: Vec::new(),
            lock: Some(self.options.data.join("quickstart.lock")),
            registries: Vec::new(),
            offline: true,
            chart_mirrors: ChartMirrorArgs::default(),
            trust: TrustArgs::default(),
            client: ClientArgs::default(),
        };
        let registry = "default".parse().map_err(anyhow::Error::new)?;
        let packs = RegistryPacks {
            charts: self.charts(),
            offline: false,
            client: self.client.clone(),
            trust: Trust::Policy(self.policy.clone()),
            runtime: self.runtime.handle().clone(),
            registries: BTreeMap::from([(registry, format!("oci://{}/packs", self.address))]),
        };
        // Versions are chosen anew: the packs of this checkout are the newest there are.
        let build = profile_build::run(&profile, &sources, LockMode::Update(Vec::new()), &packs)?;
        self.output.diagnostics(&build.session);
        match &build.bundle {
            Some(bundle) => {
                profile_build::write(
                    &self.options.output,
                    bundle,
                    build.lock.as_deref(),
                    &sources.lock_path(&profile),
                )?;
                Ok(build)
            }
            None => Err(refused(&build, self.output)),
        }
    }

    fn publish(&self, bundle: &FileTree) -> Result<Reference, Failure> {
        let failed = |error| Failure::new(ExitCode::Error, error);
        let manifest = read_bundle_manifest(bundle).map_err(failed)?;
        let text = format!(
            "{}/bundles/{}:{}",
            self.address,
            title(&manifest),
            manifest.profile.version
        );
        let reference: Reference = text.parse().map_err(anyhow::Error::new)?;
        let artifact =
            bundle_artifact(bundle, self.environment.created()?.as_deref()).map_err(failed)?;
        let options = SignOptions {
            created_unix_s: self.environment.created_unix_s()?,
            ..SignOptions::default()
        };
        self.runtime.block_on(async {
            let pushed = self.client.push_artifact(&reference, &artifact).await?;
            let pinned = reference.with_digest(pushed.digest.clone());
            sign(&self.client, &pinned, &self.key, &options).await?;
            Ok(Reference {
                digest: Some(pushed.digest),
                ..reference
            })
        })
    }

    /// Reads back what was published, as a stranger would: signature first, then every byte.
    fn verify(&self, published: &Reference, bundle: &FileTree, packs: &[PushedPack]) -> Outcome {
        let failed = |error| Failure::new(ExitCode::Error, error);
        self.runtime.block_on(async {
            for pack in packs {
                verify_trust(
                    &self.client,
                    &pack.reference.with_digest(pack.digest.clone()),
                    &self.policy,
                )
                .await?;
            }
            let trusted = verify_trust(&self.client, published, &self.policy).await?;
            let artifact = self
                .client
                .pull_artifact(&published.with_digest(trusted.digest), &pull_limits())
                .await?;
            let pulled = unpack_bundle(&artifact).map_err(failed)?;
            if pulled != *bundle {
                let error = anyhow!("the bundle that was pulled is not the one that was pushed");
                return Err(Failure::new(ExitCode::Error, error));
            }
            check_files(bundle).map_err(failed)
        })
    }

    /// Compares with the digests of the run before; true when nothing changed.
    fn remember(&self, published: &Reference, packs: &[PushedPack]) -> anyhow::Result<bool> {
        let path = self.options.data.join("quickstart.digests");
        let lines = packs
            .iter()
            .map(|pack| format!("{} {}\n", pack.digest, pack.reference.repository));
        let bundle = published
            .digest
            .as_ref()
            .map(Digest::to_string)
            .unwrap_or_default();
        let text: String = lines
            .chain([format!("{bundle} {}\n", published.repository)])
            .collect();
        let unchanged = std::fs::read_to_string(&path).is_ok_and(|before| before == text);
        if !unchanged {
            write_file(&path, text.as_bytes())?;
        }
        Ok(unchanged)
    }

    fn report(
        &self,
        published: &Reference,
        bundle: &FileTree,
        unchanged: bool,
        started: Instant,
    ) -> Outcome {
        let manifest =
            read_bundle_manifest(bundle).map_err(|error| Failure::new(ExitCode::Error, error))?;
        let digest = published
            .digest
            .as_ref()
            .map(Digest::to_string)
            .unwrap_or_default();
        let by_tag = Reference {
            digest: None,
            ..published.clone()
        };
        let out = self.options.output.display();
        self.output.data(&format!(
            "\n{}: {} {} on Kubernetes {}\n  bundle   {digest}\n  content  {}, {}, {}; all signatures verified\n  time     {:.1} s{}\n",
            title(&manifest),
            manifest.profile.name,
            manifest.profile.version,
            manifest.kubernetes,
            count(manifest.layers.len(), "layer"),
            count(manifest.objects, "object"),
            count(manifest.images, "image"),
            started.elapsed().as_secs_f64(),
            if unchanged { "\n  nothing changed since the last run: same digests" } else { "" },
        ));
        self.output.data(&format!(
            "\ntry next\n  oras pull --plain-http {by_tag} -o bundle\n  kubectl apply --dry-run=client -R -f {out}/manifests\n  \
             cairn profile tree {PROFILE} --cluster {CLUSTER}\n  cairn verify {by_tag}\n"
        ));
        Ok(())
    }
}

/// Who a bundle is for: its cluster, or its profile.
fn title(manifest: &BundleManifest) -> String {
    manifest
        .cluster
        .as_ref()
        .map_or_else(|| manifest.profile.name.to_string(), ToString::to_string)
}

/// The port asked for, or any that is free when it is in use.
async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .await
                .context("failed to listen on 127.0.0.1")
        }
        other => other.with_context(|| format!("failed to listen on 127.0.0.1:{port}")),
    }
}
