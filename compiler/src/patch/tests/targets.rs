//! Which objects a patch selects, and what it says when they are not what was expected.

use super::{OBJECTS, Run, report};

fn matched(target: &str) -> Vec<usize> {
    let patch = format!("target: {target}\npatch: {{}}\nexpect: {{min: 0}}");
    let run = Run::new(OBJECTS, &patch);
    assert!(run.outcome.diagnostics.is_empty(), "{}", run.report());
    run.outcome.matched
}

#[test]
fn targets_select_objects() {
    let cases: [(&str, &[usize]); 12] = [
        ("{kind: Deployment}", &[0, 1]),
        ("{kind: '*'}", &[0, 1, 2]),
        ("{kind: D*, name: w?b}", &[0]),
        ("{name: web}", &[0, 2]),
        ("{group: apps}", &[0, 1]),
        ("{group: '', version: v1}", &[2]),
        ("{namespace: sh*}", &[0, 1, 2]),
        ("{namespace: ''}", &[]),
        ("{labelSelector: 'app in (web, worker),!tier'}", &[1]),
        ("{labelSelector: '!app'}", &[2]),
        ("{layer: base, pack: demo, kind: Service}", &[2]),
        ("{layer: other}", &[]),
    ];
    for (target, expected) in cases {
        assert_eq!(matched(target), expected, "{target}");
    }
}

#[test]
fn a_patch_that_matches_nothing_says_what_is_near() {
    let hint = |target: &str| {
        let text = report(&format!("target: {target}\npatch: {{}}"));
        assert!(text.starts_with("patch-matches: the patch matches no object, expected at least 1\n  profile.yaml:1:1\n"), "{text}");
        text.lines().last().unwrap().trim_start().to_owned()
    };
    let cases = [
        (
            "{kind: Deploymnet}",
            "hint: no object has `kind: Deploymnet`; did you mean `Deployment`?",
        ),
        (
            "{kind: Deployment, name: wbe}",
            "hint: of the 2 objects with `kind: Deployment`, none has `name: wbe`; did you mean `web`?",
        ),
        (
            "{kind: Deployment, name: database}",
            "hint: of the 2 objects with `kind: Deployment`, none has `name: database`; expected one of `web`, `worker`",
        ),
        (
            "{name: web, labelSelector: tier=back}",
            "hint: Deployment `shop/web`, Service `shop/web` would match without `labelSelector: tier=back`",
        ),
        (
            "{layer: bsae}",
            "hint: no object has `layer: bsae`; did you mean `base`?",
        ),
    ];
    for (target, expected) in cases {
        assert_eq!(hint(target), expected, "{target}");
    }
}

#[test]
fn expectations_and_targets_are_checked() {
    insta::assert_snapshot!(report("target: {kind: Deployment}\npatch: {}\nexpect: {max: 1}"), @"
    patch-matches: the patch matches 2 objects, expected 1
      profile.yaml:1:1
      note: it matches Deployment `shop/web`, Deployment `shop/worker`
    ");
    insta::assert_snapshot!(report("target: {kind: '*'}\npatch: {}\nexpect: {min: 4}"), @r"
    patch-matches: the patch matches 3 objects, expected at least 4
      profile.yaml:1:1
      note: it matches Deployment `shop/web`, Deployment `shop/worker`, Service `shop/web`
    ");
    insta::assert_snapshot!(report("target: {kind: x}\npatch: {}\nexpect: {min: 2, max: 1}"), @r"
    patch-expect: no number is at least 2 and at most 1
      profile.yaml:1:1
      hint: let `expect.min` be at most `expect.max`
    ");
    insta::assert_snapshot!(report("target: {}\npatch: {}"), @r#"
    patch-target: the patch's `target` selects nothing in particular
      profile.yaml:1:1
      hint: name at least a `kind`; `kind: "*"` stands for every object
    "#);
    insta::assert_snapshot!(report("target: {labelSelector: a b}\npatch: {}"), @r"
    patch-selector: `labelSelector: a b` is not a label selector: requirements are separated by `,`
      profile.yaml:1:1
    ");
}
