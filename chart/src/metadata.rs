//! What `Chart.yaml` says of a chart (<https://helm.sh/docs/topics/charts/#the-chartyaml-file>).

use std::collections::BTreeMap;

use cairn_spec::Node;

/// `Chart.yaml`, with Helm's rules: a text that is missing is empty.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// `v1` or `v2`.
    pub api_version: String,
    /// The chart's name.
    pub name: String,
    /// A semantic version.
    pub version: String,
    /// A constraint on the version of Kubernetes.
    pub kube_version: String,
    /// One sentence on the chart.
    pub description: String,
    /// What the chart is.
    pub chart_type: ChartType,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// The project's page.
    pub home: String,
    /// Pages of its source code.
    pub sources: Vec<String>,
    /// The charts it needs, of `Chart.yaml` or `requirements.yaml`. An empty list is not none:
    /// of none, Helm leaves alone whatever is in `charts/`.
    pub dependencies: Option<Vec<Dependency>>,
    /// Who maintains it.
    pub maintainers: Vec<Maintainer>,
    /// An image that stands for it.
    pub icon: String,
    /// The version of what it installs.
    pub app_version: String,
    /// It is no longer maintained.
    pub deprecated: bool,
    /// Anything else.
    pub annotations: BTreeMap<String, String>,
    /// A condition of old charts, which Helm only shows.
    pub condition: String,
    /// Tags of old charts, which Helm only shows.
    pub tags: String,
}

/// What a chart is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChartType {
    /// It says nothing, and so is an application.
    #[default]
    Unspecified,
    /// `application`
    Application,
    /// `library`: gives others its definitions, and renders nothing itself.
    Library,
}

/// A chart that another needs.
#[derive(Debug, Clone, Default)]
pub struct Dependency {
    /// Its name; its alias once the dependencies are processed.
    pub name: String,
    /// A constraint on its version.
    pub version: String,
    /// Where it comes from.
    pub repository: String,
    /// Paths to booleans of the values, separated by commas: the first that is there decides.
    pub condition: String,
    /// Keys of `tags` of the values that switch it on and off.
    pub tags: Vec<String>,
    /// It is switched on.
    pub enabled: bool,
    /// Which of its values the parent takes as its own.
    pub import_values: Vec<ImportValues>,
    /// The name it has in the parent.
    pub alias: String,
}

/// Values that a chart takes from one it depends on.
#[derive(Debug, Clone)]
pub enum ImportValues {
    /// The map below `exports` of this name.
    Export(String),
    /// The map at a path of the child, to a path of the parent.
    Path {
        /// The path in the child's values.
        child: String,
        /// The path in the parent's values; `.` for all of them.
        parent: String,
    },
    /// Something else, which Helm passes over.
    Other(Node),
}

/// Who maintains a chart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Maintainer {
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Their page.
    pub url: String,
}
