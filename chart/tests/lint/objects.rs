//! What templates render.

use crate::{findings, findings_with};

fn of_template(text: &str) -> Vec<String> {
    findings(&[("templates/a.yaml", text)])
}

#[test]
fn objects_without_a_valid_name() {
    assert_eq!(
        of_template(
            "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Release.Name | upper }}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n---\napiVersion: v1\nkind: Secret\n---\napiVersion: v1\nkind: List\nitems:\n- metadata: {annotations: {helm.sh/resource-policy: keep}}\n"
        ),
        [
            "warning[chart-object] web/templates/a.yaml:3:37 `DEMO` is no name for a Service: it may not hold `D` (see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/)",
            "warning[chart-object] web/templates/a.yaml:3:45 a Secret in `web/templates/a.yaml` has no name (see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/)",
            "error[chart-object] web/templates/a.yaml:3:45 Helm does not see `helm.sh/resource-policy` within a List (render the object as a document of its own)",
        ]
    );
}

#[test]
fn workloads_without_a_selector_and_twins() {
    let twin = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    assert_eq!(
        of_template(&format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{template: {{metadata: {{labels: {{a: matchLabels}}}}}}}}\n{twin}{twin}"
        )),
        [
            "error[chart-object] web/templates/a.yaml:1:1 Deployment `web` has no selector (write `spec.selector` with `matchLabels` or `matchExpressions`)",
            "error[chart-object] web/templates/a.yaml:1:1 ConfigMap `a` is rendered twice (give them different names, or render one of them)",
        ]
    );
}

#[test]
fn versions_of_apis_that_are_gone() {
    let chart = [(
        "templates/a.yaml",
        "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: a}\n",
    )];
    assert_eq!(findings_with(&chart, "", Some("1.20")), [""; 0]);
    assert_eq!(
        findings_with(&chart, "", Some("1.25")),
        [
            "warning[chart-api-version] web/templates/a.yaml:1:1 `batch/v1beta1` of CronJob is not in Kubernetes 1.25 and later (use `batch/v1`, at least where `.Capabilities.APIVersions` has it)"
        ]
    );
}

#[test]
fn what_is_no_object() {
    let all = of_template("a: {{ \"b: c\" }}\n---\n- a\n");
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all[0].starts_with("error[chart-manifest] web/templates/a.yaml:1:7 `web/templates/a.yaml` renders what is no YAML"), "{all:?}");
    assert!(all[1].starts_with("error[chart-object] "), "{all:?}");
}

#[test]
fn all_templates_are_tried() {
    let all = findings(&[
        ("templates/a.yaml", "{{ .Values.a.b }}"),
        ("templates/b.yaml", "{{ if }}"),
        ("templates/c.yaml", "{{ fail \"no\" }}"),
        (
            "templates/d.yaml",
            "{apiVersion: v1, kind: Pod, metadata: {name: A}}",
        ),
    ]);
    let codes: Vec<&str> = all
        .iter()
        .filter_map(|finding| finding.split([' ', ']']).next())
        .collect();
    assert_eq!(
        codes,
        [
            "error[template-syntax",
            "advice[template-fail",
            "error[template-execution",
            "warning[chart-object"
        ]
    );
}
