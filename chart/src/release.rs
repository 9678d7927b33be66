//! What a chart rendered, and how Helm prints it.

use std::sync::Arc;

use cairn_spec::Diagnostic;

use crate::{
    Chart, ChartFile, Dialect, Document, Error, Hook, RenderedFile,
    manifest::{Sorted, length_without_space, show_only},
};

/// All that a chart rendered.
#[derive(Debug)]
pub struct Release {
    /// The files in `crds/` of the chart and of those in it, which are no templates, with their
    /// paths from the root chart.
    pub crds: Vec<ChartFile>,
    /// The documents in the order in which Helm installs them.
    pub documents: Vec<Document>,
    /// What Helm runs beside them, in the order in which it prints it.
    pub hooks: Vec<Hook>,
    /// What the templates rendered, in the order of their paths; also those that rendered nothing.
    pub files: Vec<Arc<RenderedFile>>,
    /// What is probably not what was meant.
    pub warnings: Vec<Diagnostic>,
    dialect: Dialect,
}

/// What is printed of a release.
#[derive(Debug, Clone, Default)]
pub struct ManifestOptions {
    /// The files in `crds/` come first.
    pub includes_crds: bool,
    /// Which hooks come last.
    pub hooks: PrintedHooks,
    /// Paths of templates below the root chart, in which `*` and `?` may stand for anything but
    /// `/`. If there are any, only documents of these templates are printed.
    pub show_only: Vec<String>,
}

/// Which hooks are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrintedHooks {
    /// All.
    #[default]
    All,
    /// All that are no tests.
    WithoutTests,
    /// None.
    None,
}

impl Release {
    pub(crate) fn new(
        chart: &Chart,
        sorted: Sorted,
        dialect: Dialect,
        warnings: Vec<Diagnostic>,
    ) -> Self {
        let mut crds = Vec::new();
        add_crds(chart, chart.name(), &mut crds);
        Self {
            crds,
            documents: sorted.documents,
            hooks: sorted.hooks,
            files: sorted.files,
            warnings,
            dialect,
        }
    }

    /// What `helm template` prints.
    ///
    /// # Errors
    ///
    /// [`ManifestOptions::show_only`] names a template of which there is no document, or a file in
    /// `crds/` cannot be read.
    pub fn manifest(&self, options: &ManifestOptions) -> Result<Vec<u8>, Error> {
        let mut printed = Vec::new();
        self.print(options, &mut |piece| printed.extend_from_slice(piece))?;
        Ok(printed)
    }

    /// Hands what [`Self::manifest`] gives to `print`, piece by piece, so that nobody holds all of
    /// it.
    ///
    /// # Errors
    ///
    /// As [`Self::manifest`]; then nothing was printed.
    pub fn print(
        &self,
        options: &ManifestOptions,
        print: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Error> {
        for crd in self.printed_crds(options) {
            crd.bytes()?;
        }
        if options.show_only.is_empty() {
            self.print_all(options, print);
            return Ok(());
        }
        let mut printed = Vec::new();
        self.print_all(options, &mut |piece| printed.extend_from_slice(piece));
        print(&show_only(&printed, &options.show_only, self.dialect)?);
        Ok(())
    }

    fn print_all(&self, options: &ManifestOptions, print: &mut dyn FnMut(&[u8])) {
        let crds = self.printed_crds(options);
        let crds = crds.map(|crd| (&crd.path, crd.bytes_or_nothing()));
        let documents = self.documents.iter();
        let documents = documents.map(|document| (document.path(), document.bytes()));
        let mut before_hooks = crds.chain(documents).peekable();
        while let Some((path, bytes)) = before_hooks.next() {
            if before_hooks.peek().is_some() {
                print_pieces(path, bytes, print);
            } else {
                print_trimmed(path, bytes, print);
            }
        }
        print(b"\n");
        for hook in self.printed_hooks(options) {
            let document = &hook.document;
            print_pieces(document.path(), document.bytes(), print);
        }
    }

    /// The files in `crds/` that are printed.
    pub fn printed_crds(&self, options: &ManifestOptions) -> impl Iterator<Item = &ChartFile> {
        self.crds.iter().filter(|_| options.includes_crds)
    }

    /// The hooks that are printed.
    pub fn printed_hooks(&self, options: &ManifestOptions) -> impl Iterator<Item = &Hook> {
        let printed = options.hooks;
        self.hooks.iter().filter(move |hook| match printed {
            PrintedHooks::All => true,
            PrintedHooks::WithoutTests => !hook.is_test(),
            PrintedHooks::None => false,
        })
    }
}

/// Adds a document as Helm prints it.
pub fn print_document(path: &str, bytes: &[u8], out: &mut Vec<u8>) {
    print_pieces(path, bytes, &mut |piece| out.extend_from_slice(piece));
}

fn print_pieces(path: &str, bytes: &[u8], print: &mut dyn FnMut(&[u8])) {
    for piece in [b"---\n# Source: ", path.as_bytes(), b"\n", bytes, b"\n"] {
        print(piece);
    }
}

/// Prints the last document that stands before the hooks: Helm trims what it has printed there.
fn print_trimmed(path: &str, bytes: &[u8], print: &mut dyn FnMut(&[u8])) {
    let length = length_without_space(bytes);
    let mut heading = Vec::new();
    print_document(path, b"", &mut heading);
    // A document ends its heading with one line break, where the empty one has two.
    heading.pop();
    if length == 0 {
        heading.truncate(length_without_space(&heading));
    }
    print(&heading);
    print(&bytes[..length]);
}

/// The files in `crds/` of a chart and of those in it.
pub(crate) fn add_crds(chart: &Chart, chart_path: &str, crds: &mut Vec<ChartFile>) {
    let is_manifest = |path: &str| {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        ["yaml", "yml", "json"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(extension))
    };
    for file in &chart.files {
        if file.path.starts_with("crds/") && is_manifest(&file.path) {
            crds.push(file.at(format!("{chart_path}/{}", file.path)));
        }
    }
    for child in &chart.dependencies {
        add_crds(
            child,
            &format!("{chart_path}/charts/{}", child.name()),
            crds,
        );
    }
}
