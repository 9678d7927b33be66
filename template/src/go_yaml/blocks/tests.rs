//! What is composed from lines is what the full composer makes, node by node.

use std::fmt::Write as _;

use proptest::prelude::*;

use crate::go_yaml::{blocks::compose, compose::Document, input::Input};

/// Whether the text was composed; an error where it should not have been, or not so.
fn agree(text: &str) -> Result<bool, String> {
    let input = Input::new(text.as_bytes());
    let Some(composed) = compose(&input) else {
        return Ok(false);
    };
    match Document::read_in_full(&input) {
        Ok(full) if full == composed => Ok(true),
        Ok(full) => Err(format!("{text:?} is {full:#?}, not {composed:#?}")),
        Err(error) => Err(format!("{text:?} is taken, but: {}", error.yaml())),
    }
}

const USUAL: &str = r#"---
# Made by hand
apiVersion: apps/v1
kind: "Deployment"
metadata:
  name: web # the name
  labels: {app: web, "tier":"a", empty: {}, list: [a b, 'c', [1, 2],]}
  annotations:
    folded: one two
      three

      four
    é: "ü \u00e9 \
      \"x\""
    "quoted key" : 'it''s'
spec:
  replicas: 2
  script: |
    #!/bin/sh
    	echo "a: b"

     indented
  other: >-
    text
     more

  keep: |+2
      x

  template:
    - name: a
      ports:
      - containerPort: 80
        name: http
      - {containerPort: 81,
         name: x}   # comment
    -   name: b
        args: [
          --x=y, # comment
          z
        ]
    - - nested
      - - list
        -
    -
      key: value
    -

    - |
      literal
  url: https://example.com:80/x#y
  none:
  # comment
  time: 2001-01-01 10:00:00
  <<: {merged: 1}
last: -x
"#;

#[test]
fn usual_documents_are_composed() {
    assert_eq!(agree(USUAL), Ok(true));
    for text in [
        "a: 1",
        "a:",
        "-",
        "- a\n-\n- - b",
        "{}",
        "[]\n",
        "{\"a\":[1,{\"b\":null}]}",
        "text of\n  two lines\n",
        "'a'",
        "|\n  a\n",
        "a:\n- b\n- c:\n  - d\ne: f",
        ":80\n",
        "a: :80\nb: ?c",
        "- :a\n- ?b\n- ::\n- :a:b\n",
        ":a: 1\n?b: 2\nc: :d # comment\n",
    ] {
        assert_eq!(agree(text), Ok(true), "{text:?}");
    }
}

#[test]
fn what_is_unusual_is_left_to_the_full_composer() {
    for text in [
        "",
        "# comment\n",
        "---\n",
        "--- a\n",
        "a: 1\n---\nb: 2\n",
        "a: 1\n...\n",
        "%YAML 1.1\n---\na: 1\n",
        "a: &x 1\n",
        "a: !t 1\n",
        "? a\n: b\n",
        "a: :\n",
        "a: ?\n",
        "[:a]\n",
        "a: b: c\n",
        "a: - b\n",
        "a:\nb\n",
        "a: b\n c: d\n",
        "a:\n    b: 1\n  c: 2\n",
        "a:\n    - b\n  - c\n",
        "a: b\r\n",
        "\ta: b\n",
        "a:\tb\n",
        "a: \"b\" c\n",
        "a: [b\n",
        "[a: b]\n",
        "{a, b}\n",
        "{a: }\n",
        "[a]: b\n",
        // Within a block, a tab may not begin a line of a plain text.
        "- [a\n\t]\n",
        "- [a\n\tb]\n",
        "a: \u{85}\n",
    ] {
        assert_eq!(agree(text), Ok(false), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn lines_are_composed_as_the_full_composer_does(
        lines in prop::collection::vec(
            (
                0_usize..5,
                prop::sample::select(vec![
                    "", "", "", "- ", "- - ", "-", "? ", "-  ", "# ",
                ]),
                prop::sample::select(vec![
                    "", "a:", "b: ", "c : ", "\"q\": ", "'r':", "\"s\" : ", "1: ", "null: ", "<<: ",
                    "a b: ", "a #b: ", "é: ", "'x\": ", "- : ", ": ", "a\t: ", "[k]: ",
                ]),
                prop::sample::select(vec![
                    "", "x", "x y", "x: y", "x:", "x # c", "x #", "#c", "\"x\"", "\"x", "x\"",
                    "'x'", "'x''y'", "'x", "|", "|-", ">", ">+", "|2", "|1-", "> # c", "{}", "[]",
                    "{a: b}", "{a: b", "[a, b]", "[a, {b: [c]}]", "[a b , c]", "[a,]", "{a, b}",
                    "{a:b}", "{\"a\":b}", "{a: b,", "b]", "c: d}", "[-]", "[- a]", "- a", "-a",
                    "--- a", "---", "...", "~", "null", "&a", "*a", "!t x", "%x", "@x", "\"\\n\\q\"",
                    "\"\\\"\"", "\"\\", "x\ty", "\t", "x\t", "\u{e9}", "\u{feff}", "a]", "a}", "a,b",
                    "$(x)", "{{x}}", "?x", ":x", "x'y\"z", "\"x\" y", "\"x\" # y", "\"x\"#y", "'x':",
                    "[x]: y", "[x]#c", "[x, # c", "x\r", "\u{2028}", "{? a: b}", "[a: b]", "{a: [},",
                    "[x\n\t]", "{a: x\n \ty}", "['x'\n\t, y]",
                ]),
            ),
            0..8,
        ),
    ) {
        let mut text = String::new();
        for (indent, item, key, value) in lines {
            let _ = writeln!(text, "{:indent$}{item}{key}{value}", "");
        }
        prop_assert!(agree(&text).is_ok(), "{}", agree(&text).unwrap_err());
    }

    #[test]
    fn changed_documents_are_composed_as_the_full_composer_does(
        changes in prop::collection::vec(
            (
                0..USUAL.len(),
                0_usize..4,
                prop::sample::select(vec![
                    "", " ", "  ", "\n", "\n\n", "\n  ", "\n    ", ":", ": ", " #", "#", "-", "- ",
                    "\"", "'", "x", "{", "}", "[", "]", ",", ", ", "|", ">", "\t", "\\", "~", "...",
                    "\n---\n", "&a ", "*a", "?", "%", "\u{85}", "\r", "\u{e9}", "\u{feff}",
                ]),
            ),
            1..4,
        ),
        cut in 0..USUAL.len(),
    ) {
        let mut text = USUAL.to_owned();
        for (at, removed, inserted) in changes {
            let at = at.min(text.len());
            let end = (at + removed).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, inserted);
            }
        }
        prop_assert!(agree(&text).is_ok(), "{}", agree(&text).unwrap_err());
        let rest = text.get(cut..).unwrap_or_default();
        prop_assert!(agree(rest).is_ok(), "{}", agree(rest).unwrap_err());
    }
}
