//! `cairn chart template`, `show` and `lint` as users call them, with charts of our own: what is
//! printed where, exit codes, and hostile charts.

#![cfg(unix)]

use std::fs;

use anyhow::{Result, ensure};
use cairn_spec::{FileTree, gzip, write_tar};
use cairn_tests::{Run, Sandbox};

const BINARY: &str = env!("CARGO_BIN_EXE_cairn-under-test");

const FILES: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.2.3\nicon: https://example.com/web.svg\ndescription: Shows what it was given.\n",
    ),
    (
        "values.yaml",
        "# How many.\nreplicas: 2\nimage: {name: nginx, tag: v1}\ncache: {enabled: false}\n",
    ),
    ("README.md", "Read me.\n"),
    (
        "crds/a.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.example.com}\n",
    ),
    (
        "templates/web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  image: {{ .Values.image.name }}:{{ .Values.image.tag }}\n  kube: {{ .Capabilities.KubeVersion.Version }}\n",
    ),
    (
        "templates/cache.yaml",
        "{{ if .Values.cache.enabled }}\napiVersion: v1\nkind: Service\nmetadata: {name: cache}\n{{ end }}\n",
    ),
    (
        "templates/test.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: try, annotations: {helm.sh/hook: test}}\n",
    ),
    ("templates/NOTES.txt", "Thank you for {{ .Chart.Name }}.\n"),
];

/// A folder with the chart `web`, in which some files are others.
fn with(changes: &[(&str, &str)]) -> Result<Sandbox> {
    let sandbox = Sandbox::new(BINARY)?;
    for (path, text) in FILES.iter().chain(changes) {
        sandbox.write(&format!("web/{path}"), text)?;
    }
    Ok(sandbox)
}

/// How a command ended, and the lines of its output that say something of note.
fn ended(run: &Run) -> (Option<i32>, String) {
    (run.status.code(), run.stderr.trim().to_owned())
}

#[test]
fn charts_are_rendered_as_helm_renders_them() -> Result<()> {
    let sandbox = with(&[])?;
    sandbox.write("more.yaml", "replicas: 5\nimage: {tag: v2}\n")?;
    let run = sandbox.ok("chart template demo web -f more.yaml --set image.name=caddy -n shop --kube-version 1.30.1 --include-crds")?;
    let expected = "---\n# Source: web/crds/a.yaml\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.example.com}\n\n---\n# Source: web/templates/web.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: demo, namespace: shop}\nspec:\n  replicas: 5\n  selector: {matchLabels: {app: web}}\n  image: caddy:v2\n  kube: v1.30.1\n---\n# Source: web/templates/test.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: try, annotations: {helm.sh/hook: test}}\n\n";
    ensure!(run.stdout == expected, "{:?}", run.stdout);
    ensure!(run.stderr.is_empty(), "{}", run.stderr);
    // A packed chart is the same chart.
    let mut tree = FileTree::new();
    for (path, text) in FILES {
        tree.put(&format!("web/{path}"), *text);
    }
    fs::write(sandbox.path().join("web.tgz"), gzip(&write_tar(&tree)))?;
    let folder = sandbox.ok("chart template web --skip-tests")?;
    let packed = sandbox.ok("chart template web.tgz --skip-tests")?;
    ensure!(folder.stdout == packed.stdout && folder.stdout.contains("name: release-name"));
    ensure!(!folder.stdout.contains("name: try"));
    Ok(())
}

#[test]
fn some_templates_alone_and_files_instead_of_one_text() -> Result<()> {
    let sandbox = with(&[])?;
    let run = sandbox.ok("chart template demo web -s templates/test.yaml")?;
    ensure!(
        run.stdout
            .starts_with("---\n# Source: web/templates/test.yaml\n"),
        "{}",
        run.stdout
    );
    ensure!(!run.stdout.contains("Deployment"));
    let missing = sandbox.run("chart template demo web -s templates/cache.yaml")?;
    let (code, stderr) = ended(&missing);
    ensure!(code == Some(7) && missing.stdout.is_empty(), "{stderr}");
    ensure!(
        stderr.contains("error[chart-template-missing]") && stderr.contains("templates/cache.yaml"),
        "{stderr}"
    );
    let run = sandbox.ok("chart template demo web --output-dir out --release-name")?;
    ensure!(
        run.stdout
            .contains("wrote out/demo/web/templates/web.yaml\n"),
        "{}",
        run.stdout
    );
    let written = fs::read_to_string(sandbox.path().join("out/demo/web/templates/web.yaml"))?;
    ensure!(
        written.starts_with("---\n# Source: web/templates/web.yaml\napiVersion: apps/v1\n"),
        "{written}"
    );
    Ok(())
}

#[test]
fn parts_of_a_chart_are_shown() -> Result<()> {
    let sandbox = with(&[])?;
    ensure!(
        sandbox
            .ok("chart show values web")?
            .stdout
            .starts_with("# How many.\n")
    );
    ensure!(
        sandbox
            .ok("chart show chart web")?
            .stdout
            .contains("version: 1.2.3\n")
    );
    ensure!(
        sandbox
            .ok("chart show readme web")?
            .stdout
            .contains("Read me.")
    );
    ensure!(
        sandbox
            .ok("chart show crds web")?
            .stdout
            .contains("as.example.com")
    );
    let (code, stderr) = ended(&sandbox.run("chart show values nowhere")?);
    ensure!(code == Some(3) && stderr.contains("hint:"), "{stderr}");
    Ok(())
}

#[test]
fn mistakes_end_with_7_and_show_the_place() -> Result<()> {
    let broken = [
        (
            "templates/web.yaml",
            "a: {{ .Values.image.tag.x }}\n",
            "template-execution",
            "web/templates/web.yaml:1:",
        ),
        (
            "templates/web.yaml",
            "a: {{ if }}\n",
            "template-syntax",
            "web/templates/web.yaml:1:",
        ),
        (
            "templates/web.yaml",
            "a: b\n  c: {{ .Values.replicas }}\n",
            "chart-manifest",
            "web/templates/web.yaml",
        ),
        (
            "templates/web.yaml",
            "a: {{ required \"say who\" .Values.who }}\n",
            "template-required",
            "say who",
        ),
        (
            "templates/web.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ randAlphaNum 5 | lower }}}\n",
            "template-nondeterministic",
            "randAlphaNum",
        ),
        ("values.yaml", "a: [\n", "chart-values", "web/values.yaml"),
        (
            "Chart.yaml",
            "name: web\nversion: x\n",
            "chart-metadata",
            "web/Chart.yaml:2:10",
        ),
        (
            "values.schema.json",
            r#"{"properties": {"replicas": {"maximum": 1}}}"#,
            "chart-schema",
            "web/values.yaml:2:11",
        ),
        (".helmignore", "a/**\n", "chart-ignore", ".helmignore:1"),
    ];
    for (path, text, code, place) in broken {
        let sandbox = with(&[(path, text)])?;
        let run = sandbox.run("chart template demo web")?;
        let (status, stderr) = ended(&run);
        ensure!(
            status == Some(7) && run.stdout.is_empty(),
            "{path}: {status:?} {stderr}"
        );
        ensure!(
            stderr.contains(&format!("error[{code}]")) && stderr.contains(place),
            "{path}: {stderr}"
        );
        // The lint says the same, and ends the same, unless the chart only asks for something.
        let lint = sandbox.run("chart lint web")?;
        let (status, stderr) = ended(&lint);
        let is_fine = matches!(code, "template-required" | "template-nondeterministic");
        ensure!(
            status == Some(if is_fine { 0 } else { 7 }),
            "{path}: {status:?} {stderr}"
        );
        ensure!(is_fine || stderr.contains(code), "{path}: {stderr}");
    }
    Ok(())
}

#[test]
fn what_the_command_line_says_wrong_is_told() -> Result<()> {
    let sandbox = with(&[])?;
    for (arguments, status, words) in [
        ("chart template demo nowhere", 3, "failed to read `nowhere`"),
        ("chart template demo web -f nowhere.yaml", 3, "nowhere.yaml"),
        (
            "chart template demo web --set image.tag[x]=1",
            7,
            "chart-set",
        ),
        ("chart template demo web --kube-version x", 7, "1.33.4"),
        ("chart template Demo_ web", 7, "chart-release"),
        ("chart template", 2, "Usage"),
        ("chart lint", 2, "Usage"),
        ("chart lint nowhere", 3, "nowhere"),
        ("chart lint web/README.md", 7, "chart-archive"),
        ("chart lint .", 7, "chart-files"),
    ] {
        let (found, stderr) = ended(&sandbox.run(arguments)?);
        ensure!(found == Some(status), "{arguments}: {found:?} {stderr}");
        ensure!(stderr.contains(words), "{arguments}: {stderr}");
    }
    Ok(())
}

#[test]
fn lints_are_found_where_they_are() -> Result<()> {
    let sandbox = with(&[])?;
    let clean = sandbox.ok("chart lint web")?;
    ensure!(
        clean.stderr == "1 chart checked: 0 errors, 0 warnings\n",
        "{}",
        clean.stderr
    );
    ensure!(clean.stdout.is_empty());
    sandbox.write(
        "web/values.yaml",
        "replicas: 2\nimage: {name: nginx, tagged: v1}\ncache: {enabled: false}\n",
    )?;
    // Without quotes, an image without a tag is no YAML.
    let template = sandbox.path().join("web/templates/web.yaml");
    let text = fs::read_to_string(&template)?;
    let image = "{{ .Values.image.name }}:{{ .Values.image.tag }}";
    fs::write(&template, text.replace(image, &format!("\"{image}\"")))?;
    sandbox.write("my.yaml", "replica: 3\n")?;
    let run = sandbox.ok("chart lint web -f my.yaml")?;
    for line in [
        "warning[chart-value-unknown]: nothing in the chart knows the value `replica`\n --> my.yaml:1:1\n",
        "  = hint: did you mean `replicas`?\n",
        "warning[chart-value-undefined]: `.Values.image.tag` is read, but nothing sets `tag`\n --> web/templates/web.yaml:7:39\n",
        "warning[chart-value-unused]: no template reads the value `image.tagged`\n --> web/values.yaml:2:22\n",
        "1 chart checked: 0 errors, 3 warnings\n",
    ] {
        ensure!(run.stderr.contains(line), "{line}: {}", run.stderr);
    }
    let strict = sandbox.run("chart lint web -f my.yaml --strict")?;
    ensure!(strict.status.code() == Some(7));
    // Only what must not be overlooked.
    let quiet = sandbox.ok("chart lint web -f my.yaml --quiet")?;
    ensure!(quiet.stderr.is_empty(), "{}", quiet.stderr);
    Ok(())
}

#[test]
fn lints_are_data_for_scripts() -> Result<()> {
    let sandbox = with(&[(
        "templates/old.yaml",
        "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: web}\n",
    )])?;
    let run = sandbox.ok("chart lint web web -o json --kube-version 1.24")?;
    let report: serde_json::Value = serde_json::from_str(&run.stdout)?;
    let finding = serde_json::json!({
        "chart": "web",
        "severity": "warning",
        "code": "chart-api-version",
        "message": "`policy/v1beta1` of PodDisruptionBudget is deprecated since Kubernetes 1.21, and not in 1.25 and later",
        "file": "web/templates/old.yaml",
        "line": 1,
        "column": 1,
        "hint": "use `policy/v1`, at least where `.Capabilities.APIVersions` has it",
    });
    let expected = serde_json::json!({
        "charts": 2,
        "errors": 0,
        "warnings": 2,
        "findings": [&finding, &finding],
    });
    ensure!(report == expected, "{report:#}");
    let names = sandbox.ok("chart lint web -o name --kube-version 1.24")?;
    ensure!(
        names.stdout == "web/templates/old.yaml:1:1\n",
        "{}",
        names.stdout
    );
    ensure!(
        sandbox
            .ok("chart lint web -o json --kube-version 1.20")?
            .stdout
            .contains("\"findings\": []")
    );
    Ok(())
}

#[test]
fn hostile_charts_end_in_clear_errors() -> Result<()> {
    let hostile = [
        (
            "{{ define \"x\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}",
            "nested reference name",
        ),
        ("{{ repeat 1000000000 \"x\" }}", "longer than"),
        (
            "{{ $x := \"{{ tpl . . }}\" }}{{ tpl $x $x }}",
            "nested reference name",
        ),
    ];
    for (template, words) in hostile {
        let sandbox = with(&[("templates/web.yaml", template)])?;
        for command in ["chart template demo web", "chart lint web"] {
            let (code, stderr) = ended(&sandbox.run(command)?);
            ensure!(code == Some(7), "{command} {template}: {code:?} {stderr}");
            ensure!(stderr.contains(words), "{command} {template}: {stderr}");
        }
    }
    let sandbox = with(&[])?;
    std::os::unix::fs::symlink(".", sandbox.path().join("web/templates/loop"))?;
    let (code, stderr) = ended(&sandbox.run("chart lint web")?);
    ensure!(
        code == Some(7) && stderr.contains("is a link to a folder around it"),
        "{stderr}"
    );
    let mut packed = gzip(&write_tar(&FileTree::new()));
    packed.truncate(packed.len() / 2);
    sandbox.write("half.tgz", packed)?;
    let (code, stderr) = ended(&sandbox.run("chart lint half.tgz")?);
    ensure!(
        code == Some(7) && stderr.contains("error[chart-archive]"),
        "{stderr}"
    );
    Ok(())
}

#[test]
fn what_a_chart_in_a_pack_ignores_is_no_part_of_it() -> Result<()> {
    let sandbox = with(&[
        (".helmignore", "notes/\n*.bak\n"),
        ("notes/a.txt", "x"),
        ("templates/a.bak", "{{ broken"),
        ("kept.txt", "x"),
    ])?;
    sandbox.ok("pack new shop --layer addon")?;
    let chart = sandbox.path().join("shop/charts/web");
    fs::create_dir_all(sandbox.path().join("shop/charts"))?;
    fs::rename(sandbox.path().join("web"), &chart)?;
    let built = sandbox.ok("pack build shop")?.stdout;
    fs::remove_dir_all(chart.join("notes"))?;
    fs::remove_file(chart.join("templates/a.bak"))?;
    ensure!(sandbox.ok("pack build shop")?.stdout == built);
    fs::remove_file(chart.join("kept.txt"))?;
    ensure!(sandbox.ok("pack build shop")?.stdout != built);
    fs::write(chart.join(".helmignore"), "a/**\n")?;
    let (code, stderr) = ended(&sandbox.run("pack build shop")?);
    ensure!(
        code == Some(7) && stderr.contains("double-star"),
        "{stderr}"
    );
    Ok(())
}
