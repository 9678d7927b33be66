//! Packs from registries: resolved, verified against the trust policy, then unpacked.

use std::collections::BTreeMap;

use cairn_compiler::{FetchedChart, FetchedPack, InputError, PackSource};
use cairn_oci::{Client, Error, PullLimits, chain};
use cairn_spec::{
    ArchiveLimits, Artifact, ChartName, ChartRepository, Digest, LayerName, PackArtifactError,
    PackName, Reference, RegistrySpec, Tag, UnpackedPack, Version, unpack_pack,
};
use tokio::runtime::Handle;

use crate::{
    chart_source::{Charts, OFFLINE},
    exit::{ExitCode, Failure},
    signing::Trust,
};

/// Packs from registries.
pub(crate) struct RegistryPacks {
    pub(crate) client: Client,
    pub(crate) trust: Trust,
    pub(crate) runtime: Handle,
    pub(crate) charts: Charts,
    /// No network is used.
    pub(crate) offline: bool,
    /// Addresses to use instead of those in the profile, by the registry's name.
    pub(crate) registries: BTreeMap<LayerName, String>,
}

/// What a pack may weigh on the wire: its content, README and logo.
pub(crate) fn pull_limits() -> PullLimits {
    PullLimits {
        total_bytes: ArchiveLimits::PACK.packed_bytes + (8 << 20),
        ..PullLimits::default()
    }
}

impl PackSource for RegistryPacks {
    fn versions(
        &self,
        registry: &RegistrySpec,
        pack: &PackName,
    ) -> Result<Vec<Version>, InputError> {
        self.refuse_offline(pack)?;
        let reference = self.reference(registry, pack)?;
        let tags = self
            .runtime
            .block_on(self.client.tags(&reference.registry, &reference.repository));
        match tags {
            Ok(tags) => Ok(tags.iter().filter_map(version_of).collect()),
            Err(Error::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(registry_error(&reference, &error)),
        }
    }

    fn fetch(
        &self,
        registry: &RegistrySpec,
        pack: &PackName,
        version: &Version,
        locked: Option<&Digest>,
    ) -> Result<FetchedPack, InputError> {
        self.refuse_offline(pack)?;
        let repository = self.reference(registry, pack)?;
        let tag = Tag::from_version(version)
            .map_err(|error| InputError::new("pack-version", error.to_string()))?;
        let wanted = match locked {
            Some(digest) => repository.with_digest(digest.clone()),
            None => repository.with_tag(tag),
        };
        self.runtime.block_on(self.pull(&wanted)).map_err(|error| match &error {
            Error::Untrusted { .. } => input_error("pack-untrusted", &error),
            Error::NotFound { .. } if locked.is_some() => {
                input_error("pack-missing", &error).hint("the lock names content that the registry no longer has: run `cairn profile update`")
            }
            error if is_about_the_registry(error) => registry_error(&wanted, error),
            error => input_error("pack-fetch", error),
        })?
    }

    fn chart_versions(
        &self,
        repository: &ChartRepository,
        chart: &ChartName,
    ) -> Result<Vec<Version>, InputError> {
        self.charts.versions(repository, chart)
    }

    fn fetch_chart(
        &self,
        repository: &ChartRepository,
        chart: &ChartName,
        version: &Version,
        digest: Option<&Digest>,
    ) -> Result<FetchedChart, InputError> {
        self.charts.fetch(repository, chart, version, digest)
    }
}

impl RegistryPacks {
    fn refuse_offline(&self, pack: &PackName) -> Result<(), InputError> {
        if !self.offline {
            return Ok(());
        }
        let message = format!("the pack `{pack}` is in a registry, and `--offline` forbids to ask");
        Err(InputError::new(OFFLINE, message)
            .hint("packs of registries are not cached: use `path`"))
    }

    /// `PREFIX/NAME` at a registry of a profile.
    fn reference(&self, registry: &RegistrySpec, pack: &PackName) -> Result<Reference, InputError> {
        let url = self.registries.get(&registry.name).unwrap_or(&registry.url);
        format!("{}/{pack}", url.trim_end_matches('/'))
            .parse()
            .map_err(|error| {
                InputError::new(
                    "registry-url",
                    format!("registry `{}` has no usable url: {error}", registry.name),
                )
                .hint("write `url: oci://HOST[:PORT]/PREFIX`")
            })
    }

    /// Verifies first; only then is anything unpacked, and by the digest that was verified.
    async fn pull(&self, wanted: &Reference) -> Result<Result<FetchedPack, InputError>, Error> {
        let (digest, signers) = self.trust.resolve(&self.client, wanted).await?;
        let pinned = wanted.with_digest(digest.clone());
        let artifact = self.client.pull_artifact(&pinned, &pull_limits()).await?;
        Ok(match unpack_pack(&artifact) {
            Ok(unpacked) => Ok(FetchedPack {
                tree: unpacked.tree,
                digest,
                diff_id: unpacked.diff_id,
                signers,
            }),
            Err(error) => Err(InputError::new(
                "pack-artifact",
                format!("`{pinned}` cannot be used: {}", chain(&error)),
            )
            .hint(unpack_hint(&error))),
        })
    }
}

/// The registry cannot be reached, or does not work.
fn is_about_the_registry(error: &Error) -> bool {
    matches!(
        error,
        Error::Request { .. } | Error::Registry { .. } | Error::Answer { .. }
    )
}

/// A registry that nobody listens for says the same of every pack: one error for all of them.
fn registry_error(reference: &Reference, error: &Error) -> InputError {
    match error {
        Error::Request { source, .. } if source.is_connect() => InputError::new(
            "pack-registry",
            format!("failed to reach the registry at {}: {source}", reference.registry),
        )
        .hint("start it with `cairn registry serve`, or check its address in `registries` (plain HTTP is the default on this machine only)"),
        error => input_error("pack-registry", error),
    }
}

/// Unpacks a pack that was pulled.
pub(crate) fn unpack(reference: &Reference, artifact: &Artifact) -> Result<UnpackedPack, Failure> {
    unpack_pack(artifact).map_err(|error| {
        let hint = unpack_hint(&error);
        let context = format!("`{reference}` cannot be used");
        Failure::new(
            ExitCode::InvalidInput,
            anyhow::Error::new(error).context(context),
        )
        .hint(hint)
    })
}

fn unpack_hint(error: &PackArtifactError) -> &'static str {
    match error {
        PackArtifactError::NotAPack(_) => "check the reference: something else was pushed there",
        PackArtifactError::Archive(_) => {
            "do not use it: it is damaged, or was made to do harm; have it pushed again with `cairn pack push`"
        }
        _ => "have it pushed again with `cairn pack push`",
    }
}

/// Tags that are versions; `_` stands for `+`.
fn version_of(tag: &Tag) -> Option<Version> {
    let text = tag.as_str();
    text.starts_with(|c: char| c.is_ascii_digit())
        .then(|| text.replace('_', "+").parse().ok())
        .flatten()
        // `1.0` can be read as a version, but is not the tag of one.
        .filter(|version| Tag::from_version(version).is_ok_and(|exact| exact == *tag))
}

fn input_error(code: &'static str, error: &Error) -> InputError {
    let made = InputError::new(code, chain(error));
    match error.hint() {
        Some(hint) => made.hint(hint),
        None => made,
    }
}
