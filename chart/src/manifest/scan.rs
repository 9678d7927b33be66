//! Finds the head of a document without reading all of it as YAML, where that is safe: nearly all
//! documents are block maps with simple scalars, and to see that one is valid is many times faster
//! than to read it.
//!
//! Whatever is not plainly valid, or has to do with hooks, is left to [`super::head`]. What is
//! taken here, that one takes too, and with the same head: a property test holds the two together.

mod flow;
mod keys;
mod lines;
mod scalar;

use self::{
    keys::{Start, start},
    lines::{Line, Lines},
};
use super::document::Head;

/// How deep collections may nest here: less than what the full reader takes.
const MAX_DEPTH: usize = 64;

/// The head of a document, where it is plain to see.
pub(super) fn scan(document: &[u8]) -> Option<Head> {
    let mut scanner = Scanner {
        lines: Lines::new(document)?,
        open: Vec::new(),
        started: false,
        head: PartialHead::default(),
    };
    while let Some(line) = scanner.lines.next_entry() {
        scanner.line(line)?;
    }
    Some(scanner.head.finish())
}

struct Scanner<'t> {
    lines: Lines<'t>,
    /// The collections that are open, the innermost last.
    open: Vec<Collection>,
    /// The outermost collection was opened.
    started: bool,
    head: PartialHead<'t>,
}

/// A block map or list that is open.
#[derive(Debug, Clone, Copy)]
struct Collection {
    column: usize,
    is_map: bool,
    part: Part,
    /// What the value of its last key or item is, where there is none yet.
    pending: Option<Part>,
}

/// What a value is to the head of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Document,
    Metadata,
    Annotations,
    /// A text that the head names.
    Text(Field),
    /// An annotation, which must be a scalar.
    Annotation,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    ApiVersion,
    Kind,
    Name,
    Namespace,
}

/// What was found so far.
#[derive(Debug, Default)]
struct PartialHead<'t> {
    api_version: &'t str,
    kind: &'t str,
    name: &'t str,
    namespace: &'t str,
    /// The parts that were there.
    seen: Vec<Part>,
}

impl<'t> Scanner<'t> {
    fn line(&mut self, line: Line<'t>) -> Option<()> {
        let Line {
            mut column,
            mut text,
        } = line;
        let mut is_item = false;
        while text == "-" || text.starts_with("- ") {
            is_item = true;
            self.entry(column, false)?;
            self.open.last_mut()?.pending = Some(Part::Other);
            let after = text[1..].trim_start_matches(' ');
            if after.is_empty() || after.starts_with('#') {
                return Some(());
            }
            column += text.len() - after.len();
            text = after;
        }
        if let Start::Key(key, value) = start(text)? {
            self.entry(column, true)?;
            let part = self.head.part_of(self.open.last()?.part, key)?;
            return self.value(value, column, part);
        }
        let list = self.open.last_mut()?;
        if !is_item || list.is_map {
            return None;
        }
        list.pending = None;
        let indent = list.column;
        self.lines.scalar(text, indent)
    }

    /// A key or an item at a column: closes what ends there, and opens a collection if need be.
    fn entry(&mut self, column: usize, is_map: bool) -> Option<()> {
        while self.open.last().is_some_and(|innermost| {
            innermost.column > column || (innermost.column == column && !innermost.is_map && is_map)
        }) {
            self.open.pop();
        }
        let part = match self.open.last_mut() {
            Some(innermost) if innermost.column == column && innermost.is_map == is_map => {
                innermost.pending = None;
                return Some(());
            }
            // A list may stand in the column of the map that it is in.
            Some(innermost) => match (innermost.pending.take()?, is_map) {
                (Part::Other, _) => Part::Other,
                (part @ (Part::Metadata | Part::Annotations), true) => part,
                _ => return None,
            },
            None if self.started || !is_map => return None,
            None => Part::Document,
        };
        if self.open.len() >= MAX_DEPTH {
            return None;
        }
        self.started = true;
        self.open.push(Collection {
            column,
            is_map,
            part,
            pending: None,
        });
        Some(())
    }

    /// What stands behind the `:` of a key.
    fn value(&mut self, value: &'t str, column: usize, part: Part) -> Option<()> {
        if value.is_empty() || value.starts_with('#') {
            self.open.last_mut()?.pending = Some(part);
            return Some(());
        }
        match part {
            Part::Text(field) => {
                let text = self.lines.name(value, column)?;
                self.head.set(field, text);
                Some(())
            }
            Part::Annotation if value.starts_with(['{', '[']) => None,
            Part::Annotation | Part::Other => self.lines.scalar(value, column),
            Part::Document | Part::Metadata | Part::Annotations => None,
        }
    }
}

const DOCUMENT_PARTS: &[(&str, Part)] = &[
    ("apiVersion", Part::Text(Field::ApiVersion)),
    ("kind", Part::Text(Field::Kind)),
    ("metadata", Part::Metadata),
];
const METADATA_PARTS: &[(&str, Part)] = &[
    ("name", Part::Text(Field::Name)),
    ("namespace", Part::Text(Field::Namespace)),
    ("annotations", Part::Annotations),
];

impl<'t> PartialHead<'t> {
    /// What the value of a key is; nothing where the key needs a closer look.
    fn part_of(&mut self, map: Part, key: &str) -> Option<Part> {
        let parts = match map {
            Part::Document => DOCUMENT_PARTS,
            Part::Metadata => METADATA_PARTS,
            Part::Annotations => {
                let is_plain = !has_escapes(key) && !key.starts_with("helm.sh/hook");
                return is_plain.then_some(Part::Annotation);
            }
            _ => return Some(Part::Other),
        };
        if let Some(&(_, part)) = parts.iter().find(|(name, _)| *name == key) {
            if self.seen.contains(&part) {
                return None;
            }
            self.seen.push(part);
            return Some(part);
        }
        // Go takes `Kind` for `kind`, and some letters that are not ASCII for ASCII ones.
        let is_close = |(name, _): &(&str, Part)| name.eq_ignore_ascii_case(key);
        let is_plain = key.is_ascii() && !has_escapes(key);
        (is_plain && !parts.iter().any(is_close)).then_some(Part::Other)
    }

    fn set(&mut self, field: Field, text: &'t str) {
        *match field {
            Field::ApiVersion => &mut self.api_version,
            Field::Kind => &mut self.kind,
            Field::Name => &mut self.name,
            Field::Namespace => &mut self.namespace,
        } = text;
    }

    fn finish(self) -> Head {
        Head {
            api_version: self.api_version.to_owned(),
            kind: self.kind.to_owned(),
            name: self.name.to_owned(),
            namespace: self.namespace.to_owned(),
        }
    }
}

/// A quoted key may be another than what stands between its quotes.
fn has_escapes(key: &str) -> bool {
    key.contains(['\\', '\''])
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::{Dialect, manifest::head};

    /// What is taken is what the full reader takes.
    fn agree(text: &str) -> Result<bool, String> {
        let Some(scanned) = scan(text.as_bytes()) else {
            return Ok(false);
        };
        match head::read(text.as_bytes(), Dialect::default()) {
            Ok(full) if full.head != scanned => {
                Err(format!("{text:?} has {:?}, not {scanned:?}", full.head))
            }
            Ok(full) if full.annotations.contains_key("helm.sh/hook") => {
                Err(format!("{text:?} is a hook"))
            }
            Ok(_) => Ok(true),
            Err(error) => Err(format!("{text:?} is taken, but: {}", error.message)),
        }
    }

    const PLAIN: &str = r#"# Made by hand
apiVersion: apps/v1
kind: "Deployment"
metadata:
  name: web # the name
  namespace: 'shop'
  labels: {app: web, "tier": "a", empty: {}}
  annotations:
    checksum/config: 0af1
    folded: one two
      three
spec:
  replicas: 2
  command: ["sh", '-c', $(RUN), a.b]
  text: "a: b # c \" \n
    d"
  script: |
    #!/bin/sh
    	echo "a: b"

     indented
  other: >-
    text

  template:
    spec:
      containers:
      - name: a
        ports:
          - containerPort: 80
            name: http
          - {containerPort: 81}
      - name: b
        args:
        - --x=y
        - - nested
          - list
        -
          key: value
      -
  url: https://example.com:80/x#y
  none:
  time: 2001-01-01 10:00:00
"#;

    #[test]
    fn plain_documents_are_taken() {
        assert_eq!(agree(PLAIN), Ok(true));
        let head = scan(PLAIN.as_bytes()).unwrap();
        assert_eq!(
            [head.api_version, head.kind, head.name, head.namespace],
            ["apps/v1", "Deployment", "web", "shop"]
        );
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_full_reader() {
        for text in [
            "kind: A\nkind: B\n",
            "Kind: A\n",
            "kind: yes\n",
            "kind: 1\n",
            "kind: A\n B: 1\n",
            "a:\n    b: 1\n  c: 2\n",
            "a: b: c\n",
            "- a\n",
            "text\n",
            "a: &x b\n",
            "a: .inf\n",
            "a: [.nan]\n",
            "null: a\n",
            "a: {b: 1\n",
            "a: \"b\n",
            "a: '\n",
            "a: \"\\q\"\n",
            "a: b\n\tc\n",
            "a: b\n  c: d\n",
            "a: |\n\tb\n",
            "a: |\n   \n  b\n",
            "a: |2\n  b\n",
            "metadata: {name: a}\n",
            "metadata:\n  annotations: a\n",
            "metadata:\n  annotations:\n    a: {b: c}\n",
            "metadata:\n  annotations:\n    a:\n      b: c\n",
            "metadata:\n  annotations:\n    helm.sh/hook: test\n",
            "metadata:\n  annotations:\n    \"helm\\x2esh/hook\": test\n",
            "metadata:\n- a\n",
            "a: \u{1}\n",
            "a: \u{85}\n",
            "a: \u{2028}b: c\n",
            "---\na: b\n",
            "a: b\n...\nc\n",
            "%YAML 1.1\n",
            "a: 'b': c\n",
            "18446744073709551615: a\n",
            "0o1777777777777777777777: a\n",
        ] {
            assert_eq!(scan(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn lines_are_judged_as_the_full_reader_judges_them(
            lines in prop::collection::vec(
                (
                    0_usize..5,
                    prop::sample::select(vec![
                        "", "- ", "- - ", "-", "? ", "-  ", "# ",
                    ]),
                    prop::sample::select(vec![
                        "", "a:", "b: ", "kind: ", "metadata:", "name:", "name: ", "annotations:",
                        "\"q\": ", "'r':", "1: ", "1e3: ", "null: ", "~: ", "y: ", ".x: ", "<<: ",
                        "a b: ", "a #b: ", "helm.sh/hook: ", "apiVersion: ", "namespace: ", "K: ",
                    ]),
                    prop::sample::select(vec![
                        "", "x", "x y", "x: y", "x:", "x # c", "x #", "#c", "\"x\"", "\"x", "x\"",
                        "'x'", "'x''y'", "'x", "|", "|-", ">", ">+", "|2", "{}", "[]", "{a: b}",
                        "{a: b", "[a, b]", "[a, {b: [c]}]", "[a b , c]", "[a,]", "{a, b}", "{a:b}",
                        "[-]", "[- a]", "- a", "-a", "--- a", "...", ".inf", "-.INF", "+1", "~",
                        "null", "true", "&a", "*a", "!t x", "%x", "@x", "\"\\n\\q\"", "\"\\\"\"",
                        "x\ty", "\u{e9}", "\u{feff}", "a]", "a}", "a,b", "0x1f", "$(x)", "{{x}}",
                        "?x", ":x", "x'y\"z", "\"x\" y", "\"x\" # y", "\"x\"#y", "'x':", "[x]: y",
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
        fn changed_documents_are_judged_as_the_full_reader_judges_them(
            changes in prop::collection::vec(
                (
                    0..PLAIN.len(),
                    0_usize..4,
                    prop::sample::select(vec![
                        "", " ", "  ", "\n", "\n\n", "\n  ", "\n    ", ":", ": ", " #", "#", "-",
                        "- ", "\"", "'", "x", "{", "}", "[", "]", ",", ", ", "|", ">", "\t", "\\",
                        "~", "null", "...", "\n---\n", "&a ", "*a", "?", "%", "\u{85}",
                    ]),
                ),
                1..4,
            ),
        ) {
            let mut text = PLAIN.to_owned();
            for (at, removed, inserted) in changes {
                let at = at.min(text.len());
                let end = (at + removed).min(text.len());
                if text.is_char_boundary(at) && text.is_char_boundary(end) {
                    text.replace_range(at..end, inserted);
                }
            }
            prop_assert!(agree(&text).is_ok(), "{}", agree(&text).unwrap_err());
        }
    }
}
