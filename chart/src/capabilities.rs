//! `.Capabilities`: what the cluster is taken to offer.

use std::any::Any;

use cairn_template::{ElementType, Encoded, Encoder, Method, Object, Value};

use crate::{
    Dialect, KubeVersion,
    go_struct::{Field, GoStruct},
};

/// What a chart may ask of the cluster: its version and its APIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The version of Kubernetes.
    pub kube_version: KubeVersion,
    /// The versions of APIs, such as `apps/v1`.
    pub api_versions: Vec<String>,
    /// Which Helm the chart is told it is rendered by.
    pub helm_version: HelmVersion,
}

/// The build that `.Capabilities.HelmVersion` tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelmVersion {
    /// `v4.2`, as a Helm says that was built of its source.
    pub version: String,
    /// The commit, where it is known.
    pub git_commit: String,
    /// Whether that commit was changed.
    pub git_tree_state: String,
    /// The version of Go.
    pub go_version: String,
    /// The version of the Kubernetes client.
    pub kube_client_version: String,
}

/// The API versions of Helm 4.2.3 and 3.21.4 without a cluster: all that their client knows.
const DEFAULT_API_VERSIONS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha2",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

impl Capabilities {
    /// What Helm assumes when it asks no cluster.
    pub fn default_of_helm(dialect: Dialect) -> Self {
        let version = match dialect {
            Dialect::Helm4 => "v4.2",
            Dialect::Helm3 => "v3.21",
        };
        Self {
            kube_version: KubeVersion::default_of_helm(),
            api_versions: DEFAULT_API_VERSIONS
                .iter()
                .map(|&version| version.to_owned())
                .collect(),
            helm_version: HelmVersion {
                version: version.to_owned(),
                git_commit: String::new(),
                git_tree_state: String::new(),
                go_version: "go1.26.8".to_owned(),
                kube_client_version: "v1.36".to_owned(),
            },
        }
    }

    /// The value of `.Capabilities`.
    pub(crate) fn to_value(&self, dialect: Dialect) -> Value {
        let types = match dialect {
            Dialect::Helm4 => &HELM_4,
            Dialect::Helm3 => &HELM_3,
        };
        let kube_version = Value::object(KubeVersionObject {
            version: match dialect {
                Dialect::Helm4 => self.kube_version.clone(),
                Dialect::Helm3 => KubeVersion {
                    version: self.kube_version.normalized.clone(),
                    ..self.kube_version.clone()
                },
            },
            dialect,
            is_copy: false,
        });
        let api_versions = self.api_versions.iter();
        let api_versions = Value::typed_list(
            api_versions.map(|version| Value::from(version.as_str())),
            ElementType::Named(types.version_set),
        );
        let fields = vec![
            Field::new("KubeVersion", "KubeVersion", kube_version),
            Field::new("APIVersions", "APIVersions", api_versions),
            Field::new(
                "HelmVersion",
                "HelmVersion",
                self.helm_version.to_value(dialect),
            ),
        ];
        Value::object(GoStruct::pointer(types.capabilities, fields))
    }
}

/// The names of the types in a generation of Helm.
struct TypeNames {
    capabilities: &'static str,
    kube_version: &'static str,
    version_set: &'static str,
}

const HELM_4: TypeNames = TypeNames {
    capabilities: "*common.Capabilities",
    kube_version: "common.KubeVersion",
    version_set: "common.VersionSet",
};

const HELM_3: TypeNames = TypeNames {
    capabilities: "*chartutil.Capabilities",
    kube_version: "chartutil.KubeVersion",
    version_set: "chartutil.VersionSet",
};

impl HelmVersion {
    fn to_value(&self, dialect: Dialect) -> Value {
        let text = |name, json, text: &String| {
            let field = Field::new(name, json, Value::from(text.as_str()));
            field.omitted_when_empty()
        };
        let mut fields = vec![
            text("Version", "version", &self.version),
            text("GitCommit", "git_commit", &self.git_commit),
            text("GitTreeState", "git_tree_state", &self.git_tree_state),
            text("GoVersion", "go_version", &self.go_version),
        ];
        if dialect == Dialect::Helm4 {
            fields.push(Field::new(
                "KubeClientVersion",
                "kube_client_version",
                Value::from(self.kube_client_version.as_str()),
            ));
        }
        Value::object(GoStruct::new("version.BuildInfo", fields))
    }
}

#[derive(Debug, Clone)]
struct KubeVersionObject {
    version: KubeVersion,
    dialect: Dialect,
    /// It was given to a function, and so is no longer the one that `.Capabilities` points to.
    is_copy: bool,
}

impl KubeVersionObject {
    fn fields_of_json(&self) -> impl Iterator<Item = (&'static str, Value)> {
        ["Version", "Major", "Minor"]
            .into_iter()
            .filter_map(|name| Some((name, self.field(name)?)))
    }
}

impl Object for KubeVersionObject {
    fn type_name(&self) -> &str {
        match self.dialect {
            Dialect::Helm4 => HELM_4.kube_version,
            Dialect::Helm3 => HELM_3.kube_version,
        }
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "Version" => self.version.version.as_str().into(),
            "Major" => self.version.major.as_str().into(),
            "Minor" => self.version.minor.as_str().into(),
            _ => return None,
        })
    }

    fn methods(&self) -> &'static [Method] {
        &[
            Method {
                name: "String",
                parameters: &[],
            },
            Method {
                name: "GitVersion",
                parameters: &[],
            },
        ]
    }

    fn call(&self, method: &str, _arguments: &[Value]) -> Result<Value, String> {
        Ok(match method {
            "String" => self.version.normalized.as_str().into(),
            _ => self.version.version.as_str().into(),
        })
    }

    fn print(&self) -> String {
        let KubeVersion {
            version,
            normalized,
            major,
            minor,
        } = &self.version;
        match self.dialect {
            Dialect::Helm4 => format!("{{{version} {normalized} {major} {minor}}}"),
            Dialect::Helm3 => format!("{{{version} {major} {minor}}}"),
        }
    }

    fn print_shown(&self) -> String {
        if self.is_copy {
            return self.print();
        }
        self.version.normalized.clone()
    }

    fn copied(&self) -> Option<Value> {
        Some(Value::object(Self {
            is_copy: true,
            ..self.clone()
        }))
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(self.fields_of_json().collect())
    }

    fn encoded(&self, encoder: Encoder) -> Option<Encoded> {
        let fields = self.fields_of_json();
        let fields = fields.map(|(name, value)| (encoder.name_of(name), value));
        Some(Encoded::Fields(fields.collect()))
    }

    fn to_value(&self) -> Value {
        Value::map(self.fields_of_json())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
