//! What `helm show` prints of a chart.

use cairn_spec::Sources;
use cairn_template::{Value, go_yaml};

use crate::{Chart, Error, chart_object::metadata_struct, release::add_crds};

/// A part of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartPart {
    /// `Chart.yaml`, as Helm writes it.
    Chart,
    /// `values.yaml`, as it is.
    Values,
    /// Its readme.
    Readme,
    /// All files in `crds/`.
    Crds,
}

const READMES: [&str; 3] = ["readme.md", "readme.txt", "readme"];

/// What `helm show` prints of a part of a chart; nothing where the chart has none.
///
/// # Errors
///
/// A file that is read late cannot be read.
pub fn show(chart: &Chart, part: ChartPart, sources: &Sources) -> Result<Vec<u8>, Error> {
    let mut shown = Vec::new();
    let mut line = |bytes: &[u8]| {
        shown.extend_from_slice(bytes);
        shown.push(b'\n');
    };
    match part {
        ChartPart::Chart => {
            let metadata = Value::object(metadata_struct(&chart.metadata));
            // Metadata holds only what YAML wrote, which it can write again.
            let yaml = go_yaml::write(&metadata, &mut ()).unwrap_or_default();
            line(yaml.as_bytes());
        }
        ChartPart::Values => {
            if let Some(source) = chart.values_source {
                line(sources.get(source).text.as_bytes());
            }
        }
        ChartPart::Readme => {
            let mut files = chart.files.iter();
            let is_readme = |path: &str| {
                READMES
                    .iter()
                    .any(|readme| readme.eq_ignore_ascii_case(path))
            };
            if let Some(readme) = files.find(|file| is_readme(&file.path)) {
                line(readme.bytes()?);
            }
        }
        ChartPart::Crds => {
            let mut crds = Vec::new();
            add_crds(chart, chart.name(), &mut crds);
            for crd in crds {
                let bytes = crd.bytes()?;
                if !bytes.starts_with(b"---") {
                    line(b"---");
                }
                line(bytes);
            }
        }
    }
    Ok(shown)
}
