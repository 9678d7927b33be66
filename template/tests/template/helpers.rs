//! Each helper of the table in `spec/pack.md` §4.

use insta::assert_snapshot;
use serde_json::{Value as Json, json};

use crate::case::{errors, render};

/// What an expression prints, without values.
fn print(expression: &str) -> String {
    render(&format!("{{{{{expression}}}}}"), json!({}))
}

/// What an expression gives, as JSON.
fn value(expression: &str) -> String {
    print(&format!("toJson ({expression})"))
}

fn value_of(expression: &str, values: Json) -> String {
    render(&format!("{{{{toJson ({expression})}}}}"), values)
}

fn error(expression: &str) -> String {
    errors(&format!("{{{{{expression}}}}}"), json!({}))
}

#[test]
fn to_yaml_and_to_json() {
    let values =
        || json!({"m": {"b": [1, {"c": null, "d": []}], "a": "yes", "t": "x\ny\n", "z": {}}});
    assert_snapshot!(render("{{toYaml values.m}}|", values()), @r#"
    a: "yes"
    b:
    - 1
    - c: null
      d: []
    t: |
      x
      y
    z: {}|
    "#);
    assert_snapshot!(render("{{toJson values.m}}", values()), @r#"{"a":"yes","b":[1,{"c":null,"d":[]}],"t":"x\ny\n","z":{}}"#);
    assert_snapshot!(print("toYaml \"a: b\""), @r#""a: b""#);
    assert_snapshot!(print("toYaml null"), @"null");
    assert_snapshot!(print("toYaml (dict \"a\" (list 1 (dict \"b\" 2.5)) \"c\" (quote 1))"), @r#"
    a:
    - 1
    - b: 2.5
    c: "\"1\""
    "#);
}

#[test]
fn from_yaml_and_from_json() {
    assert_snapshot!(value(r#"fromYaml "a: [1, x]\nb: {c: true}""#), @r#"{"a":[1,"x"],"b":{"c":true}}"#);
    assert_snapshot!(value(r#"fromYaml """#), @"null");
    assert_snapshot!(value(r#"fromJson "{\"a\":[1.5,null]}""#), @r#"{"a":[1.5,null]}"#);
    assert_snapshot!(error(r#"fromYaml "a: b: c""#), @r#"
    template-type: argument 1 of `fromYaml` is not valid YAML: a `:` is not allowed here (line 1 of the text)
      t.hbs:1:12 `"a: b: c"`
    "#);
    assert_snapshot!(error(r#"fromJson "{""#), @r#"
    template-type: argument 1 of `fromJson` is not valid JSON: EOF while parsing an object at line 1 column 1
      t.hbs:1:12 `"{"`
    "#);
    assert_snapshot!(error("fromYaml (list)"), @"
    template-type: argument 1 of `fromYaml` must be a string, a number or a boolean, found a list
      t.hbs:1:12 `(list)`
    ");
}

#[test]
fn indentation() {
    assert_snapshot!(render("a:{{nindent 2 (toYaml values.m)}}\n{{indent 4 \"x\\n\\ny\"}}", json!({"m": {"b": 1, "c": ["d"]}})), @r"
    a:
      b: 1
      c:
      - d
        x

        y
    ");
    assert_snapshot!(error("indent -1 \"x\""), @"
    template-type: argument 1 of `indent` must not be negative, found -1
      t.hbs:1:10 `-1`
    ");
    assert_snapshot!(error("indent \"2\" \"x\""), @r#"
    template-type: argument 1 of `indent` must be an integer, found a string
      t.hbs:1:10 `"2"`
      hint: convert it with `int`
    "#);
    assert_snapshot!(error("indent 2 (list)"), @"
    template-type: argument 2 of `indent` must be a string, a number or a boolean, found a list
      t.hbs:1:12 `(list)`
    ");
}

#[test]
fn quotes() {
    assert_snapshot!(print(r#"quote "a\"b\\c\nd""#), @r#""a\"b\\c\nd""#);
    assert_snapshot!(print("quote 1"), @r#""1""#);
    assert_snapshot!(print("quote true"), @r#""true""#);
    assert_snapshot!(print("quote \"\""), @r#""""#);
    assert_snapshot!(print(r#"squote "it's""#), @"'it''s'");
    assert_snapshot!(print(r#"squote """#), @"''");
    assert_snapshot!(error(r#"squote "a\nb""#), @r#"
    template-type: argument 1 of `squote` holds line breaks or control characters, which single quotes cannot keep
      t.hbs:1:10 `"a\nb"`
      hint: use `quote`
    "#);
    assert_snapshot!(error("quote null"), @"
    template-type: argument 1 of `quote` must be a string, a number or a boolean, found null
      t.hbs:1:9 `null`
    ");
    assert_snapshot!(error("quote (list)"), @"
    template-type: argument 1 of `quote` must be a string, a number or a boolean, found a list
      t.hbs:1:9 `(list)`
    ");
}

#[test]
fn choices() {
    assert_snapshot!(print("default 1 0"), @"1");
    assert_snapshot!(print("default 1 2"), @"2");
    assert_snapshot!(print("default \"x\" null"), @"x");
    assert_snapshot!(print("coalesce null \"\" 0 \"a\" \"b\""), @"a");
    assert_snapshot!(value("coalesce null false"), @"false");
    assert_snapshot!(print("ternary 1 2 true"), @"1");
    assert_snapshot!(print("ternary 1 2 \"\""), @"2");
    assert_snapshot!(print("required \"why\" 0"), @"0");
    assert_snapshot!(error("required \"set a name\" null"), @"
    template-required: set a name
      t.hbs:1:25 `null` this value is required
    ");
    assert_snapshot!(error("required \"set a name\" \"\""), @r#"
    template-required: set a name
      t.hbs:1:25 `""` this value is required
    "#);
    assert_snapshot!(error("fail (concat \"no \" 1)"), @r#"
    template-fail: no 1
      t.hbs:1:3 `fail (concat "no " 1)` the template refuses this here
    "#);
}

#[test]
fn choices_evaluate_only_what_they_need() {
    assert_snapshot!(print("default (fail \"x\") 1"), @"1");
    assert_snapshot!(print("coalesce 1 (fail \"x\")"), @"1");
    assert_snapshot!(print("ternary 1 (fail \"x\") true"), @"1");
    assert_snapshot!(print("and 0 (fail \"x\")"), @"0");
    assert_snapshot!(print("or 1 (fail \"x\")"), @"1");
}

#[test]
fn paths_that_may_be_absent() {
    let values =
        || json!({"m": {"a": {"b": 1, "x.y/z": 2}, "l": [{"c": 3}], "n": null, "s": "text"}});
    let get = |path: &str| value_of(&format!("get values.m {path}"), values());
    assert_snapshot!(get(r#""a.b""#), @"1");
    assert_snapshot!(get(r#""a.[x.y/z]""#), @"2");
    assert_snapshot!(get(r#""l.0.c""#), @"3");
    assert_snapshot!(get(r#""a""#), @r#"{"b":1,"x.y/z":2}"#);
    assert_snapshot!(get(r#""a.c""#), @"null");
    assert_snapshot!(get(r#""s.c.d""#), @"null");
    assert_snapshot!(get(r#""a.c" "d""#), @r#""d""#);
    assert_snapshot!(get(r#""n" "d""#), @r#""d""#);
    assert_snapshot!(get(r#""n""#), @"null");
    assert_snapshot!(get(r#""l.1" (list)"#), @"[]");
    assert_snapshot!(value(r#"get null "a" 1"#), @"1");
    let has = |path: &str| value_of(&format!("has values.m \"{path}\""), values());
    assert_snapshot!([has("a.b"), has("a.c"), has("n"), has("l.0"), has("l.1"), has("n.x")].join(" "), @"true false true true false false");
    assert_snapshot!(error(r#"get "text" "a""#), @r#"
    template-type: argument 1 of `get` must be a map, found a string
      t.hbs:1:7 `"text"`
    "#);
    assert_snapshot!(error(r#"get (dict) "a..b""#), @r#"
    template-type: argument 2 of `get` has an empty key, found `a..b`
      t.hbs:1:14 `"a..b"`
    "#);
    assert_snapshot!(error(r#"get (dict) "a.[b""#), @r#"
    template-type: argument 2 of `get` has a `[` without `]`, found `a.[b`
      t.hbs:1:14 `"a.[b"`
    "#);
}

#[test]
fn equality() {
    for (expression, expected) in [
        ("eq 1 1.0", true),
        ("eq 1 \"1\"", false),
        ("eq \"a\" \"b\" \"a\"", true),
        ("eq null null", true),
        (
            "eq (list 1 (dict \"a\" 2.0)) (fromJson \"[1,{\\\"a\\\":2}]\")",
            true,
        ),
        ("eq (list 1) (list 1 2)", false),
        ("eq (dict \"a\" 1) (dict \"b\" 1)", false),
        ("eq 9007199254740993 9007199254740992.0", false),
        ("ne 1 2", true),
        ("ne \"a\" \"a\"", false),
        ("not 0", true),
        ("not \"x\"", false),
    ] {
        assert_eq!(print(expression), expected.to_string(), "{expression}");
    }
}

#[test]
fn order() {
    for (expression, expected) in [
        ("lt 1 2", true),
        ("lt 2 1.5", false),
        ("gt 2 1.5", true),
        ("le 2 2.0", true),
        ("ge 2 2.5", false),
        ("ge -2 -2.5", true),
        ("lt \"a\" \"b\"", true),
        ("ge \"b\" \"b\"", true),
    ] {
        assert_eq!(print(expression), expected.to_string(), "{expression}");
    }
    assert_snapshot!(error("lt 1 \"2\""), @r#"
    template-type: argument 2 of `lt` must be a number, as argument 1 is, found a string
      t.hbs:1:8 `"2"`
    "#);
    assert_snapshot!(error("gt true false"), @"
    template-type: argument 1 of `gt` must be a number or a string, found a boolean
      t.hbs:1:6 `true`
    ");
}

#[test]
fn truth() {
    assert_snapshot!(print("and 1 \"a\" 2"), @"2");
    assert_snapshot!(print("and 1 0 2"), @"0");
    assert_snapshot!(print("or 0 \"\" \"x\""), @"x");
    assert_snapshot!(value("or 0 \"\" null"), @"null");
    assert_snapshot!(value("and (list)"), @"[]");
}

#[test]
fn arithmetic() {
    for (expression, expected) in [
        ("add 1 2 3", "6"),
        ("add 1 0.5", "1.5"),
        ("sub 1 2 3", "-4"),
        ("mul 2 3 4", "24"),
        ("mul 0.5 2", "1"),
        ("div 7 2", "3"),
        ("div -7 2", "-3"),
        ("div 7.0 2", "3.5"),
        ("mod 7 3", "1"),
        ("mod -7 3", "-1"),
        ("mod -9223372036854775808 -1", "0"),
        ("mod 7.5 2", "1.5"),
        ("min 3 1.5 2", "1.5"),
        ("max 3 1.5", "3"),
        ("max 3", "3"),
        ("int 3.9", "3"),
        ("int -3.9", "-3"),
        ("int \" 12 \"", "12"),
        ("int 7", "7"),
        ("add (int \"1\") 1", "2"),
        ("concat (string 1.5) (string true)", "1.5true"),
    ] {
        assert_eq!(print(expression), expected, "{expression}");
    }
}

#[test]
fn arithmetic_that_has_no_result() {
    assert_snapshot!(error("add 9223372036854775807 1"), @"
    template-type: argument 2 of `add` makes the result too large for a 64-bit integer
      t.hbs:1:27 `1`
    ");
    assert_snapshot!(error("mul 1E200 1E200"), @"
    template-type: argument 2 of `mul` makes the result too large for a 64-bit float
      t.hbs:1:13 `1E200`
    ");
    assert_snapshot!(error("div 1 0"), @"
    template-type: argument 2 of `div` is zero: division by zero
      t.hbs:1:9 `0`
    ");
    assert_snapshot!(error("mod 1 0.0"), @"
    template-type: argument 2 of `mod` is zero: division by zero
      t.hbs:1:9 `0.0`
    ");
    assert_snapshot!(error("div -9223372036854775808 -1"), @"
    template-type: argument 2 of `div` makes the result too large for a 64-bit integer
      t.hbs:1:28 `-1`
    ");
    assert_snapshot!(error("add 1 \"2\""), @r#"
    template-type: argument 2 of `add` must be a number, found a string
      t.hbs:1:9 `"2"`
      hint: convert it with `int`
    "#);
    assert_snapshot!(error("int \"1.5\""), @r#"
    template-type: argument 1 of `int` must be an integer, found `1.5`
      t.hbs:1:7 `"1.5"`
    "#);
    assert_snapshot!(error("int 1E19"), @"
    template-type: argument 1 of `int` does not fit a 64-bit integer
      t.hbs:1:7 `1E19`
    ");
    assert_snapshot!(error("int true"), @"
    template-type: argument 1 of `int` must be a number or a string, found a boolean
      t.hbs:1:7 `true`
    ");
    assert_snapshot!(error("string null"), @"
    template-type: argument 1 of `string` must be a string, a number or a boolean, found null
      t.hbs:1:10 `null`
    ");
}

#[test]
fn lists_and_maps() {
    assert_snapshot!(print("len \"äöü\""), @"3");
    assert_snapshot!(print("len (list 1 2)"), @"2");
    assert_snapshot!(print("len (dict \"a\" 1)"), @"1");
    assert_snapshot!(value("list"), @"[]");
    assert_snapshot!(value("dict"), @"{}");
    assert_snapshot!(value("dict \"b\" 1 \"a\" (list 2) 3 null"), @r#"{"3":null,"a":[2],"b":1}"#);
    assert_snapshot!(value("keys (dict \"b\" 1 \"a\" 2)"), @r#"["a","b"]"#);
    assert_snapshot!(value("first (list 1 2)"), @"1");
    assert_snapshot!(value("last (list 1 2)"), @"2");
    assert_snapshot!(value("first (list)"), @"null");
    assert_snapshot!(value("append (list 1) (list 2)"), @"[1,[2]]");
    assert_snapshot!(value("concat (list 1) (list 2 3) (list)"), @"[1,2,3]");
    assert_snapshot!(value("concat \"a\" 1 \"b\""), @r#""a1b""#);
    assert_snapshot!(value("sortAlpha (list \"b\" \"a\" 10 9)"), @r#"[10,9,"a","b"]"#);
    assert_snapshot!(value("uniq (list \"b\" 1 \"b\" 1.0 (list 1) (list 1) \"1\")"), @r#"["b",1,[1],"1"]"#);
    assert_snapshot!(error("len 1"), @"
    template-type: argument 1 of `len` must be a string, a list or a map, found a number
      t.hbs:1:7 `1`
    ");
    assert_snapshot!(error("dict \"a\""), @r#"
    template-type: argument 1 of `dict` is the key `a` without a value
      t.hbs:1:8 `"a"`
    "#);
    assert_snapshot!(error("concat \"a\" (list)"), @"
    template-type: argument 2 of `concat` must be a string, a number or a boolean, found a list
      t.hbs:1:14 `(list)`
    ");
    assert_snapshot!(error("concat (list) \"a\""), @r#"
    template-type: argument 2 of `concat` must be a list, found a string
      t.hbs:1:17 `"a"`
    "#);
    assert_snapshot!(error("sortAlpha (list (list))"), @"
    template-type: argument 1 of `sortAlpha` must be a list of strings, but item 0 is a list
      t.hbs:1:13 `(list (list))`
    ");
    assert_snapshot!(error("first \"a\""), @r#"
    template-type: argument 1 of `first` must be a list, found a string
      t.hbs:1:9 `"a"`
    "#);
}

#[test]
fn merging() {
    assert_snapshot!(
        value_of("merge values.a values.b (dict \"z\" 1)", json!({"a": {"m": {"x": 1, "y": 1}, "l": [1, 2], "k": {"q": 1}}, "b": {"m": {"y": 2}, "l": [3], "k": 5}})),
        @r#"{"k":5,"l":[3],"m":{"x":1,"y":2},"z":1}"#
    );
    assert_snapshot!(error("merge (dict) (list)"), @"
    template-type: argument 2 of `merge` must be a map, found a list
      t.hbs:1:16 `(list)`
    ");
}

#[test]
fn containing() {
    for (expression, expected) in [
        ("contains \"abc\" \"bc\"", true),
        ("contains \"abc\" \"x\"", false),
        ("contains (list 1 \"a\") 1.0", true),
        ("contains (list 1 \"a\") \"1\"", false),
        ("contains (dict \"a\" 1) \"a\"", true),
        ("contains (dict \"a\" 1) \"b\"", false),
        ("hasPrefix \"ab\" \"abc\"", true),
        ("hasPrefix \"b\" \"abc\"", false),
        ("hasSuffix \"bc\" \"abc\"", true),
        ("hasSuffix \"b\" \"abc\"", false),
    ] {
        assert_eq!(print(expression), expected.to_string(), "{expression}");
    }
    assert_snapshot!(error("contains 1 1"), @"
    template-type: argument 1 of `contains` must be a string, a list or a map, found a number
      t.hbs:1:12 `1`
    ");
}

#[test]
fn texts() {
    for (expression, expected) in [
        ("join \", \" (list \"a\" 1 true)", "a, 1, true"),
        ("join \",\" (list)", ""),
        ("replace \"a\" \"bb\" \"banana\"", "bbbnbbnbb"),
        ("replace \"x\" \"y\" \"banana\"", "banana"),
        ("lower \"ÄB\"", "äb"),
        ("upper \"äb\"", "ÄB"),
        ("trim \" \\n a b \\t\"", "a b"),
        ("trim \"  \"", ""),
        ("trimPrefix \"v\" \"v1.2\"", "1.2"),
        ("trimPrefix \"x\" \"v1.2\"", "v1.2"),
        ("trimSuffix \"-x\" \"a-x-x\"", "a-x"),
        ("trunc 2 \"äöü\"", "äö"),
        ("trunc 9 \"ab\"", "ab"),
        ("trunc 0 \"ab\"", ""),
        ("trunc -2 \"äöü\"", "öü"),
        ("trunc -9 \"ab\"", "ab"),
    ] {
        assert_eq!(print(expression), expected, "{expression}");
    }
    assert_snapshot!(value("split \",\" \"a,,b\""), @r#"["a","","b"]"#);
    assert_snapshot!(value("split \",\" \"\""), @r#"[""]"#);
    assert_snapshot!(error("split \"\" \"a\""), @r#"
    template-type: argument 1 of `split` must not be empty
      t.hbs:1:9 `""`
    "#);
    assert_snapshot!(error("replace \"\" \"a\" \"b\""), @r#"
    template-type: argument 1 of `replace` must not be empty
      t.hbs:1:11 `""`
    "#);
    assert_snapshot!(error("join \",\" (list (dict))"), @"
    template-type: argument 2 of `join` must be a list of strings, but item 0 is a map
      t.hbs:1:12 `(list (dict))`
    ");
    assert_snapshot!(error("upper null"), @"
    template-type: argument 1 of `upper` must be a string, a number or a boolean, found null
      t.hbs:1:9 `null`
    ");
}

#[test]
fn encodings() {
    assert_snapshot!(print("b64enc \"hällo\""), @"aMOkbGxv");
    assert_snapshot!(print("b64dec \"aMOkbGxv\""), @"hällo");
    assert_snapshot!(print("sha256 \"\""), @"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_snapshot!(error("b64dec \"*\""), @r#"
    template-type: argument 1 of `b64dec` is not valid Base64
      t.hbs:1:10 `"*"`
    "#);
    assert_snapshot!(error("b64dec \"/w==\""), @r#"
    template-type: argument 1 of `b64dec` does not hold text in UTF-8
      t.hbs:1:10 `"/w=="`
    "#);
}

#[test]
fn versions() {
    for (expression, expected) in [
        ("semver \">=1.30 <1.36\" \"1.34.1\"", true),
        ("semver \">=1.30\" \"v1.31.4-eks-abc\"", true),
        ("semver \"^1.2\" \"2.0.0\"", false),
    ] {
        assert_eq!(print(expression), expected.to_string(), "{expression}");
    }
    assert_snapshot!(error("semver \">>1\" \"1.0.0\""), @r#"
    template-type: argument 1 of `semver` is not valid: `>>1` is not a version range: `>1` is not a number
      t.hbs:1:10 `">>1"`
    "#);
    assert_snapshot!(error("semver \">=1\" \"abc\""), @r#"
    template-type: argument 2 of `semver` is not valid: `abc` is not a version: expected `MAJOR.MINOR.PATCH` (unexpected character 'a' while parsing major version number)
      t.hbs:1:16 `"abc"`
    "#);
}

#[test]
fn helpers_know_how_many_arguments_they_take() {
    assert_snapshot!(error("indent 2"), @"
    template-helper: `indent` takes 2 arguments, found 1
      t.hbs:1:3 `indent`
      hint: its arguments are `indent n s`
    ");
    assert_snapshot!(error("add 1"), @"
    template-helper: `add` takes at least 2 arguments, found 1
      t.hbs:1:3 `add`
      hint: its arguments are `add a b …`
    ");
    assert_snapshot!(error("get (dict)"), @"
    template-helper: `get` takes 2 or 3 arguments, found 1
      t.hbs:1:3 `get`
      hint: its arguments are `get map path [default]`
    ");
    assert_snapshot!(error("upper (lower)"), @"
    template-helper: `lower` takes 1 argument, found 0
      t.hbs:1:10 `lower`
      hint: its arguments are `lower s`
    ");
    assert_snapshot!(error("upper \"a\" \"b\""), @"
    template-helper: `upper` takes 1 argument, found 2
      t.hbs:1:3 `upper`
      hint: its arguments are `upper s`
    ");
    assert_snapshot!(error("upper text=\"a\""), @r#"
    template-syntax: there is no argument named `text`
      t.hbs:1:9 `text`
      hint: only partials take `key=value`; `(dict "key" value)` makes a map
    "#);
}
