//! The texts of a pack that wraps a chart.

use std::fmt::Write as _;

use cairn_spec::{PackManifest, yaml::quote_double};

use crate::charts::LoadedChart;

/// What a README tells.
pub(super) struct Facts<'a> {
    pub(super) manifest: &'a PackManifest,
    pub(super) app_version: &'a str,
    pub(super) images: &'a [String],
}

/// `values.yaml`: nothing is set, and the chart's defaults stand there as comments.
pub(super) fn values(loaded: &LoadedChart, defaults: Option<&str>) -> String {
    let name = &loaded.name;
    let key = quote_double(name.as_str());
    let mut text = format!(
        "# What is set here lies over the defaults of the chart {name} {}.\ncharts:\n  {key}: {{}}\n",
        loaded.version()
    );
    let Some(defaults) = defaults.filter(|text| !text.trim().is_empty()) else {
        return text;
    };
    let _ = write!(text, "\n# The chart's defaults:\n#\n");
    for line in defaults.lines() {
        let line = line.trim_end();
        let _ = if line.is_empty() {
            writeln!(text, "#")
        } else {
            writeln!(text, "# {line}")
        };
    }
    text
}

/// `README.md`.
pub(super) fn readme(facts: &Facts<'_>) -> String {
    let metadata = &facts.manifest.metadata;
    let name = metadata
        .display_name
        .as_deref()
        .unwrap_or(metadata.name.as_str());
    let mut text = format!("# {name}\n");
    if let Some(description) = &metadata.description {
        let _ = write!(text, "\n{}\n", description.trim());
    }
    let _ = write!(
        text,
        "\nThis pack wraps the Helm chart `{name}` {}",
        metadata.version
    );
    let _ = if facts.app_version.is_empty() {
        writeln!(text, ".")
    } else {
        writeln!(text, ", which installs version {}.", facts.app_version)
    };
    let _ = write!(
        text,
        "\n## Values\n\nSet the chart's values under `charts.{name}`. `values.yaml` lists its defaults.\n"
    );
    if !facts.images.is_empty() {
        let _ = write!(text, "\n## Images\n\nWith the defaults:\n\n");
        for image in facts.images {
            let _ = writeln!(text, "- `{image}`");
        }
    }
    if let Some(home) = &metadata.home {
        let _ = write!(text, "\n## More\n\n<{home}>\n");
    }
    text
}

/// `tests/default.yaml`: the defaults render, to as many objects as they do now.
pub(super) fn test(objects: usize) -> String {
    format!(
        "apiVersion: cairn.dev/v1\nkind: PackTest\nmetadata: {{name: default}}\nspec:\n  expect:\n    count: {objects}\n"
    )
}
