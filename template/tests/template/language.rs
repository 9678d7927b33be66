//! The rules of the language: paths, blocks, white space, partials.

use insta::assert_snapshot;
use serde_json::json;

use crate::case::{Case, render};

#[test]
fn scalars_print_as_yaml_would() {
    let values =
        json!({"text": "a <b> & {{c}}", "yes": true, "int": -3, "float": 0.5, "whole": 2.0});
    assert_snapshot!(
        render("{{values.text}}|{{values.yes}}|{{values.int}}|{{values.float}}|{{values.whole}}", values),
        @"a <b> & {{c}}|true|-3|0.5|2"
    );
}

#[test]
fn nothing_is_escaped_in_any_form_of_tag() {
    assert_snapshot!(
        render("{{values.a}} {{{values.a}}} {{&values.a}} {{{ values.a }}} {{& values.a}}", json!({"a": "<&>"})),
        @"<&> <&> <&> <&> <&>"
    );
}

#[test]
fn paths_reach_odd_keys_and_lists() {
    let values = json!({"my key": {"a.b": "odd"}, "list": ["x", {"y": 1}], "app.kubernetes.io/name": "n", "0": "zero"});
    assert_snapshot!(
        render(
            "{{values.[my key].[a.b]}} {{values.list.[0]}} {{values.list.0}} {{values.list.1.y}} {{values.[app.kubernetes.io/name]}} {{values.0}}",
            values
        ),
        @"odd x x 1 n zero"
    );
}

#[test]
fn slashes_separate_keys_too() {
    assert_snapshot!(render("{{values/a/b}} {{./values.a.b}} {{this.values.a.b}}", json!({"a": {"b": 1}})), @"1 1 1");
}

#[test]
fn keys_that_look_like_keywords_are_keys() {
    let values = json!({"this": 1, "if": 2, "else": 3, "as": 4, "true": 5, "list": 6});
    assert_snapshot!(
        render("{{values.[this]}}{{values.if}}{{values.else}}{{values.as}}{{values.true}}{{values.list}}", values),
        @"123456"
    );
}

#[test]
fn the_root_and_the_outer_contexts() {
    assert_snapshot!(
        render(
            "{{#with values.a}}{{#with b}}{{c}} {{../d}} {{../../values.e}} {{@root.values.e}} {{this.c}} {{./c}}{{/with}}{{/with}}",
            json!({"a": {"b": {"c": 1}, "d": 2}, "e": 3})
        ),
        @"1 2 3 3 1 1"
    );
}

#[test]
fn conditions_open_no_context() {
    assert_snapshot!(
        render("{{#with values.a}}{{#if b}}{{#if b}}{{b}} {{../values.c}}{{/if}}{{/if}}{{/with}}", json!({"a": {"b": 1}, "c": 2})),
        @"1 2"
    );
}

#[test]
fn conditions() {
    let template =
        "{{#if values.a}}a{{else if values.b}}b{{else}}c{{/if}}{{#unless values.a}}!{{/unless}}";
    assert_snapshot!(render(template, json!({"a": 1, "b": 1})), @"a");
    assert_snapshot!(render(template, json!({"a": 0, "b": 1})), @"b!");
    assert_snapshot!(render(template, json!({"a": 0, "b": 0})), @"c!");
}

#[test]
fn long_chains_of_else() {
    let template = "{{#if values.a}}a{{else unless values.b}}not b{{else each values.c}}{{this}};{{else with values.d}}{{e}}{{else}}none{{/if}}";
    assert_snapshot!(render(template, json!({"a": 0, "b": 0, "c": [], "d": null})), @"not b");
    assert_snapshot!(render(template, json!({"a": 0, "b": 1, "c": [1, 2], "d": null})), @"1;2;");
    assert_snapshot!(render(template, json!({"a": 0, "b": 1, "c": [], "d": {"e": 5}})), @"5");
    assert_snapshot!(render(template, json!({"a": 0, "b": 1, "c": [], "d": {}})), @"none");
}

#[test]
fn false_values() {
    let template = "{{#each values as |v k|}}{{k}}={{#if v}}1{{else}}0{{/if}} {{/each}}";
    let values = json!({"false": false, "null": null, "zero": 0, "zerof": 0.0, "text": "", "list": [], "map": {}});
    assert_snapshot!(render(template, values), @"false=0 list=0 map=0 null=0 text=0 zero=0 zerof=0 ");
    let values = json!({"true": true, "one": 1, "half": 0.5, "text": "false", "list": [null], "map": {"a": null}});
    assert_snapshot!(render(template, values), @"half=1 list=1 map=1 one=1 text=1 true=1 ");
}

#[test]
fn loops_over_lists_in_order() {
    assert_snapshot!(
        render("{{#each values.l}}{{@index}}{{#if @first}}f{{/if}}{{#if @last}}l{{/if}}={{this}} {{else}}none{{/each}}", json!({"l": ["b", "a", "c"]})),
        @"0f=b 1=a 2l=c "
    );
    assert_snapshot!(render("{{#each values.l}}x{{else}}none{{/each}}", json!({"l": []})), @"none");
    assert_snapshot!(render("{{#each values.l}}x{{else}}none{{/each}}", json!({"l": null})), @"none");
}

#[test]
fn loops_over_maps_by_key() {
    assert_snapshot!(
        render("{{#each values.m}}{{@index}}{{@key}}={{v}}{{#unless @last}},{{/unless}}{{/each}}", json!({"m": {"b": {"v": 1}, "a": {"v": 2}}})),
        @"0a=2,1b=1"
    );
}

#[test]
fn block_parameters() {
    assert_snapshot!(
        render(
            "{{#each values.m as |port name|}}{{name}}:{{port.n}} {{values.x}}{{/each}}",
            json!({"m": {"http": {"n": 80, "values": {"x": "inner"}}}, "x": "outer"})
        ),
        @"http:80 inner"
    );
    assert_snapshot!(render("{{#each values.l as |item i|}}{{i}}{{item}}{{/each}}", json!({"l": ["a", "b"]})), @"0a1b");
    assert_snapshot!(render("{{#with values.a.b as |b|}}{{b.c}}{{c}}{{/with}}", json!({"a": {"b": {"c": 1}}})), @"11");
    assert_snapshot!(
        render("{{#each values.l as |x|}}{{#each x as |x|}}{{x}}{{/each}}{{len x}} {{/each}}", json!({"l": [[1, 2], [3]]})),
        @"122 31 "
    );
}

#[test]
fn loop_variables_of_outer_loops() {
    assert_snapshot!(
        render("{{#each values.l}}{{#with this}}{{#each this}}{{@../index}}.{{@index}}={{this}} {{/each}}{{@index}} {{/with}}{{/each}}", json!({"l": [["a", "b"], ["c"]]})),
        @"0.0=a 0.1=b 0 1.0=c 1 "
    );
}

#[test]
fn literals_and_nested_calls() {
    assert_snapshot!(
        render(r#"{{concat "a'" 'b"' "\n" 1 true 1.5 -2}}{{len [1, 2, 3]}}{{get {"a": {"b": 7}} "a.b"}}{{add (mul 2 (add 1 1)) 3}}"#, json!({})),
        @r#"
    a'b"
    1true1.5-2377
    "#
    );
    assert_snapshot!(render(r#"{{concat "a }} b" "{{" (concat "(" ")")}}|{{(concat "x")}}"#, json!({})), @"a }} b{{()|x");
}

#[test]
fn tags_may_span_lines() {
    assert_snapshot!(render("{{concat\n  values.a\n  \"b\"\n}}{{#if\n  values.a\n}}c{{/if}}", json!({"a": "a"})), @"abc");
}

#[test]
fn braces_can_be_printed() {
    assert_snapshot!(
        render(r"\{{a}} \\{{values.a}} \\\{{values.a}} \a {{values.a}}\{{{b}}} { } }} \{{{{c}}}}", json!({"a": 1})),
        @r"{{a}} \1 \\1 \a 1{{{b}}} { } }} {{{{c}}}}"
    );
}

#[test]
fn comments_leave_nothing() {
    assert_snapshot!(
        render("a{{! x }}b{{!-- {{x}} --}}c{{!}}d{{!----}}e{{!--}}f {{~! x ~}} g {{~!-- }} --~}} h\n  {{! alone }}\nx\n{{!-- several\nlines --}}\ny", json!({})),
        @r"
    abcdefgh
    x
    y
    "
    );
}

fn shown(text: &str) -> String {
    text.replace('\n', "⏎")
        .replace('\r', "␍")
        .replace('\t', "⇥")
}

#[test]
fn tildes_trim_white_space() {
    let values = || json!({"a": 1});
    assert_snapshot!(shown(&render("x \n {{~values.a}} \n y", values())), @"x1 ⏎ y");
    assert_snapshot!(shown(&render("x \n {{values.a~}} \n y", values())), @"x ⏎ 1y");
    assert_snapshot!(shown(&render("x \n {{~{values.a}~}} \n y", values())), @"x1y");
    assert_snapshot!(shown(&render("x {{~#if values.a~}} b {{~else~}} c {{~/if~}} y", values())), @"xby");
    assert_snapshot!(shown(&render("x {{#if values.a}} b {{~else if values.b}} c {{/if}} y", values())), @"x  b y");
    assert_snapshot!(shown(&render("{{values.a~}}\n\n", values())), @"1");
    assert_snapshot!(shown(&render("\n\n{{~values.a}}", values())), @"1");
    assert_snapshot!(shown(&render("{{values.a~}} {{values.a}} {{~values.a~}} {{values.a}}", values())), @"1111");
}

#[test]
fn tags_alone_on_their_line_leave_no_line() {
    let values = || json!({"a": 1, "l": [1, 2]});
    assert_snapshot!(shown(&render("x\n{{#if values.a}}\nb\n{{/if}}\ny\n", values())), @"x⏎b⏎y⏎");
    assert_snapshot!(shown(&render("x\n  {{#if values.a}}  \n  b\n\t{{else}}\n  c\n  {{/if}}\t\ny", values())), @"x⏎  b⏎y");
    assert_snapshot!(shown(&render("{{#each values.l}}\n- {{this}}\n{{/each}}\n", values())), @"- 1⏎- 2⏎");
    assert_snapshot!(shown(&render("{{#each values.l}}\n- {{this}}\n{{/each}}", values())), @"- 1⏎- 2⏎");
    assert_snapshot!(shown(&render("x\r\n{{#if values.a}}\r\nb\r\n{{/if}}\r\ny\r\n", values())), @"x␍⏎b␍⏎y␍⏎");
    assert_snapshot!(shown(&render("x\n\n{{#if values.a}}\n\nb\n\n{{/if}}\n\ny", values())), @"x⏎⏎⏎b⏎⏎⏎y");
}

#[test]
fn tags_with_company_on_their_line_keep_it() {
    let values = || json!({"a": 1, "b": 0});
    assert_snapshot!(shown(&render("x {{#if values.a}} b {{/if}} y\n", values())), @"x  b  y⏎");
    assert_snapshot!(shown(&render("x\n{{#if values.a}}{{/if}}\ny\n", values())), @"x⏎⏎y⏎");
    assert_snapshot!(shown(&render("x\n  {{#if values.a}} b\n  {{/if}}\ny\n", values())), @"x⏎   b⏎y⏎");
    assert_snapshot!(shown(&render("{{values.a}}\n{{#if values.b}}\n{{/if}}\ny", values())), @"1⏎y");
    assert_snapshot!(shown(&render("  {{values.a}}  \ny", values())), @"  1  ⏎y");
}

#[test]
fn partials() {
    let case = Case::new(
        "{{> a}} {{> a values.b}} {{> a values.b x=2 y=(add 1 2)}}{{> 'a' (dict \"x\" 4)}}",
    )
    .partial("a", "[{{get this \"x\" \"-\"}}{{get this \"y\" \"-\"}}]")
    .values(json!({"b": {"x": 1}}));
    assert_snapshot!(case.text(), @"[--] [1-] [23][4-]");
}

#[test]
fn partials_keep_the_current_context() {
    let case = Case::new("{{#each values.l}}{{> item sep=\";\"}}{{/each}}")
        .partial("item", "{{n}}{{sep}}{{@root.values.x}} ")
        .values(json!({"l": [{"n": 1}, {"n": 2}], "x": "r"}));
    assert_snapshot!(case.text(), @"1;r 2;r ");
}

#[test]
fn partials_are_indented_as_their_tag() {
    let case =
        Case::new("a:\n  {{> p}}\nb:\n\t{{> p }}\t\nc: {{> p}}\n    {{~> p}}\n  {{> p ~}}\n  d")
            .partial("p", "x: {{values.text}}\n\n  y\n")
            .values(json!({"text": "1\n2"}));
    assert_snapshot!(shown(&case.text()), @"a:⏎  x: 1⏎  2⏎⏎    y⏎b:⏎⇥x: 1⏎⇥2⏎⏎⇥  y⏎c: x: 1⏎2⏎⏎  y⏎x: 1⏎2⏎⏎  y⏎  x: 1⏎  2⏎⏎    y⏎d");
}

#[test]
fn a_partial_on_its_own_line_fills_whole_lines() {
    let case = Case::new("a\n  {{> open}}\nb\n  {{> empty}}\nc\n{{> open}}")
        .partial("open", "x\ny")
        .partial("empty", "{{#if false}}z{{/if}}");
    assert_snapshot!(shown(&case.text()), @"a⏎  x⏎  y⏎b⏎c⏎x⏎y");
}

#[test]
fn partials_include_partials() {
    let case = Case::new("{{> a n=3}}")
        .partial("a", "{{n}}{{#if (gt n 0)}}\n  {{> a n=(sub n 1)}}\n{{/if}}");
    assert_snapshot!(case.text(), @r"
    3
      2
        1
          0
    ");
}

#[test]
fn include_gives_text_to_a_helper() {
    let case = Case::new("labels:{{nindent 2 (include \"labels\" values)}}\n{{include (concat \"la\" \"bels\") (dict \"name\" \"z\")}}{{#with values}}{{include \"labels\"}}{{/with}}")
        .partial("labels", "app: {{name}}\nx: y\n")
        .values(json!({"name": "n"}));
    assert_snapshot!(case.text(), @r"
    labels:
      app: n
      x: y

    app: z
    x: y
    app: n
    x: y
    ");
}

#[test]
fn text_of_values_is_never_evaluated() {
    let case = Case::new("{{values.a}}{{> p}}{{include values.name}}")
        .partial("p", "{{values.b}}")
        .values(json!({"a": "{{values.b}}", "b": "{{> p}}\\{{x}}", "name": "p"}));
    assert_snapshot!(case.text(), @r"{{values.b}}{{> p}}\{{x}}{{> p}}\{{x}}");
}

#[test]
fn other_parts_of_the_context() {
    let case = Case::new("{{namespace}}/{{values.a}}")
        .context("namespace", cairn_spec::Node::generated("web"))
        .values(json!({"a": 1}));
    assert_snapshot!(case.text(), @"web/1");
}
