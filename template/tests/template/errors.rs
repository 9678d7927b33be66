//! What authors are told when something is wrong.

use insta::assert_snapshot;
use serde_json::json;

use crate::case::{Case, errors};

fn syntax(template: &str) -> String {
    errors(template, json!({"a": 1}))
}

#[test]
fn tags_that_do_not_end() {
    assert_snapshot!(syntax("a\n {{values.a"), @r"
    template-syntax: this tag is never closed
      t.hbs:2:2 `{{`
      hint: end it with `}}`; write `\{{` to print two braces
    ");
    assert_snapshot!(syntax("{{values.a }\nb"), @"
    template-syntax: unexpected `}` in this tag
      t.hbs:1:12 `}`
    ");
    assert_snapshot!(syntax("{{!-- x }} y"), @"
    template-syntax: this comment is never closed: expected `--}}`
      t.hbs:1:1 `{{!--`
    ");
    assert_snapshot!(syntax("{{! x"), @"
    template-syntax: this comment is never closed: expected `}}`
      t.hbs:1:1 `{{!`
    ");
    assert_snapshot!(syntax("{{concat \"a}}\nb"), @r#"
    template-syntax: this string is never closed
      t.hbs:1:10 `"`
      hint: write a line break in a string as `\n`
    "#);
    assert_snapshot!(syntax("{{#if (eq values.a 1}}x{{/if}}"), @"
    template-syntax: this parenthesis is never closed
      t.hbs:1:7 `(`
    ");
    assert_snapshot!(syntax("{{values.[a}}"), @"
    template-syntax: this bracket is never closed
      t.hbs:1:10 `[`
    ");
    assert_snapshot!(syntax("{{{values.a}}"), @"
    template-syntax: unexpected `}` in this tag
      t.hbs:1:12 `}`
    ");
}

#[test]
fn blocks_that_do_not_fit() {
    assert_snapshot!(syntax("a\n  {{#if values.a}}\nb"), @"
    template-syntax: `{{#if}}` is never closed
      t.hbs:2:3 `{{#if values.a}}`
      hint: add `{{/if}}` where the block ends
    ");
    assert_snapshot!(syntax("{{#if values.a}}x{{/each}}"), @"
    template-syntax: `{{/each}}` does not close `{{#if}}`
      t.hbs:1:18 `{{/each}}`
      t.hbs:1:1 `{{#if values.a}}` this block is open
      hint: close it with `{{/if}}`
    ");
    assert_snapshot!(syntax("{{#if values.a}}{{#each values.b}}x{{/if}}"), @"
    template-syntax: `{{/if}}` does not close `{{#each}}`
      t.hbs:1:36 `{{/if}}`
      t.hbs:1:17 `{{#each values.b}}` this block is open
      hint: close it with `{{/each}}`
    ");
    assert_snapshot!(syntax("x{{/if}}"), @"
    template-syntax: `{{/if}}` closes no block
      t.hbs:1:2 `{{/if}}`
    ");
    assert_snapshot!(syntax("{{#if values.a}}x{{/}}"), @"
    template-syntax: `{{/}}` does not close `{{#if}}`
      t.hbs:1:18 `{{/}}`
      t.hbs:1:1 `{{#if values.a}}` this block is open
      hint: close it with `{{/if}}`
    ");
    assert_snapshot!(syntax("{{else}}"), @"
    template-syntax: `{{else}}` stands outside of any block
      t.hbs:1:1 `{{else}}`
    ");
    assert_snapshot!(syntax("{{#if 1}}a{{else}}b{{else}}c{{/if}}"), @"
    template-syntax: `{{#if}}` has a branch after its `{{else}}`
      t.hbs:1:20 `{{else}}`
      t.hbs:1:1 `{{#if 1}}` the block starts here
    ");
    assert_snapshot!(syntax("{{#if 1}}a{{else}}b{{else if 2}}c{{/if}}"), @"
    template-syntax: `{{#if}}` has a branch after its `{{else}}`
      t.hbs:1:20 `{{else if 2}}`
      t.hbs:1:1 `{{#if 1}}` the block starts here
    ");
    assert_snapshot!(syntax("{{#if}}x{{/if}}"), @"
    template-helper: `if` takes 1 argument, found 0
      t.hbs:1:1 `{{#if}}`
    ");
    assert_snapshot!(syntax("{{#if eq values.a 1}}x{{/if}}"), @"
    template-helper: `if` takes 1 argument, found 3
      t.hbs:1:1 `{{#if eq values.a 1}}`
      hint: put a condition in parentheses: `(eq a b)`
    ");
    assert_snapshot!(syntax("{{#if 1 as |x|}}x{{/if}}"), @"
    template-syntax: `if` takes no block parameters
      t.hbs:1:1 `{{#if 1 as |x|}}`
    ");
    assert_snapshot!(syntax("{{#}}x{{/}}"), @"
    template-syntax: this block has no name
      t.hbs:1:1 `{{#}}`
    ");
}

#[test]
fn tags_that_make_no_sense() {
    assert_snapshot!(syntax("{{}}"), @"
    template-syntax: this tag is empty
      t.hbs:1:1 `{{}}`
    ");
    assert_snapshot!(syntax("{{values.a == 1}}"), @"
    template-syntax: unexpected `==`
      t.hbs:1:12 `==`
      hint: to compare, write `(eq a b)`
    ");
    assert_snapshot!(syntax("{{values..a}}"), @"
    template-syntax: `values..a` is not a name, path or literal that can stand here
      t.hbs:1:3 `values..a`
      hint: keys with other characters are written in brackets: `values.[my key]`
    ");
    assert_snapshot!(syntax("{{#with .}}{{/with}}"), @"
    template-syntax: `.` is not a name, path or literal that can stand here
      t.hbs:1:9 `.`
      hint: write `this`
    ");
    assert_snapshot!(syntax("{{#with ..}}{{/with}}"), @"
    template-syntax: `..` is not a name, path or literal that can stand here
      t.hbs:1:9 `..`
      hint: write `../this`
    ");
    assert_snapshot!(syntax("{{#each values}}{{../@index}}{{/each}}"), @"
    template-syntax: `../@index` is not a name, path or literal that can stand here
      t.hbs:1:19 `../@index`
      hint: write `@../index`
    ");
    assert_snapshot!(syntax("{{\"text\"}}"), @r#"
    template-syntax: `"text"` is not a name, path or literal that can stand here
      t.hbs:1:3 `"text"`
      hint: a text can stand as an argument only; escapes are those of JSON
    "#);
    assert_snapshot!(syntax("{{concat \"\\q\"}}"), @r#"
    template-syntax: `"\q"` is not a name, path or literal that can stand here
      t.hbs:1:10 `"\q"`
      hint: a text can stand as an argument only; escapes are those of JSON
    "#);
}

#[test]
fn arguments_that_make_no_sense() {
    assert_snapshot!(syntax("{{concat a+b}}"), @"
    template-syntax: `a+b` is not a name, path or literal that can stand here
      t.hbs:1:10 `a+b`
      hint: keys with other characters are written in brackets: `values.[my key]`
    ");
    assert_snapshot!(syntax("{{concat ()}}"), @"
    template-syntax: the parentheses are empty
      t.hbs:1:10 `()`
      hint: write a helper and its arguments: `(eq a b)`
    ");
    assert_snapshot!(syntax("{{concat a)}}"), @"
    template-syntax: unexpected `)` in this tag
      t.hbs:1:11 `)`
    ");
    assert_snapshot!(syntax("{{concat a=}}"), @"
    template-syntax: `a=` has no value
      t.hbs:1:10 `a=`
    ");
    assert_snapshot!(syntax("{{concat 99999999999999999999}}"), @"
    template-syntax: `99999999999999999999` does not fit a 64-bit integer
      t.hbs:1:10 `99999999999999999999`
    ");
    assert_snapshot!(syntax("{{#each values as |a b c|}}{{/each}}"), @"
    template-syntax: a block binds 1 or 2 parameters, found 3
      t.hbs:1:19 `|a b c|`
    ");
    assert_snapshot!(syntax("{{#each values as |a}}{{/each}}"), @"
    template-syntax: the block parameters are never closed: expected `|`
      t.hbs:1:19 `|`
    ");
    assert_snapshot!(syntax("{{values.a|upper}}"), @"
    template-syntax: unexpected `|` in this tag
      t.hbs:1:11 `|`
    ");
    assert_snapshot!(syntax("{{@foo}}{{@indx}}"), @"
    template-undefined: there is no `@foo`
      t.hbs:1:3 `@foo`
      hint: expected one of `@first`, `@index`, `@key`, `@last`, `@root`
    template-undefined: there is no `@indx`
      t.hbs:1:11 `@indx`
      hint: did you mean `@index`?
    ");
}

#[test]
fn what_is_not_supported() {
    assert_snapshot!(syntax("{{#*inline \"x\"}}a{{/inline}}"), @r#"
    template-syntax: inline partials and partial blocks are not supported
      t.hbs:1:1 `{{#*inline "x"}}`
      hint: put the text in a partial of its own: `templates/_NAME.hbs`
    "#);
    assert_snapshot!(syntax("{{* x}}"), @"
    template-syntax: decorators are not supported
      t.hbs:1:1 `{{* x}}`
    ");
    assert_snapshot!(syntax("{{#> layout}}a{{/layout}}"), @"
    template-syntax: inline partials and partial blocks are not supported
      t.hbs:1:1 `{{#> layout}}`
      hint: put the text in a partial of its own: `templates/_NAME.hbs`
    ");
    assert_snapshot!(syntax("{{{{raw}}}} {{x}} {{{{/raw}}}}"), @r"
    template-syntax: raw blocks are not supported
      t.hbs:1:1 `{{{{raw}}}}`
      hint: write `\{{` to print two braces
    ");
    assert_snapshot!(syntax("{{> (concat \"a\")}}"), @r#"
    template-syntax: the name of a partial must be written out
      t.hbs:1:5 `(concat "a")`
      hint: `(include name context)` takes a computed name
    "#);
}

#[test]
fn all_mistakes_of_a_template_are_reported() {
    assert_snapshot!(syntax("{{a b}}\n{{#if}}{{/if}}\n{{upperr values.a}}\n{{#eech values.a}}{{/eech}}\n{{#if 1}}"), @"
    template-helper: there is no helper `a`
      t.hbs:1:3 `a`
    template-helper: `if` takes 1 argument, found 0
      t.hbs:2:1 `{{#if}}`
    template-helper: there is no helper `upperr`
      t.hbs:3:3 `upperr`
      hint: did you mean `upper`?
    template-helper: there is no block `eech`
      t.hbs:4:4 `eech`
      hint: did you mean `each`?
    template-syntax: `{{#if}}` is never closed
      t.hbs:5:1 `{{#if 1}}`
      hint: add `{{/if}}` where the block ends
    ");
}

#[test]
fn unknown_helpers() {
    assert_snapshot!(syntax("{{toYml values.a}}"), @"
    template-helper: there is no helper `toYml`
      t.hbs:1:3 `toYml`
      hint: did you mean `toYaml`?
    ");
    assert_snapshot!(syntax("{{#if (eqq values.a 1)}}{{/if}}"), @"
    template-helper: there is no helper `eqq`
      t.hbs:1:8 `eqq`
      hint: did you mean `eq`?
    ");
    assert_snapshot!(syntax("{{#eq values.a 1}}{{/eq}}"), @"
    template-helper: there is no block `eq`
      t.hbs:1:4 `eq`
      hint: `eq` is a helper, not a block: `{{#if (eq …)}}`
    ");
    assert_snapshot!(syntax("{{if values.a}}"), @"
    template-helper: there is no helper `if`
      t.hbs:1:3 `if`
      hint: blocks start with `#`: `{{#if …}}`
    ");
    assert_snapshot!(syntax("{{lookup values \"a\"}}"), @"
    template-helper: there is no helper `lookup`
      t.hbs:1:3 `lookup`
    ");
}

#[test]
fn missing_keys() {
    let values = || json!({"replicas": 1, "image": {"tag": "x", "repository": "y"}, "list": [1, 2], "null": null, "list of": []});
    let of = |template: &str| errors(template, values());
    assert_snapshot!(of("replicas: {{values.replcas}}"), @"
    template-undefined: `values` has no key `replcas`
      t.hbs:1:20 `replcas`
      hint: did you mean `replicas`?
    ");
    assert_snapshot!(of("{{values.image.name}}"), @"
    template-undefined: `values.image` has no key `name`
      t.hbs:1:16 `name`
      hint: name it in `values.yaml`, or read it with `get` if it may be absent
    ");
    assert_snapshot!(of("{{value.image}}"), @"
    template-undefined: `value` is not defined
      t.hbs:1:3 `value`
      hint: did you mean `values`?
    ");
    assert_snapshot!(of("{{values.list.2}}"), @"
    template-undefined: `values.list` has no index `2`: it is a list of 2
      t.hbs:1:15 `2`
    ");
    assert_snapshot!(of("{{values.list.name}}"), @"
    template-undefined: `values.list` has no index `name`: it is a list of 2
      t.hbs:1:15 `name`
    ");
    assert_snapshot!(of("{{values.null.name}}"), @"
    template-undefined: `values.null` has no key `name`: it is null
      t.hbs:1:15 `name`
    ");
    assert_snapshot!(of("{{values.image.tag.x}}"), @"
    template-undefined: `values.image.tag` has no key `x`: it is a string
      t.hbs:1:20 `x`
    ");
    assert_snapshot!(of("{{values.[list of].x}}"), @"
    template-undefined: `values.[list of]` has no index `x`: it is a list of 0
      t.hbs:1:20 `x`
    ");
    assert_snapshot!(of("{{toYaml}}"), @"
    template-undefined: `toYaml` is not defined
      t.hbs:1:3 `toYaml`
      hint: `toYaml` is a helper: it needs arguments
    ");
}

#[test]
fn missing_keys_in_other_contexts() {
    let of = |template: &str| errors(template, json!({"list": [{"name": "a"}], "x": 1}));
    assert_snapshot!(of("{{#each values.list}}{{values.x}}{{/each}}"), @"
    template-undefined: `values` is not defined
      t.hbs:1:24 `values`
      hint: here the context is not the whole: write `@root.values`
    ");
    assert_snapshot!(of("{{#each values.list}}{{nam}}{{/each}}"), @"
    template-undefined: `nam` is not defined
      t.hbs:1:24 `nam`
      hint: did you mean `name`?
    ");
    assert_snapshot!(of("{{#each values.list as |item|}}{{itm.name}}{{item.nme}}{{/each}}"), @"
    template-undefined: `itm` is not defined
      t.hbs:1:34 `itm`
      hint: did you mean `item`?
    template-undefined: `item` has no key `nme`
      t.hbs:1:51 `nme`
      hint: did you mean `name`?
    ");
    assert_snapshot!(of("{{#each values.list}}{{../../x}}{{/each}}"), @"
    template-undefined: there is only 1 context outside of this one
      t.hbs:1:24 `../../x`
      hint: only `each` and `with` open a context, and partials do not see their caller's; `@root` is the whole
    ");
    assert_snapshot!(of("{{../x}}"), @"
    template-undefined: there is no context outside of this one
      t.hbs:1:3 `../x`
      hint: only `each` and `with` open a context, and partials do not see their caller's; `@root` is the whole
    ");
    assert_snapshot!(of("{{@index}}"), @"
    template-undefined: `@index` is not defined here
      t.hbs:1:3 `@index`
      hint: only `each` sets it
    ");
    assert_snapshot!(of("{{#each values.list}}{{@key}}{{@../index}}{{/each}}"), @"
    template-undefined: `@key` is not defined here
      t.hbs:1:24 `@key`
      hint: only `each` over a map sets it; for a list there is `@index`
    template-undefined: `@index` is not defined here
      t.hbs:1:32 `@../index`
      hint: only `each` sets it
    ");
    assert_snapshot!(of("{{#with values.x}}{{y}}{{/with}}"), @"
    template-undefined: the context has no key `y`: it is a number
      t.hbs:1:21 `y`
    ");
}

#[test]
fn what_cannot_be_printed() {
    let case = Case::new("{{values.null}}\n{{values.map}}\n{{values.list}}\n{{list 1}}")
        .values_yaml("null: ~\nmap:\n  a: 1\nlist: [1]\n");
    assert_snapshot!(case.errors(), @"
    template-type: null cannot be printed
      t.hbs:1:3 `values.null`
      values.yaml:1:7 `~` null is written here
      hint: give it a value, print `default`, or leave the line out with `if`
    template-type: a map cannot be printed
      t.hbs:2:3 `values.map`
      values.yaml:3:3 `` a map is written here
      hint: print it with `toYaml`
    template-type: a list cannot be printed
      t.hbs:3:3 `values.list`
      values.yaml:4:7 `[` a list is written here
      hint: print it with `toYaml`
    template-type: a list cannot be printed
      t.hbs:4:3 `list 1`
      hint: print it with `toYaml`
    ");
}

#[test]
fn wrong_types() {
    let case = Case::new(
        "{{#each values.text}}{{/each}}{{add values.text 1}}{{keys values.n}}{{upper values.list}}",
    )
    .values_yaml("text: abc\nn: 1\nlist: []\n");
    assert_snapshot!(case.errors(), @"
    template-type: `each` needs a list or a map, found a string
      t.hbs:1:9 `values.text`
      values.yaml:1:7 `abc` a string is written here
    template-type: argument 1 of `add` must be a number, found a string
      t.hbs:1:37 `values.text`
      values.yaml:1:7 `abc` a string is written here
      hint: convert it with `int`
    template-type: argument 1 of `keys` must be a map, found a number
      t.hbs:1:59 `values.n`
      values.yaml:2:4 `1` a number is written here
    template-type: argument 1 of `upper` must be a string, a number or a boolean, found a list
      t.hbs:1:77 `values.list`
      values.yaml:3:7 `[` a list is written here
    ");
}

#[test]
fn required_values_point_at_where_they_are_empty() {
    let case = Case::new("{{required \"set the admin's name\" values.admin.name}}")
        .values_yaml("admin:\n  name: \"\"\n");
    assert_snapshot!(case.errors(), @r#"
    template-required: set the admin's name
      t.hbs:1:35 `values.admin.name` this value is required
      values.yaml:2:9 `""` it is empty here
    "#);
}

#[test]
fn the_way_through_partials_is_named() {
    let case = Case::new("a\n{{> outer}}\n{{include \"inner\" values}}")
        .partial("outer", "x\n  {{> inner this}}\n")
        .partial("inner", "{{fail \"no\"}}");
    let case = case.values(json!({}));
    assert_snapshot!(case.errors(), @r#"
    template-fail: no
      _inner.hbs:1:3 `fail "no"` the template refuses this here
      _outer.hbs:2:7 `inner` included here
      t.hbs:2:5 `outer` included here
    template-fail: no
      _inner.hbs:1:3 `fail "no"` the template refuses this here
      t.hbs:3:11 `"inner"` included here
    "#);
}

#[test]
fn missing_partials_are_found_without_rendering() {
    let case = Case::new("{{#if false}}{{> labls}}{{/if}}{{> x}}").partial("labels", "{{> none}}");
    assert_snapshot!(case.errors(), @"
    template-undefined: there is no partial `labls`
      t.hbs:1:18 `labls`
      hint: did you mean `labels`?
    template-undefined: there is no partial `x`
      t.hbs:1:36 `x`
      hint: expected `labels`
    template-undefined: there is no partial `none`
      _labels.hbs:1:5 `none`
      hint: expected `labels`
    ");
    let case = Case::new("{{include \"nope\"}}").partial("labels", "");
    assert_snapshot!(case.errors(), @r#"
    template-undefined: there is no partial `nope`
      t.hbs:1:11 `"nope"`
      hint: expected `labels`
    "#);
}

#[test]
fn hash_arguments_need_a_map() {
    let case = Case::new("{{> p values.a x=1}}{{> p 1 2}}")
        .partial("p", "")
        .values(json!({"a": 1}));
    assert_snapshot!(case.errors(), @"
    template-syntax: a partial takes at most one context, found 2
      t.hbs:1:21 `{{> p 1 2}}`
      hint: name further values: `{{> NAME context key=value}}`
    ");
    let case = Case::new("{{> p values.a x=1}}{{#with values.a}}{{> p x=1}}{{/with}}")
        .partial("p", "")
        .values(json!({"a": 1}));
    assert_snapshot!(case.errors(), @"
    template-type: `key=value` adds to a map, but the context is a number
      t.hbs:1:7 `values.a`
      hint: give the partial a context of its own: `{{> NAME (dict) key=value}}`
    template-type: `key=value` adds to a map, but the context is a number
      t.hbs:1:39 `{{> p x=1}}`
      hint: give the partial a context of its own: `{{> NAME (dict) key=value}}`
    ");
    let case = Case::new("{{> p x=1 x=2}}").partial("p", "");
    assert_snapshot!(case.errors(), @"
    template-syntax: `x=` is given twice
      t.hbs:1:11 `x`
    ");
}

#[test]
fn partials_do_not_see_their_caller() {
    let case = Case::new("{{#each values.l as |v|}}{{> p}}{{/each}}")
        .partial("p", "{{v}} {{@index}} {{../x}}")
        .values(json!({"l": [{}]}));
    assert_snapshot!(case.errors(), @"
    template-undefined: `v` is not defined
      _p.hbs:1:3 `v`
      t.hbs:1:30 `p` included here
    template-undefined: `@index` is not defined here
      _p.hbs:1:9 `@index`
      t.hbs:1:30 `p` included here
      hint: only `each` sets it
    template-undefined: there is no context outside of this one
      _p.hbs:1:20 `../x`
      t.hbs:1:30 `p` included here
      hint: only `each` and `with` open a context, and partials do not see their caller's; `@root` is the whole
    ");
}

#[test]
fn rendering_goes_on_after_a_mistake() {
    assert_snapshot!(errors("{{values.x}} {{add 1 \"a\"}} {{#if values.y}}{{values.z}}{{/if}} {{#each values.l}}{{x}}{{/each}}", json!({"l": [1, 2]})), @r#"
    template-undefined: `values` has no key `x`
      t.hbs:1:10 `x`
      hint: name it in `values.yaml`, or read it with `get` if it may be absent
    template-type: argument 2 of `add` must be a number, found a string
      t.hbs:1:22 `"a"`
      hint: convert it with `int`
    template-undefined: `values` has no key `y`
      t.hbs:1:41 `y`
      hint: name it in `values.yaml`, or read it with `get` if it may be absent
    template-undefined: the context has no key `x`: it is a number
      t.hbs:1:84 `x`
    "#);
}

#[test]
fn deleted_values_say_who_deleted_them() {
    use cairn_spec::{Map, Node, Value};
    let mut case = Case::new("{{values.gone}}");
    let source = case.sources.add(
        "cluster.yaml",
        "gone: null\n",
        cairn_spec::SourceKind::Cluster,
    );
    let by = case.origins.add_span(cairn_spec::Span {
        source,
        start: 6,
        end: 10,
    });
    let mut values = Map::new();
    values.insert("gone", Node::generated(1));
    values.delete("gone", by);
    let case = case.context("values", Node::generated(Value::Map(values)));
    assert_snapshot!(case.errors(), @"
    template-undefined: `values` has no key `gone`
      t.hbs:1:10 `gone`
      cluster.yaml:1:7 `null` it is deleted here
      hint: name it in `values.yaml`, or read it with `get` if it may be absent
    ");
}
