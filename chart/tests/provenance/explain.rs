//! What is said of the fields of a chart that was written for this.

use std::{fmt::Write as _, path::Path};

use cairn_chart::{
    Release,
    explain::{Cause, Explanation, FieldPath, Fields, NoField},
};
use cairn_spec::{OriginId, Origins, Sources};

use crate::{load_chart, render};

/// Object, field, and what is said of it.
const CASES: &[(&str, &str, &str)] = &[
    (
        "Deployment/demo-shop",
        "spec.replicas",
        "exact [shop/values.yaml:3:11] by deployment.yaml:12:16",
    ),
    (
        "Deployment/demo-shop",
        "kind",
        "template [] by deployment.yaml:1:1",
    ),
    (
        "Deployment/demo-shop",
        "metadata.name",
        "derived [release:1:7, shop/Chart.yaml:2:7] by _names.tpl:12:20 by _names.tpl:12:12 by _names.tpl:2:5 because Condition [shop/values.yaml:2:19] because Condition [shop/Chart.yaml:2:7, shop/values.yaml:1:15, release:1:7] because Choice [shop/values.yaml:1:15]",
    ),
    (
        "deploy/demo-shop",
        "metadata.labels.team",
        "exact [shop/values.yaml:11:9] by _names.tpl:20:11 because With [shop/values.yaml:11:3]",
    ),
    (
        "deploy/demo-shop",
        "spec.template.spec.containers[0].image",
        "derived [shop/values.yaml:6:15, shop/Chart.yaml:4:13] by _names.tpl:25:48 by _names.tpl:25:75 by _names.tpl:25:79 because Choice [shop/values.yaml:7:8] without Condition [shop/values.yaml:5:13]",
    ),
    (
        "deploy/demo-shop",
        "/spec/template/spec/containers/0/ports/[name=metrics]/containerPort",
        "exact [shop/values.yaml:22:13] by deployment.yaml:30:33 because Loop [shop/values.yaml:18:5] because Choice [shop/values.yaml:23:19]",
    ),
    (
        "deploy/demo-shop",
        "spec.template.spec.containers[0].name",
        "exact [shop/Chart.yaml:2:7] by deployment.yaml:23:20 without Condition [shop/values.yaml:51:9]",
    ),
    (
        "svc",
        "spec.type",
        "exact [shop/values.yaml:16:9] by service.yaml:7:12 because Condition [shop/values.yaml:15:12, shop/values.yaml:18:5]",
    ),
    (
        "svc",
        "spec.ports[1].port",
        "exact [shop/values.yaml:22:13] by service.yaml:10:31 because Condition [shop/values.yaml:15:12, shop/values.yaml:18:5] because Loop [shop/values.yaml:18:5]",
    ),
    (
        "ConfigMap/demo-cache",
        "data.size",
        "exact [shop/values.yaml:58:9 over shop/charts/cache/values.yaml:2:7] by shop/charts/cache/templates/cache.yaml:6:27 because Chart [shop/values.yaml:57:12]",
    ),
    (
        "ConfigMap/demo-shop-config",
        "data.empty",
        "controlled [] without Choice [shop/values.yaml:5:13]",
    ),
    (
        "ConfigMap/demo-shop-config",
        "data['app.conf']",
        "derived [shop/values.yaml:34:9, shop/values.yaml:37:11, shop/values.yaml:3:11] by config.yaml:9:9 because Text [shop/values.yaml:34:9] without Condition [shop/values.yaml:51:9]",
    ),
    (
        "Secret/demo-shop",
        "data.password",
        "derived [shop/values.yaml:44:13] by config.yaml:29:16",
    ),
    (
        "Secret/demo-shop",
        "data.generated",
        "opaque [] by config.yaml:30:17",
    ),
];

#[test]
fn fields_say_where_they_came_from() {
    let shop = Shop::rendered();
    let mut differences = String::new();
    for (object, path, expected) in CASES {
        let found = shop.explained(object, path);
        if found != *expected {
            let _ = writeln!(differences, "{object} {path}\n  {expected}\n  {found}");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn every_line_of_an_object_is_explained() {
    let shop = Shop::rendered();
    let document = shop.release.find_object("Service/demo-shop").unwrap();
    let fields = Fields::of(document).unwrap();
    let found = FieldPath::default().find(&fields, document).unwrap();
    let lines = fields.lines(&found, document);
    let shown: Vec<String> = lines
        .iter()
        .map(|line| {
            let text = String::from_utf8_lossy(line.text);
            let kind = line.explanation.as_ref().map(|it| it.kind.to_string());
            format!("{text} # {}", kind.unwrap_or_default())
        })
        .collect();
    let expected = [
        "apiVersion: v1 # controlled",
        "kind: Service # controlled",
        "metadata: # controlled",
        "  name: demo-shop # derived",
        "spec: # controlled",
        "  type: ClusterIP # exact",
        "  ports: # controlled",
        "  - name: http # exact",
        "    port: 80 # exact",
        "  - name: metrics # exact",
        "    port: 9090 # exact",
    ];
    assert_eq!(
        shown.join("\n").trim_end_matches(" # ").trim_end(),
        expected.join("\n")
    );
    let leaves = fields.leaves(&found, document);
    let paths: Vec<&str> = leaves.iter().map(|leaf| leaf.path.as_str()).collect();
    assert_eq!(paths.last(), Some(&"spec.ports[1].port"));
}

#[test]
fn what_is_not_there_is_told_with_what_is_near() {
    let shop = Shop::rendered();
    let object = |wanted: &str| {
        shop.release
            .find_object(wanted)
            .map(|it| it.path().to_string())
    };
    assert_eq!(
        object("po/x").unwrap_err().message,
        "the chart renders no object `po/x`"
    );
    let hint = |problem: NoField| problem.hint.unwrap_or_default();
    assert_eq!(
        hint(object("Deployment/demo-shpo").unwrap_err()),
        "did you mean `Deployment/demo-shop`?"
    );
    let several = object("cm").unwrap_err();
    assert_eq!(several.message, "`cm` may be any of 3 objects");
    assert!(
        hint(several).contains("`ConfigMap/demo-cache` (shop/charts/cache/templates/cache.yaml)")
    );
    assert_eq!(object("Secret").unwrap(), "shop/templates/config.yaml");
    let field = |path: &str| {
        let document = shop.release.find_object("svc/demo-shop").unwrap();
        let fields = Fields::of(document).unwrap();
        let found = FieldPath::parse(path)?.find(&fields, document)?;
        Ok::<String, NoField>(found.path)
    };
    assert_eq!(field("/spec/ports/1/port").unwrap(), "spec.ports[1].port");
    let missing = field("spec.prots").unwrap_err();
    assert_eq!(missing.message, "spec has no key `prots`");
    assert_eq!(hint(missing), "did you mean `ports`?");
    let missing = field("spec.ports[7]").unwrap_err();
    assert_eq!(hint(missing), "its items are `[0]` to `[1]`");
}

struct Shop {
    release: Release,
    sources: Sources,
    origins: Origins,
}

impl Shop {
    fn rendered() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/provenance/shop");
        let (chart, mut sources, mut origins) =
            load_chart(&folder, "shop").expect("the chart loads");
        let release = render::release(chart, &mut sources, &mut origins);
        let release = release.expect("the chart renders");
        Self {
            release,
            sources,
            origins,
        }
    }

    fn explained(&self, object: &str, path: &str) -> String {
        let document = self.release.find_object(object);
        let document = document.expect("the object is there");
        let fields = Fields::of(document).expect("it is YAML");
        let path = FieldPath::parse(path).expect("it is a path");
        let found = path.find(&fields, document).expect("the field is there");
        let value = fields.bytes_of(found.node);
        let explanation = Explanation::of(document, value, &found.leads);
        let mut said = explanation.kind.to_string();
        let _ = write!(said, " [{}]", self.places(&explanation.origins));
        for written in &explanation.written {
            let _ = write!(said, " by {}", self.sources.locate(written.place));
        }
        self.add_causes(" because", &explanation.because, &mut said);
        self.add_causes(" without", &explanation.without, &mut said);
        said.replace("shop/templates/", "")
    }

    fn add_causes(&self, word: &str, causes: &[Cause<'_>], said: &mut String) {
        for cause in causes {
            let _ = write!(
                said,
                "{word} {:?} [{}]",
                cause.kind,
                self.places(cause.origins)
            );
        }
    }

    fn places(&self, origins: &[OriginId]) -> String {
        let places = origins.iter().map(|&origin| {
            let writers = self.origins.history(origin);
            let writers = writers.filter_map(|it| Some(self.sources.locate(it.span?)));
            writers.collect::<Vec<_>>().join(" over ")
        });
        places.collect::<Vec<_>>().join(", ")
    }
}
