//! What a build reads: packs and files come through traits, so that the compiler itself does no IO.

use std::sync::Arc;

use cairn_spec::{ChartName, ChartRepository, Digest, FileTree, PackName, RegistrySpec, Version};

/// Where packs and charts come from. Content is verified before it gets here.
pub trait PackSource: Sync {
    /// The versions of a pack that a registry has, in any order.
    fn versions(
        &self,
        registry: &RegistrySpec,
        pack: &PackName,
    ) -> Result<Vec<Version>, InputError>;

    /// A pack, by the locked digest if there is one, else by its version.
    fn fetch(
        &self,
        registry: &RegistrySpec,
        pack: &PackName,
        version: &Version,
        locked: Option<&Digest>,
    ) -> Result<FetchedPack, InputError>;

    /// The versions of a chart that a repository has, in any order.
    fn chart_versions(
        &self,
        repository: &ChartRepository,
        chart: &ChartName,
    ) -> Result<Vec<Version>, InputError>;

    /// The archive of a chart. It has the digest, if there is one.
    fn fetch_chart(
        &self,
        repository: &ChartRepository,
        chart: &ChartName,
        version: &Version,
        digest: Option<&Digest>,
    ) -> Result<FetchedChart, InputError>;
}

/// A chart as its source hands it over.
#[derive(Debug, Clone)]
pub struct FetchedChart {
    /// The archive.
    pub archive: Arc<[u8]>,
    /// The SHA-256 digest of the archive.
    pub digest: Digest,
}

/// A pack as its source hands it over: verified and unpacked.
#[derive(Debug, Clone)]
pub struct FetchedPack {
    /// The files.
    pub tree: FileTree,
    /// The digest of the manifest.
    pub digest: Digest,
    /// The digest of the uncompressed content.
    pub diff_id: Digest,
    /// The key ids that signed it, sorted; empty when verification was switched off.
    pub signers: Vec<String>,
}

/// The files beside a profile. Paths are as the user wrote them, relative to the profile's folder.
pub trait ProfileFiles: Sync {
    /// The text of a file; `path` is relative to the folder of the file `beside`.
    fn read(&self, beside: &str, path: &str) -> Result<NamedText, InputError>;

    /// The texts of all files that match a glob, sorted by path.
    fn glob(&self, beside: &str, pattern: &str) -> Result<Vec<NamedText>, InputError>;

    /// A local pack folder.
    fn read_pack(&self, beside: &str, path: &str) -> Result<FileTree, InputError>;
}

/// A text and the name to show for it, which is also the `beside` of what it names in turn.
#[derive(Debug, Clone)]
pub struct NamedText {
    /// The path as people know it.
    pub name: String,
    /// The text.
    pub text: Arc<str>,
}

/// Why an input could not be had; shown to the user at the place that asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    /// A code, as in [`cairn_spec::Diagnostic::code`].
    pub code: &'static str,
    /// What was attempted and why it failed.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl InputError {
    /// An error without a hint.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The finding at the place that asked.
    pub fn at(&self, place: impl cairn_spec::IntoSpan) -> cairn_spec::Diagnostic {
        cairn_spec::Diagnostic::error(self.code, self.message.clone())
            .at(place)
            .maybe_hint(self.hint.clone())
    }
}
