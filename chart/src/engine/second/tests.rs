//! Two threads make of a chart what one does: templates that change values for those after them, fail,
//! or need much.

use std::{
    sync::{Condvar, Mutex},
    thread::{self, ThreadId},
    time::Duration,
};

use cairn_spec::{Node, Origins, Sources};
use cairn_template::{GeneratedCall, Generation, Host};

use crate::{ChartFile, ManifestOptions, RenderOptions, load, render, values::Overrides};

/// Which thread renders what is another matter each time.
const ROUNDS: usize = 5;
const TEMPLATES: usize = 12;
/// Within this the other thread does what a test waits for, or never.
const MOST_WAIT: Duration = Duration::from_mins(1);

/// The files of a chart whose templates are rendered in this order.
fn chart_of(templates: &[String]) -> Vec<ChartFile> {
    let long = format!("{{{{/* {} */}}}}", "x".repeat(60 << 10));
    let mut files = vec![
        ChartFile::new("Chart.yaml", "{apiVersion: v2, name: web, version: 1.2.3}"),
        ChartFile::new("values.yaml", "{count: 0, map: {}}"),
        ChartFile::new("templates/_long.tpl", long),
    ];
    for (number, text) in templates.iter().enumerate() {
        // Helm renders the last first.
        let path = format!("templates/{:02}.yaml", templates.len() - number);
        files.push(ChartFile::new(path, text.clone()));
    }
    files
}

/// The chart's manifest, or Helm's message.
fn outcome(files: &[ChartFile], options: &RenderOptions<'_>) -> String {
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let chart = load(files.to_vec(), "web", &mut sources, &mut origins).unwrap();
    let values: Node = Overrides::default()
        .merge(options.dialect, &mut sources, &mut origins, &mut |_| {
            unreachable!("no file is named")
        })
        .unwrap();
    match render(chart, &values, options, &mut sources, &mut origins) {
        Ok(release) => {
            let manifest = release.manifest(&ManifestOptions::default()).unwrap();
            String::from_utf8(manifest).unwrap()
        }
        Err(error) => error.helm_message().to_owned(),
    }
}

/// Two threads make of it what one does.
fn assert_same(templates: &[String], options: &RenderOptions<'_>) -> String {
    assert_same_chart(&chart_of(templates), options)
}

fn assert_same_chart(files: &[ChartFile], options: &RenderOptions<'_>) -> String {
    let alone = RenderOptions {
        provenance: true,
        ..options.clone()
    };
    let expected = outcome(files, &alone);
    for _ in 0..ROUNDS {
        assert_eq!(outcome(files, options), expected);
    }
    expected
}

fn options() -> RenderOptions<'static> {
    RenderOptions {
        provenance: false,
        ..RenderOptions::new("demo")
    }
}

/// Each says what it sees, and takes a while.
fn plain() -> Vec<String> {
    let see = "a: {{ .Template.Name }}\nn: {{ .Values.count }}\nm: {{ .Values.map }}\n";
    let busy = "{{ range until 300 }}{{ $_ := add . 1 }}{{ end }}";
    vec![format!("{see}{busy}"); TEMPLATES]
}

#[test]
fn all_is_rendered_once() {
    let manifest = assert_same(&plain(), &options());
    assert_eq!(manifest.matches("n: 0").count(), TEMPLATES);
}

#[test]
fn what_one_changes_those_after_it_see() {
    for change in [
        r#"set .Values "count" 1"#,
        r#"unset .Values "count""#,
        r#"set .Values.map "k" (dict)"#,
        r#"mergeOverwrite .Values (dict "count" 2)"#,
        r#"set . "Values" (dict "count" 3)"#,
    ] {
        for number in 0..TEMPLATES {
            let mut templates = plain();
            templates[number] = format!("{}{{{{ $_ := {change} }}}}", templates[number]);
            let manifest = assert_same(&templates, &options());
            assert_eq!(
                manifest.matches("n: 0\nm: map[]\n").count(),
                number + 1,
                "{change}"
            );
        }
    }
}

#[test]
fn what_several_change_those_after_them_see() {
    for (first, second) in [(0, 1), (0, 5), (3, 4), (2, TEMPLATES - 1)] {
        let mut templates = plain();
        templates[first].push_str(r#"{{ $_ := set .Values "map" (dict "k" 1) }}"#);
        // What is changed here another template made.
        templates[second].push_str(r#"{{ $_ := set .Values.map "k" 2 }}"#);
        let manifest = assert_same(&templates, &options());
        let seen = |text| manifest.matches(text).count();
        assert_eq!(seen("m: map[]\n"), first + 1);
        assert_eq!(seen("m: map[k:1]\n"), second - first);
        assert_eq!(seen("m: map[k:2]\n"), TEMPLATES - 1 - second);
    }
}

#[test]
fn all_may_change_what_those_after_them_see() {
    let count = r#"{{ $_ := set .Values "count" (add .Values.count 1) }}"#;
    let templates = plain().into_iter().map(|text| text + count);
    let manifest = assert_same(&templates.collect::<Vec<_>>(), &options());
    for number in 0..TEMPLATES {
        assert!(manifest.contains(&format!("n: {number}\n")), "{manifest}");
    }
}

#[test]
fn all_may_set_the_same() {
    let set = r#"{{ $_ := set .Values "mode" "ha" }}{{ $_ := set . "count" 3 }}"#;
    let see = "mode: {{ .Values.mode }}\nof: {{ .count }}\n";
    for number in [0, 1, TEMPLATES - 1] {
        let mut templates = plain();
        for template in &mut templates {
            *template = format!("{set}{see}{template}");
        }
        templates[number].push_str(r#"{{ $_ := set .Values "mode" "one" }}"#);
        let manifest = assert_same(&templates, &options());
        assert_eq!(manifest.matches("mode: ha\nof: 3\n").count(), TEMPLATES);
    }
}

/// Gives the same text each time; the first thread gets it for its first template only once the
/// second one is ahead of it.
#[derive(Debug)]
struct HoldsFirst {
    first: ThreadId,
    is_ahead: Mutex<bool>,
    changed: Condvar,
}

impl Host for HoldsFirst {
    fn generate(&self, call: &GeneratedCall<'_>) -> Generation {
        let is_first = thread::current().id() == self.first;
        let mut is_ahead = self.is_ahead.lock().unwrap();
        if is_first && call.rendering == "web/templates/12.yaml" {
            while !*is_ahead {
                let waited = self.changed.wait_timeout(is_ahead, MOST_WAIT).unwrap();
                assert!(
                    !waited.1.timed_out(),
                    "the second thread never got that far"
                );
                is_ahead = waited.0;
            }
        } else if !is_first && call.rendering == "web/templates/02.yaml" {
            *is_ahead = true;
            self.changed.notify_all();
        }
        Generation::Fixed(Node::generated("text"))
    }
}

#[test]
fn the_second_may_know_of_a_change_before_the_first_tells() {
    let set = r#"{{ $_ := set .Values "mode" "ha" }}{{ $text := uuidv4 }}"#;
    let templates = plain().into_iter().map(|text| set.to_owned() + &text);
    let files = chart_of(&templates.collect::<Vec<_>>());
    for _ in 0..ROUNDS {
        let host = HoldsFirst {
            first: thread::current().id(),
            is_ahead: Mutex::new(false),
            changed: Condvar::new(),
        };
        let held = RenderOptions {
            host: &host,
            ..options()
        };
        let together = outcome(&files, &held);
        // Nobody is held any more.
        assert!(*host.is_ahead.lock().unwrap());
        assert_eq!(assert_same_chart(&files, &held), together);
        assert_eq!(together.matches("n: 0").count(), TEMPLATES, "{together}");
    }
}

#[test]
fn it_is_seen_which_template_of_a_chart_was_rendered_last() {
    let see = "a: {{ .Template.Name }}\ns: {{ .Subcharts.sub.Template }}\n";
    let busy = "{{ range until 300 }}{{ $_ := add . 1 }}{{ end }}";
    let mut files = chart_of(&vec![format!("{see}{busy}"); TEMPLATES]);
    files.push(ChartFile::new(
        "charts/sub/Chart.yaml",
        "{apiVersion: v2, name: sub, version: 1.2.3}",
    ));
    for path in ["templates/a.yaml", "templates/b.yaml"] {
        // Helm renders what lies deeper first.
        files.push(ChartFile::new(
            format!("charts/sub/{path}"),
            format!("of: sub{busy}"),
        ));
        files.push(ChartFile::new(
            path.replace('/', "/as/deep/as/"),
            format!("{see}{busy}"),
        ));
    }
    let manifest = assert_same_chart(&files, &options());
    assert_eq!(manifest.matches("s: map[").count(), TEMPLATES, "{manifest}");
    let last = "s: map[BasePath:web/charts/sub/templates Name:web/charts/sub/templates/a.yaml]";
    assert_eq!(manifest.matches(last).count(), TEMPLATES, "{manifest}");
}

#[test]
fn values_that_do_not_fit_are_told_before_all_else() {
    let mut templates = plain();
    templates[0].push_str("{{");
    let mut files = chart_of(&templates);
    let told = assert_same_chart(&files, &options());
    assert!(told.contains("unclosed action"), "{told}");
    let schema = r#"{"properties": {"count": {"type": "string"}}}"#;
    files.push(ChartFile::new("values.schema.json", schema));
    let told = assert_same_chart(&files, &options());
    assert!(told.contains("got number, want string"), "{told}");
}

#[test]
fn the_first_failure_is_told() {
    for number in 0..TEMPLATES - 1 {
        let mut templates = plain();
        templates[number].push_str(r#"{{ fail "this" }}"#);
        templates[TEMPLATES - 1].push_str(r#"{{ fail "that" }}"#);
        assert!(assert_same(&templates, &options()).contains("this"));
    }
}

#[test]
fn all_templates_share_one_budget() {
    let mut options = options();
    options.limits.steps = 12_000;
    let told = assert_same(&plain(), &options);
    assert!(told.contains("more than 12000 evaluation steps"), "{told}");
}

#[test]
fn what_needs_much_is_rendered_all_the_same() {
    let mut options = options();
    options.limits.memory_bytes = 16 << 20;
    let mut templates = plain();
    for template in &mut templates {
        template.push_str("\nheld: {{ $held := until 100000 }}{{ len $held }}\n");
    }
    let manifest = assert_same(&templates, &options);
    assert_eq!(manifest.matches("100000").count(), TEMPLATES, "{manifest}");
}
