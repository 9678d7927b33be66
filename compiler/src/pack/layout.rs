//! Which files a pack may hold, and what each is (`spec/pack.md` §1).

use cairn_spec::TreePath;

/// What a file of a pack is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileRole {
    Manifest,
    Values,
    ValuesSchema,
    /// A preset, by its name.
    Preset(String),
    /// A template of Kubernetes YAML.
    Template,
    /// A partial, by the name it is included as.
    Partial(String),
    /// A Go template; whether it renders Kubernetes YAML, or only holds definitions.
    GoTemplate {
        renders: bool,
    },
    /// A Helm chart that is packed.
    ChartArchive,
    /// A file of an unpacked Helm chart, by the chart's folder.
    ChartFile(String),
    /// Which charts the pack was built with.
    Lock,
    StaticManifest,
    CustomResourceDefinition,
    Host,
    Test,
    /// For people: README, logo, licence.
    Document,
}

/// What a file is, or why it may not be there.
pub(super) fn role_of(path: &TreePath) -> Result<FileRole, &'static str> {
    let text = path.as_str();
    match text {
        "pack.yaml" => return Ok(FileRole::Manifest),
        "values.yaml" => return Ok(FileRole::Values),
        "values.schema.json" => return Ok(FileRole::ValuesSchema),
        "pack.lock" => return Ok(FileRole::Lock),
        "README.md" | "logo.svg" | "LICENSE" | "NOTICE" => return Ok(FileRole::Document),
        _ => {}
    }
    let ending = text.rsplit('.').next().unwrap_or_default();
    let is_yaml = matches!(ending, "yaml" | "yml");
    let Some((folder, rest)) = text.split_once('/') else {
        return Err(
            "only pack.yaml, pack.lock, values.yaml, values.schema.json, README.md, logo.svg, LICENSE and NOTICE may stand at the top",
        );
    };
    match folder {
        "presets" => match rest.strip_suffix(".yaml") {
            Some(name) if !name.contains('/') => Ok(FileRole::Preset(name.to_owned())),
            _ => Err("presets are files `presets/NAME.yaml`"),
        },
        "templates" => match path.file_name().strip_prefix('_') {
            Some(name) => match name.strip_suffix(".hbs") {
                Some(name) => Ok(FileRole::Partial(name.to_owned())),
                None if name.ends_with(".gotmpl") => Ok(FileRole::GoTemplate { renders: false }),
                None => Err("partials are files `templates/_NAME.hbs` or `templates/_NAME.gotmpl`"),
            },
            None if text.ends_with(".yaml.hbs") => Ok(FileRole::Template),
            None if text.ends_with(".yaml.gotmpl") => Ok(FileRole::GoTemplate { renders: true }),
            None => Err(
                "templates end in `.yaml.hbs` or `.yaml.gotmpl`, partials are `_NAME.hbs` and `_NAME.gotmpl`; plain YAML belongs in `manifests/`",
            ),
        },
        "charts" => match rest.split_once('/') {
            Some((name, _)) => Ok(FileRole::ChartFile(name.to_owned())),
            None if ending == "tgz" => Ok(FileRole::ChartArchive),
            None => Err("charts are folders `charts/NAME/` or archives `charts/NAME-VERSION.tgz`"),
        },
        "manifests" if is_yaml => Ok(FileRole::StaticManifest),
        "manifests" => Err("files in `manifests/` end in `.yaml`"),
        "crds" if is_yaml => Ok(FileRole::CustomResourceDefinition),
        "crds" => Err("files in `crds/` end in `.yaml`"),
        "host" => Ok(FileRole::Host),
        "tests" => Ok(FileRole::Test),
        _ => Err(
            "only the folders presets, templates, manifests, charts, crds, host and tests may be there",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_roles_or_are_refused() {
        let role = |path: &str| role_of(&path.parse().unwrap());
        assert_eq!(role("templates/a/web.yaml.hbs"), Ok(FileRole::Template));
        assert_eq!(
            role("templates/_labels.hbs"),
            Ok(FileRole::Partial("labels".to_owned()))
        );
        assert_eq!(
            role("presets/ha.yaml"),
            Ok(FileRole::Preset("ha".to_owned()))
        );
        assert_eq!(
            role("templates/a.yaml.gotmpl"),
            Ok(FileRole::GoTemplate { renders: true })
        );
        assert_eq!(role("charts/web-1.0.0.tgz"), Ok(FileRole::ChartArchive));
        assert_eq!(
            role("charts/web/templates/a.yaml"),
            Ok(FileRole::ChartFile("web".to_owned()))
        );
        for bad in [
            "install.sh",
            "templates/web.yaml",
            "presets/a/b.yaml",
            "charts/x.zip",
            "templates/x.gotmpl",
            "manifests/x.json",
        ] {
            assert!(role(bad).is_err(), "{bad}");
        }
    }
}
