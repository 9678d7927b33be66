//! What a Palette pack needs becomes constraints: ranges instead of lowest and highest versions.

use cairn_spec::{
    Constraints, PackConflict, PackConstraint, PackName, PackRequirement, VersionRange,
};

use super::{Importer, metadata::without_leading_zeros, pack_json::Dependency};

impl Importer<'_> {
    pub(super) fn constraints(&mut self) -> Constraints {
        let mut constraints = Constraints::default();
        let pack = self.pack;
        for (index, dependency) in pack.constraints.dependencies.iter().enumerate() {
            let what = format!("pack.json: constraints.dependencies[{index}]");
            if let Err(note) = add(dependency, &mut constraints) {
                self.left(what, note);
            }
        }
        if !pack.kube_version.is_empty() {
            match pack.kube_version.parse() {
                Ok(range) if constraints.kubernetes.is_none() => {
                    constraints.kubernetes = Some(range);
                }
                _ => self.left("pack.json: kubeVersion", "it is not a range of versions"),
            }
        }
        if !pack.constraints.resources.is_empty() {
            self.left(
                "pack.json: constraints.resources",
                "Cairn does not check the size of machine pools: requests of the rendered containers say what is needed",
            );
        }
        constraints
    }
}

/// Adds a dependency, or says why there is no constraint for it.
fn add(dependency: &Dependency, constraints: &mut Constraints) -> Result<(), String> {
    let Dependency {
        pack_name, layer, ..
    } = dependency;
    let range = range(dependency)?;
    if layer == "k8s" {
        return match (pack_name.as_str(), range) {
            (_, None) => Err(format!(
                "`{pack_name}` in any version: a profile has a Kubernetes layer anyway"
            )),
            ("kubernetes", Some(range)) if dependency.kind != "notSupported" => {
                constraints.kubernetes = Some(range);
                Ok(())
            }
            (other, Some(range)) => Err(format!(
                "`{other}` {range}: constraints on Kubernetes do not differ by distribution"
            )),
        };
    }
    let name: PackName = pack_name
        .parse()
        .map_err(|_| format!("`{pack_name}` cannot be the name of a pack"))?;
    match (dependency.kind.as_str(), range) {
        ("required", version) => constraints.requires.push(PackRequirement {
            pack: Some(name),
            capability: None,
            version,
        }),
        ("notSupported", version) => constraints.conflicts.push(PackConflict {
            pack: name,
            version,
        }),
        ("optional", Some(version)) => constraints.constrains.push(PackConstraint {
            pack: name,
            version,
        }),
        ("optional", None) => {
            return Err(format!(
                "`{name}` may be there in any version, which is no constraint"
            ));
        }
        ("upgrade", _) => {
            return Err(format!(
                "an upgrade from `{name}`: a pack says from which versions of itself it can be upgraded, in `upgradeFrom`"
            ));
        }
        ("", _) => return Err(format!("the dependency on `{name}` has no `type`")),
        (other, _) => return Err(format!("the type `{other}` is unknown")),
    }
    Ok(())
}

/// The versions between the lowest and the highest; none when neither is said.
fn range(dependency: &Dependency) -> Result<Option<VersionRange>, String> {
    let bound = |operator: &str, version: &str| {
        let version = without_leading_zeros(version.trim().trim_start_matches('v'));
        (!version.is_empty()).then(|| format!("{operator}{version}"))
    };
    let bounds: Vec<String> = [
        bound(">=", &dependency.min_version),
        bound("<=", &dependency.max_version),
    ]
    .into_iter()
    .flatten()
    .collect();
    if bounds.is_empty() {
        return Ok(None);
    }
    let text = bounds.join(" ");
    text.parse()
        .map(Some)
        .map_err(|_| format!("`{text}` is not a range of versions"))
}
