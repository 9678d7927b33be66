//! What a render refuses to spend.

use cairn_template::Limits;
use insta::assert_snapshot;
use serde_json::json;

use crate::case::{Case, errors};

fn tight() -> Limits {
    Limits {
        output_bytes: 1000,
        steps: 1000,
        partial_depth: 8,
        ..Limits::default()
    }
}

#[test]
fn partials_that_include_themselves() {
    let case = Case::new("{{> a}}")
        .partial("a", "x{{> b}}")
        .partial("b", "y{{> a}}")
        .limits(Limits {
            partial_depth: 3,
            ..tight()
        });
    assert_snapshot!(case.errors(), @"
    template-limit: partials are included more than 3 deep
      _a.hbs:1:6 `b`
      _b.hbs:1:6 `a` included here
      t.hbs:1:5 `a` included here
      hint: `b` may be including itself
    ");
    let case = Case::new("{{include \"a\"}}")
        .partial("a", "{{include \"a\"}}")
        .limits(Limits {
            partial_depth: 2,
            ..tight()
        });
    assert_snapshot!(case.errors(), @r#"
    template-limit: partials are included more than 2 deep
      _a.hbs:1:11 `"a"`
      t.hbs:1:11 `"a"` included here
      hint: `a` may be including itself
    "#);
}

#[test]
fn output_that_grows_too_long() {
    let case = Case::new("{{#each values.l}}\n{{../values.text}}\n{{/each}}")
        .values(json!({"l": vec![1; 20], "text": "x".repeat(100)}))
        .limits(tight());
    assert_snapshot!(case.errors(), @"
    template-limit: the text is longer than 1000 bytes
      t.hbs:2:3 `../values.text` the limit was reached here
    ");
    let case = Case::new("{{indent 2000 \"x\"}}").limits(tight());
    assert_snapshot!(case.errors(), @r#"
    template-limit: the text is longer than 1000 bytes
      t.hbs:1:3 `indent 2000 "x"` the limit was reached here
    "#);
    let case = Case::new("{{indent 9223372036854775807 \"x\"}}");
    assert_snapshot!(case.errors(), @r#"
    template-limit: the text is longer than 16777216 bytes
      t.hbs:1:3 `indent 9223372036854775807 "x"` the limit was reached here
    "#);
}

#[test]
fn loops_that_take_too_long() {
    let template = "{{#each values.l}}{{#each @root.values.l}}{{#each @root.values.l}}{{#if this}}{{/if}}{{/each}}{{/each}}{{/each}}";
    let case = Case::new(template)
        .values(json!({"l": vec![1; 100]}))
        .limits(tight());
    assert_snapshot!(case.errors(), @"
    template-limit: rendering takes more than 1000 evaluation steps
      t.hbs:1:73 `this` the limit was reached here
      hint: loop over less, or split the template
    ");
}

#[test]
fn values_that_grow_exponentially() {
    let doubled = |call: &str| {
        let template = "{{> p v=values.a n=60}}";
        let partial = format!(
            "{{{{#if (gt n 0)}}}}{{{{> p v=({call}) n=(sub n 1)}}}}{{{{else}}}}{{{{toYaml v}}}}{{{{/if}}}}"
        );
        let case = Case::new(template)
            .partial("p", &partial)
            .values(json!({"a": "x"}));
        case.errors()
    };
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    assert_snapshot!(first(doubled("list v v")), @"template-limit: the text is longer than 16777216 bytes");
    assert_snapshot!(first(doubled("concat v v")), @"template-limit: the text came from more than 2000000 places");
    assert_snapshot!(first(doubled("dict \"a\" v \"b\" v")), @"template-limit: the text is longer than 16777216 bytes");
}

#[test]
fn values_that_nest_too_deep() {
    let case = Case::new("{{> p v=1 n=60}}").partial(
        "p",
        "{{#if (gt n 0)}}{{> p v=(list (list (list v))) n=(sub n 1)}}{{else}}{{toYaml v}}{{/if}}",
    );
    let first = case.errors().lines().next().unwrap().to_owned();
    assert_snapshot!(first, @"template-limit: values are nested more than 128 levels deep");
    for expression in ["eq v v", "toJson v", "contains v 1", "len v"] {
        let partial = format!(
            "{{{{#if (gt n 0)}}}}{{{{> p v=(list (list (list v))) n=(sub n 1)}}}}{{{{else}}}}{{{{{expression}}}}}{{{{/if}}}}"
        );
        let _ = Case::new("{{> p v=1 n=60}}").partial("p", &partial).run();
    }
}

#[test]
fn templates_that_nest_too_deep() {
    let blocks = "{{#if 1}}".repeat(65) + &"{{/if}}".repeat(65);
    assert_snapshot!(errors(&blocks, json!({})), @"
    template-syntax: blocks are nested more than 64 deep
      t.hbs:1:577 `{{#if 1}}`
      hint: put the inner blocks into a partial: `templates/_NAME.hbs`
    ");
    let calls = format!("{{{{{}1{}}}}}", "not (".repeat(40), ")".repeat(40));
    assert_snapshot!(errors(&calls, json!({})).replace("not (", ""), @"
    template-syntax: parentheses are nested more than 32 deep
      t.hbs:1:167 `(`
      hint: put a part of it into a partial, and take its text with `include`
    ");
    let json = format!("{{{{len {}{}}}}}", "[".repeat(5000), "]".repeat(5000));
    assert_snapshot!(errors(&json, json!({})).lines().next().unwrap(), @"template-syntax: `[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…` is not a name, path or literal that can stand here");
}

/// The deepest that all limits together allow, on the stack of a thread with 2 MiB.
#[test]
fn the_deepest_render_fits_the_stack() {
    let calls = format!(
        "{}include \"p\" (dict \"n\" (sub n 1)){}",
        "default (dict) (".repeat(28),
        ")".repeat(28)
    );
    let partial = format!(
        "{{{{#if n}}}}{{{{#each (list 1)}}}}{{{{#with @root}}}}{{{{/with}}}}{{{{/each}}}}{{{{{calls}}}}}{{{{/if}}}}"
    );
    let case = Case::new("{{> p n=100}}").partial("p", &partial);
    let errors = case.errors();
    assert!(errors.starts_with("template-limit"), "{errors}");
    let blocks = "{{#if n}}".repeat(50) + "{{> p n=(sub n 1)}}" + &"{{/if}}".repeat(50);
    let case = Case::new("{{> p n=100}}").partial("p", &blocks);
    let errors = case.errors();
    assert!(errors.starts_with("template-limit"), "{errors}");
}

#[test]
fn mistakes_that_repeat_end_the_render() {
    let tags: Vec<String> = (0..60).map(|n| format!("{{{{values.x{n}}}}}")).collect();
    let template = tags.concat();
    let count = errors(&template, json!({}))
        .matches("template-undefined")
        .count();
    assert_eq!(count, 51);
}
