//! Files that are read when somebody asks for them, if ever.

use std::sync::{Arc, Mutex, PoisonError};

use cairn_chart::{
    Chart, ChartFile, ChartPart, Error, ManifestOptions, ReadLate, Release, RenderOptions,
    lint::lint, load, loads, render, show,
};
use cairn_spec::{Diagnostic, Map, Node, Origins, Sources};

use crate::METADATA;

/// A folder that notes which of its files are read, and in which those named `broken` cannot be.
#[derive(Default)]
struct Folder {
    read: Mutex<Vec<String>>,
}

impl Folder {
    /// Files, of which those that loading does not look into are read late.
    fn files(self: &Arc<Self>, files: &[(&str, &str)]) -> Vec<ChartFile> {
        let all = files.iter().map(|&(path, text)| {
            if loads(path) {
                ChartFile::text(path, text)
            } else {
                self.late(path, text)
            }
        });
        all.chain([ChartFile::text("Chart.yaml", METADATA)])
            .collect()
    }

    fn late(self: &Arc<Self>, path: &str, text: &str) -> ChartFile {
        let (folder, content) = (Arc::clone(self), text.to_owned());
        let read: Arc<ReadLate> = Arc::new(move |path: &str| {
            let mut read = folder.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.push(path.to_owned());
            if path.ends_with("broken") || path.ends_with("broken.yaml") {
                let message = format!("error reading {path}: gone");
                return Err(Error::new(message.clone(), Diagnostic::error("x", message)));
            }
            Ok(content.clone().into_bytes())
        });
        ChartFile::late(path, text.len() as u64, read)
    }

    fn read(&self) -> Vec<String> {
        std::mem::take(&mut self.read.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn loaded(files: Vec<ChartFile>) -> Result<(Chart, Sources, Origins), Error> {
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let chart = load(files, "web", &mut sources, &mut origins)?;
    Ok((chart, sources, origins))
}

fn rendered(files: Vec<ChartFile>) -> Result<Release, Error> {
    let (chart, mut sources, mut origins) = loaded(files)?;
    let values = Node::generated(Map::new());
    let options = RenderOptions::new("demo");
    render(chart, &values, &options, &mut sources, &mut origins)
}

const SUBCHART: &str = "{apiVersion: v2, name: sub, version: 1.0.0}";
const WITH_CRDS: ManifestOptions = ManifestOptions {
    includes_crds: true,
    hooks: cairn_chart::PrintedHooks::All,
    show_only: Vec::new(),
};

#[test]
fn loading_reads_what_it_says() {
    let paths = [
        "Chart.lock",
        "README.md",
        "charts/a.tgz.prov",
        "charts/sub/Chart.yaml",
        "charts/sub/charts/x/values.yaml",
        "charts/sub/crds/a.yaml",
        "charts/sub/templates/a.yaml",
        "charts/sub/values.schema.json",
        "crds/a.yaml",
        "requirements.lock",
        "requirements.yaml",
        "templates/a.yaml",
        "values.schema.json",
        "values.yaml",
        "values-production.yaml",
    ];
    let folder = Arc::new(Folder::default());
    let mut files: Vec<_> = paths
        .iter()
        .map(|path| {
            let text = match *path {
                "charts/sub/Chart.yaml" => SUBCHART,
                _ => "{}",
            };
            folder.late(path, text)
        })
        .collect();
    files.push(ChartFile::text("Chart.yaml", METADATA));
    files.push(ChartFile::text("charts/sub/charts/x/Chart.yaml", SUBCHART));
    let (chart, ..) = loaded(files).unwrap();
    assert_eq!(chart.dependencies.len(), 1);
    let mut read = folder.read();
    read.sort();
    let expected: Vec<_> = paths.iter().filter(|path| loads(path)).collect();
    assert_eq!(read, expected.into_iter().copied().collect::<Vec<_>>());
}

#[test]
fn only_what_is_asked_for_is_read_and_only_once() {
    let folder = Arc::new(Folder::default());
    let files = folder.files(&[
        ("README.md", "read me"),
        ("charts/sub/Chart.yaml", SUBCHART),
        ("charts/sub/a.txt", "of sub"),
        (
            "charts/sub/templates/a.yaml",
            r#"sub: {{ .Files.Get "a.txt" }}"#,
        ),
        ("crds/a.yaml", "kind: CustomResourceDefinition"),
        ("config/a", "\u{feff}1\n2"),
        ("config/b", "3"),
        ("other", "4"),
        (
            "templates/a.yaml",
            r#"get: {{ .Files.Get "config/a" | quote }}
lines: {{ .Files.Lines "config/a" }}
{{ (.Files.Glob "config/*").AsConfig }}"#,
        ),
    ]);
    let release = rendered(files).unwrap();
    let text = release.files.iter().map(|file| file.bytes());
    let text: Vec<_> = text.map(String::from_utf8_lossy).collect();
    assert_eq!(
        text,
        [
            "sub: of sub",
            "get: \"1\\n2\"\nlines: [1 2]\na: |-\n  1\n  2\nb: \"3\""
        ]
    );
    let mut read = folder.read();
    read.sort();
    assert_eq!(read, ["charts/sub/a.txt", "config/a", "config/b"]);
    release.manifest(&ManifestOptions::default()).unwrap();
    assert_eq!(folder.read(), [""; 0]);
    let manifest = release.manifest(&WITH_CRDS).unwrap();
    assert!(String::from_utf8_lossy(&manifest).contains("kind: CustomResourceDefinition"));
    assert_eq!(folder.read(), ["crds/a.yaml"]);
}

#[test]
fn nothing_is_made_of_a_file_that_cannot_be_read() {
    let expected = "error reading broken: gone";
    for template in [
        r#"{{ .Files.Get "broken" }}"#,
        r#"{{ .Files.Lines "broken" }}"#,
        r"{{ .Files.AsSecrets }}",
        r"{{ .Files.broken }}",
        r"{{ .Files }}",
        r"{{ toYaml .Files }}",
        r"{{ range $path, $bytes := .Files }}{{ end }}",
        r#"{{ required "it is empty" (.Files.Get "broken") }}"#,
        r#"{{ if .Files.Get "broken" }}{{ end }}"#,
    ] {
        let folder = Arc::new(Folder::default());
        let files = folder.files(&[("broken", ""), ("templates/a.yaml", template)]);
        let error = rendered(files).unwrap_err();
        assert_eq!(error.helm_message(), expected, "{template}");
    }
    let unread = r"{{ .Files.Get `other` }}";
    let folder = Arc::new(Folder::default());
    rendered(folder.files(&[("broken", ""), ("templates/a.yaml", unread)])).unwrap();
}

#[test]
fn what_else_reads_files_tells_which_it_cannot_read() {
    let files = || {
        let folder = Arc::new(Folder::default());
        folder.files(&[("crds/broken.yaml", ""), ("README.md", "read me")])
    };
    let message = "error reading crds/broken.yaml: gone";
    let (chart, sources, _) = loaded(files()).unwrap();
    assert_eq!(
        show(&chart, ChartPart::Readme, &sources).unwrap(),
        b"read me\n"
    );
    let error = show(&chart, ChartPart::Crds, &sources).unwrap_err();
    assert_eq!(error.helm_message(), message);

    let release = rendered(files()).unwrap();
    release.manifest(&ManifestOptions::default()).unwrap();
    let error = release.manifest(&WITH_CRDS).unwrap_err();
    assert_eq!(error.helm_message(), message);

    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let values = Node::generated(Map::new());
    let options = RenderOptions::new("web");
    let texts = (&mut sources, &mut origins);
    let findings = lint(&files(), "web", &values, &options, texts);
    assert!(findings.iter().any(|finding| finding.message == message));
}
