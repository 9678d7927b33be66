//! `pack.json` becomes `pack.yaml`: names, versions and what a catalog shows.

use std::collections::BTreeMap;

use cairn_spec::{
    ApiVersion, Diagnostic, LayerKind, LintSettings, PackKind, PackManifest, PackMetadata,
    PackName, PackSpec, Platform, Version,
};

use super::{Importer, label_of};
use crate::Session;

/// `23.07.1` as the SemVer `23.7.1`; what follows the three numbers stays.
pub(super) fn without_leading_zeros(version: &str) -> String {
    let end = version.find(['-', '+']).unwrap_or(version.len());
    let numbers = version[..end].split('.').map(|number| {
        let bare = number.trim_start_matches('0');
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        match (is_number, bare) {
            (false, _) => number,
            (true, "") => "0",
            (true, bare) => bare,
        }
    });
    numbers.collect::<Vec<_>>().join(".") + &version[end..]
}

/// Annotations that only say who made the pack, or are carried over elsewhere.
const ANNOTATIONS_WITHOUT_NEWS: &[&str] = &[
    "source",
    "contributor",
    "commit_msg",
    "docsURL",
    "description",
];

impl Importer<'_> {
    /// The manifest, so far without charts and namespaces.
    pub(super) fn metadata(&mut self, session: &mut Session) -> Option<PackManifest> {
        let name = self.name(session)?;
        let version = self.version(session)?;
        let layer = self.layer(session)?;
        let pack = self.pack;
        let description = pack.annotation("description").map_or_else(
            || format!("{}, as its Palette pack installs it.", pack.display_name()),
            str::to_owned,
        );
        let home = pack
            .annotation("docsURL")
            .or_else(|| pack.annotation("docsUrl"))
            .filter(|url| url.starts_with("http"))
            .map(str::to_owned);
        self.annotations();
        let constraints = self.constraints();
        Some(PackManifest {
            api_version: ApiVersion,
            kind: PackKind,
            metadata: PackMetadata {
                name,
                version: version.clone(),
                display_name: Some(pack.display_name().to_owned()),
                description: Some(description),
                keywords: label_of(&pack.addon_sub_type).into_iter().collect(),
                home,
                sources: Vec::new(),
                license: None,
                maintainers: Vec::new(),
            },
            spec: PackSpec {
                layer,
                category: label_of(&pack.addon_type),
                namespace: None,
                namespace_labels: BTreeMap::new(),
                kubernetes_version: (layer == LayerKind::Kubernetes).then_some(version),
                charts: Vec::new(),
                constraints: cairn_spec::Constraints {
                    platform: Platform {
                        cloud: self.clouds(),
                        ..Platform::default()
                    },
                    ..constraints
                },
                exports: BTreeMap::new(),
                health: Vec::new(),
                lint: LintSettings::default(),
            },
        })
    }

    fn name(&mut self, session: &mut Session) -> Option<PackName> {
        let written = &self.pack.name;
        let name: Option<PackName> = label_of(written).and_then(|label| label.parse().ok());
        match name {
            None => session.report(Diagnostic::error(
                "import-palette",
                format!("`{}/pack.json` has no usable `name`", self.label),
            )),
            Some(ref name) if name.as_str() != written => {
                self.changed(
                    "pack.json: name",
                    format!("`{written}` is `{name}` now: names of packs are DNS labels"),
                );
            }
            Some(_) => {}
        }
        name
    }

    fn version(&mut self, session: &mut Session) -> Option<Version> {
        let written = &self.pack.version;
        match without_leading_zeros(written).parse::<Version>() {
            Ok(version) => {
                if version.to_string() != *written {
                    self.changed(
                        "pack.json: version",
                        format!("`{written}` is `{version}` now: versions are SemVer"),
                    );
                }
                Some(version)
            }
            Err(error) => {
                session.report(Diagnostic::error(
                    "import-palette",
                    format!(
                        "`{}/pack.json` has no usable `version`: {error}",
                        self.label
                    ),
                ));
                None
            }
        }
    }

    fn layer(&mut self, session: &mut Session) -> Option<LayerKind> {
        let layer = match self.pack.layer.as_str() {
            "kernel" => {
                self.changed("pack.json: layer", "`kernel` is `os` now");
                LayerKind::Os
            }
            "os" => LayerKind::Os,
            "k8s" => LayerKind::Kubernetes,
            "cni" => LayerKind::Cni,
            "csi" => LayerKind::Csi,
            "addon" => LayerKind::Addon,
            other => {
                session.report(Diagnostic::error(
                    "import-palette",
                    format!(
                        "`{}/pack.json` is of the unknown layer `{other}`",
                        self.label
                    ),
                ));
                return None;
            }
        };
        Some(layer)
    }

    fn clouds(&self) -> Vec<String> {
        let clouds = &self.pack.cloud_types;
        if clouds.iter().any(|cloud| cloud == "all") {
            return Vec::new();
        }
        clouds.clone()
    }

    /// What annotations say that nobody reads here.
    fn annotations(&mut self) {
        let pack = self.pack;
        for (key, value) in &pack.annotations {
            if ANNOTATIONS_WITHOUT_NEWS.contains(&key.as_str()) {
                continue;
            }
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let note = match (key.as_str(), value.as_str()) {
                ("system_state", state) => {
                    format!("Palette calls the pack `{state}`; Cairn has no such state")
                }
                ("disabled", "true") => "Palette does not offer the pack any more".to_owned(),
                (_, value) => format!("the annotation `{value}` has no place in a pack"),
            };
            self.left(format!("pack.json: annotations.{key}"), note);
        }
        if !pack.eol.is_empty() {
            let note = format!(
                "end of life on {}: a pack does not say when its life ends",
                pack.eol
            );
            self.left("pack.json: eol", note);
        }
        if !pack.group.is_empty() {
            let note = format!("the group `{}`: a profile chooses by version", pack.group);
            self.left("pack.json: group", note);
        }
        if !pack.ansible_roles.is_empty() {
            self.left(
                "pack.json: ansibleRoles",
                "a pack changes nodes by the files and steps under `host/`: write them anew",
            );
        }
    }
}
