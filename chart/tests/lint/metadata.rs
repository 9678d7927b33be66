//! `Chart.yaml` and the files of a chart.

use crate::findings;

const SERVICE: (&str, &str) = (
    "templates/a.yaml",
    "{apiVersion: v1, kind: Service, metadata: {name: a}}",
);

fn of_metadata(text: &str) -> Vec<String> {
    findings(&[("Chart.yaml", text), SERVICE])
}

#[test]
fn fields_that_helm_does_not_know() {
    assert_eq!(
        of_metadata(
            "apiVersion: v2\nname: web\nversion: 1.0.0\nIcon: https://example.com/web.svg\nkeyword: [a]\nlicense: MIT\nmaintainers: [{name: Ann, mail: ann@example.com}]\n"
        ),
        [
            "warning[chart-metadata] web/Chart.yaml:5:1 Helm does not know the key `keyword` of Chart.yaml (did you mean `keywords`?)",
            "warning[chart-metadata] web/Chart.yaml:6:1 Helm does not know the key `license` of Chart.yaml (put what Helm does not know under `annotations`)",
            "warning[chart-metadata] web/Chart.yaml:7:27 Helm does not know the key `mail` of an item of `maintainers` (did you mean `email`?)",
        ]
    );
}

#[test]
fn versions_people_and_addresses() {
    assert_eq!(
        of_metadata(
            "apiVersion: v2\nname: web\nversion: v1.0\nkubeVersion: '>=1.x.y.z'\nhome: example.com\nsources: [https://example.com/src, /src]\nmaintainers:\n- email: ann@example.com\n- {name: Bob, email: bob, url: bob}\n"
        ),
        [
            "warning[chart-metadata] web/Chart.yaml:3:10 the version `v1.0` is no complete semantic version (write it as in `1.2.3`, without a `v`)",
            "error[chart-metadata] web/Chart.yaml:4:14 `>=1.x.y.z` is no constraint on versions of Kubernetes (write it as in `>=1.25.0-0`)",
            "error[chart-metadata] web/Chart.yaml:8:3 a maintainer has no name (write `name`)",
            "warning[chart-metadata] web/Chart.yaml:9:22 `bob` is no mail address (write one as in `ann@example.com`, or `url`)",
            "warning[chart-metadata] web/Chart.yaml:9:32 `bob` is no URL (begin with `https://`)",
            "warning[chart-metadata] web/Chart.yaml:6:36 `/src` is no URL (begin with `https://`)",
            "warning[chart-metadata] web/Chart.yaml:5:7 `example.com` is no URL (begin with `https://`)",
            "advice[chart-metadata] web/Chart.yaml:1:1 the chart has no icon, which catalogues show (write `icon: URL` in `Chart.yaml`)",
            "warning[chart-kube-version] - chart requires kubeVersion: >=1.x.y.z which is incompatible with Kubernetes v1.36.0 (choose another version of Kubernetes, or of the chart)",
        ]
    );
}

#[test]
fn versions_that_are_no_texts() {
    assert_eq!(
        of_metadata(
            "apiVersion: v2\nname: web\nversion: 1.0.0\nappVersion: 1.10\nicon: https://example.com/web.svg\n"
        ),
        [
            "error[chart-metadata] web/Chart.yaml:4:13 `appVersion` is a number, not a text (put it in quotes: `appVersion: \"…\"`)",
        ]
    );
}

#[test]
fn charts_of_helm_2() {
    assert_eq!(
        of_metadata(
            "name: web\nversion: 0.0.0\nicon: https://example.com/web.svg\ntype: application\ndependencies: [{name: db, version: 1.0.0}]\n"
        ),
        [
            "error[chart-metadata] web/Chart.yaml:1:1 `apiVersion` is missing (write `apiVersion: v2`)",
            "warning[chart-metadata] web/Chart.yaml:2:10 the version `0.0.0` is below all that constraints choose (begin with `0.1.0`)",
            "error[chart-metadata] web/Chart.yaml:4:7 charts of `apiVersion: v1` have no `type` (write `apiVersion: v2`)",
            "error[chart-metadata] web/Chart.yaml:5:15 charts of `apiVersion: v1` have their dependencies in `requirements.yaml` (write `apiVersion: v2`)",
            "warning[chart-dependencies] web/Chart.yaml:5:16 the chart `db` is not in `charts/` (run `helm dependency build` to fetch it)",
        ]
    );
}

#[test]
fn dependencies_that_are_not_there_or_not_named() {
    let metadata = "apiVersion: v2\nname: web\nversion: 1.0.0\nicon: https://example.com/web.svg\ndependencies:\n- {name: db, version: 1.x.y.z}\n";
    let below = "{apiVersion: v2, name: cache, version: 1.0.0}";
    assert_eq!(
        findings(&[
            ("Chart.yaml", metadata),
            ("charts/cache/Chart.yaml", below),
            SERVICE
        ]),
        [
            "warning[chart-dependencies] web/Chart.yaml:6:3 the chart `db` is not in `charts/` (run `helm dependency build` to fetch it)",
            "error[chart-dependencies] web/Chart.yaml:6:23 `db` has no range of versions that can be read (write `version` as in `^1.2.0`)",
            "warning[chart-dependencies] web/Chart.yaml:6:1 `Chart.yaml` does not name the chart `cache` in `charts/` (name it under `dependencies`, or remove it: it is always rendered)",
        ]
    );
}

#[test]
fn files_that_are_missing_or_in_the_wrong_place() {
    let crd =
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n---\nkind: Service\n";
    assert_eq!(
        findings(&[
            ("templates/a.json", "{}"),
            ("templates/_a.sh", "x"),
            ("crds/a.yaml", crd),
            ("crds/b.yaml", "a: {{ .b }}")
        ]),
        [
            "warning[chart-files] web/templates/a.json:1:1 Helm renders `templates/a.json` as a manifest, whatever it is (call it `.yaml`, `.yml`, `.tpl` or `.txt`, or move it out of `templates/`)",
            "error[chart-object] web/crds/a.yaml:4:1 only CustomResourceDefinitions belong in `crds/` (move it to `templates/`)",
            "error[chart-manifest] web/crds/b.yaml:1:5 error converting YAML to JSON: yaml: invalid map key: map[interface {}]interface {}{\".b\":interface {}(nil)} (files in `crds/` are no templates: write plain YAML)",
        ]
    );
    assert_eq!(
        findings(&[("README.md", "")]),
        [
            "warning[chart-files] - the chart has no `templates/`, and so renders nothing (write templates, or `dependencies`)"
        ]
    );
    assert_eq!(
        findings(&[("Chart.yaml", "{name: web")]).len(),
        1,
        "what cannot be loaded is an error"
    );
}
