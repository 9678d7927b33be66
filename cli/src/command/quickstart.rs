//! `cairn quickstart`: the whole way once, on this machine, with everything it needs inside.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, anyhow};
use cairn_compiler::{Build, LockMode};
use cairn_oci::{
    Client, PrivateKey, Progress,
    sign::{SignOptions, sign},
    trust::{TrustPolicy, verify_trust},
};
use cairn_registry::{Config, StorageConfig};
use cairn_spec::{
    Digest, FileTree, Reference, bundle_artifact, check_files, read_bundle_manifest, unpack_bundle,
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
    profile_build::{self, ProfileArgs, refused},
    registry_serve::{IMMUTABLE_BY_DEFAULT, stop_on_signal},
};
use crate::{
    client::{ClientArgs, runtime},
    config::Environment,
    embedded,
    exit::{ExitCode, Failure, Outcome},
    files::write_file,
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
        let trust = self.write_trust_policy(&key)?;
        let key_id = key.public_key()?.id().to_owned();
        output.message(&format!(
            "{} key {}",
            if new_key { "made" } else { "using" },
            &key_id[..12]
        ));
        let sources = embedded::sources(&self.data)?;
        let prefix = format!("{address}/packs");
        let client = ClientArgs::default().client(environment, Progress::default())?;
        let pushed = self.push_packs(
            runtime,
            &client,
            (&sources.join("packs"), &prefix),
            (&key, environment),
            output,
        )?;
        let build = self.build(runtime, &client, (&sources, &prefix, &trust), output)?;
        let bundle = build
            .bundle
            .as_ref()
            .context("the build reported no error and made no bundle")?;
        let published = self.publish(runtime, &client, (bundle, &address), (&key, environment))?;
        self.verify(runtime, &client, (&published, bundle, &pushed), &trust)?;
        let unchanged = self.remember(&published, &pushed)?;
        output.data(&picture::stack(&build.layers, output.color_data));
        self.report(&published, bundle, unchanged, started, output)?;
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
            immutable_tags: vec![IMMUTABLE_BY_DEFAULT.to_owned()],
            ..Config::default()
        };
        let app = config.build().await.map_err(|error| {
            Failure::new(ExitCode::Error, error)
                .hint("is another quickstart running here? It holds the registry's data")
        })?;
        stop_on_signal(shutdown)?;
        let token = shutdown.clone();
        servers.spawn(async move {
            if let Err(error) = app.run(listener, token).await {
                tracing::error!(error = %crate::packs::chain(&error), "the registry stopped");
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
        let indented: String = pem.lines().map(|line| format!("      {line}\n")).collect();
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

    fn push_packs(
        &self,
        runtime: &Runtime,
        client: &Client,
        (folder, prefix): (&Path, &str),
        (key, environment): (&PrivateKey, &Environment),
        output: &Output,
    ) -> Result<Vec<PushedPack>, Failure> {
        let folders = find_packs(folder)?;
        let mut built = Vec::new();
        for folder in &folders {
            built.push(build_pack(folder, environment, output)?);
        }
        let bar = if output.shows_progress() {
            ProgressBar::new(built.len() as u64)
        } else {
            ProgressBar::hidden()
        };
        bar.set_style(
            ProgressStyle::with_template("{bar:24} {pos}/{len} packs {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let pushed: Vec<PushedPack> = runtime.block_on(
            stream::iter(&built)
                .map(|pack| async {
                    let pushed = push(client, pack, prefix, (Some(key), environment), false).await;
                    bar.set_message(pack.manifest.metadata.name.to_string());
                    bar.inc(1);
                    pushed
                })
                .buffered(CONCURRENT_PUSHES)
                .try_collect(),
        )?;
        bar.finish_and_clear();
        let new = pushed.iter().filter(|pack| pack.uploaded > 0).count();
        let signed = pushed
            .iter()
            .filter(|pack| {
                pack.signed
                    .as_ref()
                    .is_some_and(|signed| !signed.added.is_empty())
            })
            .count();
        output.message(&format!(
            "{}: {new} pushed, {} there already; {signed} newly signed",
            count(pushed.len(), "pack"),
            pushed.len() - new
        ));
        Ok(pushed)
    }

    fn build(
        &self,
        runtime: &Runtime,
        client: &Client,
        (sources, prefix, trust): (&Path, &str, &Path),
        output: &Output,
    ) -> Result<Build, Failure> {
        let arguments = ProfileArgs {
            profile: sources.join(PROFILE),
            cluster: Some(sources.join(CLUSTER)),
            variables: Vec::new(),
            lock: Some(self.data.join("quickstart.lock")),
            registries: vec![(
                "default".parse().map_err(anyhow::Error::new)?,
                format!("oci://{prefix}"),
            )],
            trust: TrustArgs {
                trust: Some(trust.to_path_buf()),
                insecure_skip_verify: false,
            },
            client: ClientArgs::default(),
        };
        let packs = RegistryPacks {
            client: client.clone(),
            trust: Trust::Policy(TrustPolicy::load(trust)?),
            runtime: runtime.handle().clone(),
            registries: arguments.registries.iter().cloned().collect(),
        };
        // Versions are chosen anew: the packs of this checkout are the newest there are.
        let build = profile_build::run(&arguments, LockMode::Update(Vec::new()), &packs)?;
        output.diagnostics(&build.session);
        match &build.bundle {
            Some(bundle) => {
                profile_build::write(
                    &self.output,
                    bundle,
                    build.lock.as_deref(),
                    &arguments.lock_path(),
                )?;
                Ok(build)
            }
            None => Err(refused(&build, output)),
        }
    }

    fn publish(
        &self,
        runtime: &Runtime,
        client: &Client,
        (bundle, address): (&FileTree, &SocketAddr),
        (key, environment): (&PrivateKey, &Environment),
    ) -> Result<Reference, Failure> {
        let manifest =
            read_bundle_manifest(bundle).map_err(|error| Failure::new(ExitCode::Error, error))?;
        let name = manifest
            .cluster
            .as_ref()
            .map_or_else(|| manifest.profile.name.to_string(), ToString::to_string);
        let reference: Reference = format!("{address}/bundles/{name}:{}", manifest.profile.version)
            .parse()
            .map_err(anyhow::Error::new)?;
        let artifact = bundle_artifact(bundle, environment.created()?.as_deref())
            .map_err(|error| Failure::new(ExitCode::Error, error))?;
        let options = SignOptions {
            created_unix_s: environment.created_unix_s()?,
            ..SignOptions::default()
        };
        runtime.block_on(async {
            let pushed = client.push_artifact(&reference, &artifact).await?;
            let pinned = reference.with_digest(pushed.digest.clone());
            sign(client, &pinned, key, &options).await?;
            Ok(Reference {
                digest: Some(pushed.digest),
                ..reference
            })
        })
    }

    /// Reads back what was published, as a stranger would: signature first, then every byte.
    fn verify(
        &self,
        runtime: &Runtime,
        client: &Client,
        (published, bundle, packs): (&Reference, &FileTree, &[PushedPack]),
        trust: &Path,
    ) -> Outcome {
        let policy = TrustPolicy::load(trust)?;
        runtime.block_on(async {
            for pack in packs {
                verify_trust(
                    client,
                    &pack.reference.with_digest(pack.digest.clone()),
                    &policy,
                )
                .await?;
            }
            let trusted = verify_trust(client, published, &policy).await?;
            let artifact = client
                .pull_artifact(&published.with_digest(trusted.digest), &pull_limits())
                .await?;
            let pulled =
                unpack_bundle(&artifact).map_err(|error| Failure::new(ExitCode::Error, error))?;
            if pulled != *bundle {
                return Err(Failure::new(
                    ExitCode::Error,
                    anyhow!("the bundle that was pulled is not the one that was pushed"),
                ));
            }
            check_files(bundle).map_err(|error| Failure::new(ExitCode::Error, error))
        })
    }

    /// Compares with the digests of the run before; true when nothing changed.
    fn remember(&self, published: &Reference, packs: &[PushedPack]) -> anyhow::Result<bool> {
        let path = self.data.join("quickstart.digests");
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
        output: &Output,
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
        let cluster = manifest
            .cluster
            .as_ref()
            .map_or_else(|| manifest.profile.name.to_string(), ToString::to_string);
        let out = self.output.display();
        output.data(&format!(
            "\n{cluster}: {} {} on Kubernetes {}\n  bundle   {digest}\n  content  {}, {}, {}; all signatures verified\n  time     {:.1} s{}\n",
            manifest.profile.name,
            manifest.profile.version,
            manifest.kubernetes,
            count(manifest.layers.len(), "layer"),
            count(manifest.objects, "object"),
            count(manifest.images, "image"),
            started.elapsed().as_secs_f64(),
            if unchanged { "\n  nothing changed since the last run: same digests" } else { "" },
        ));
        output.data(&format!(
            "\ntry next\n  oras pull --plain-http {by_tag} -o bundle\n  kubectl apply --dry-run=client -R -f {out}/manifests\n  cairn profile tree {PROFILE} --cluster {CLUSTER}\n  cairn verify {by_tag}\n"
        ));
        Ok(())
    }
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
