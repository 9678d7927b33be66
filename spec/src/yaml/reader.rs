//! Reads YAML into value trees in which every key and leaf knows its place.

use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::{
    scalar::{ScalarProblem, resolve_core, resolve_plain},
    syntax,
};
use crate::{
    Diagnostic, Diagnostics, Field, Map, Node, Origin, OriginId, Origins, SourceId, Sources, Span,
    Value,
};

/// The most nodes one text may hold after aliases are expanded: stops "billion laughs".
const MAX_NODES: usize = 2_000_000;
/// The deepest nesting.
const MAX_DEPTH: usize = 128;

/// One YAML document.
#[derive(Debug, Clone)]
pub struct Document {
    /// The root; null when the document is empty.
    pub root: Node,
}

/// What a text held.
#[derive(Debug, Default)]
pub struct Reading {
    /// The documents up to the first syntax error, empty ones left out.
    pub documents: Vec<Document>,
    /// What was wrong.
    pub diagnostics: Diagnostics,
}

/// Reads all documents of a text.
pub fn read(sources: &Sources, source: SourceId, origins: &mut Origins) -> Reading {
    let text = Arc::clone(&sources.get(source).text);
    let mut reader = Reader {
        source,
        text: &text,
        parser: Parser::new_from_str(&text),
        origins,
        diagnostics: Diagnostics::new(),
        anchors: Vec::new(),
        nodes: 0,
    };
    let documents = reader.documents();
    Reading {
        documents,
        diagnostics: reader.diagnostics,
    }
}

/// Reads a text that must hold exactly one document (an empty text is null).
pub fn read_one(
    sources: &Sources,
    source: SourceId,
    origins: &mut Origins,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let mut reading = read(sources, source, origins);
    let failed = reading.diagnostics.has_errors();
    diagnostics.append(reading.diagnostics);
    if failed {
        return None;
    }
    if let Some(second) = reading.documents.get(1) {
        diagnostics.push(
            Diagnostic::error(
                "yaml-documents",
                "expected one YAML document, found several",
            )
            .label(
                origins.get(second.root.origin),
                "a second document starts here",
            )
            .hint("put each document in a file of its own"),
        );
        return None;
    }
    let empty = Span {
        source,
        start: 0,
        end: 0,
    };
    Some(reading.documents.pop().map_or_else(
        || Node::new(Value::Null, origins.add_span(empty)),
        |document| document.root,
    ))
}

struct Reader<'a> {
    source: SourceId,
    text: &'a str,
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    origins: &'a mut Origins,
    diagnostics: Diagnostics,
    /// Anchored nodes by the parser's anchor number; none while still being read.
    anchors: Vec<(usize, Option<Node>)>,
    nodes: usize,
}

/// Reading cannot go on; the reason is already among the diagnostics.
struct Stop;

type Step<T> = Result<T, Stop>;

impl<'a> Reader<'a> {
    fn documents(&mut self) -> Vec<Document> {
        let mut documents = Vec::new();
        loop {
            match self.next() {
                Err(Stop) | Ok((Event::StreamEnd, _)) => return documents,
                Ok((Event::DocumentStart(..), _)) => {
                    self.anchors.clear();
                    match self
                        .next()
                        .and_then(|(event, span)| self.node(event, span, 0))
                    {
                        Err(Stop) => return documents,
                        Ok(root) if root.value == Value::Null => {}
                        Ok(root) => documents.push(Document { root }),
                    }
                }
                Ok(_) => {}
            }
        }
    }

    /// The next event that is not a comment.
    fn next(&mut self) -> Step<(Event<'a>, Span)> {
        loop {
            match self.parser.next_event() {
                None => return Ok((Event::StreamEnd, self.span(0, 0))),
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => {
                    let start = self.offset(&span.start);
                    let end = self.offset(&span.end).max(start);
                    return Ok((event, self.span(start, end)));
                }
                Some(Err(error)) => {
                    self.syntax_error(&error);
                    return Err(Stop);
                }
            }
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let bound = |offset: usize| u32::try_from(offset.min(self.text.len())).unwrap_or(u32::MAX);
        Span {
            source: self.source,
            start: bound(start),
            end: bound(end),
        }
    }

    fn offset(&self, marker: &granit_parser::Marker) -> usize {
        marker.byte_offset().unwrap_or_else(|| {
            self.text
                .char_indices()
                .nth(marker.index())
                .map_or(self.text.len(), |(offset, _)| offset)
        })
    }

    fn syntax_error(&mut self, error: &ScanError) {
        let start = self.offset(error.marker());
        let span = self.span(start, start);
        let before = &self.text[..start.min(self.text.len())];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = if start == line_start || before[line_start..].trim().is_empty() {
            self.text[line_start..].lines().next().unwrap_or_default()
        } else {
            &before[line_start..]
        };
        self.diagnostics
            .push(syntax::finding(error.kind(), (self.text, line), MAX_DEPTH).at(span));
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Step<Node> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            self.diagnostics.push(
                Diagnostic::error(
                    "yaml-too-large",
                    format!("the text holds more than {MAX_NODES} values"),
                )
                .at(span)
                .hint("split it into several files"),
            );
            return Err(Stop);
        }
        if depth > MAX_DEPTH {
            self.diagnostics.push(syntax::too_deep(MAX_DEPTH).at(span));
            return Err(Stop);
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), span);
                let node = Node {
                    value,
                    origin: self.origin(span, tag.as_deref()),
                };
                self.remember(anchor, &node);
                Ok(node)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                }
                let node = Node {
                    value: Value::List(items),
                    origin: self.origin(span, tag.as_deref()),
                };
                self.remember(anchor, &node);
                Ok(node)
            }
            Event::MappingStart(_, anchor, tag) => {
                let value = Value::Map(self.mapping(depth)?);
                let node = Node {
                    value,
                    origin: self.origin(span, tag.as_deref()),
                };
                self.remember(anchor, &node);
                Ok(node)
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => {
                self.diagnostics
                    .push(Diagnostic::error("yaml-syntax", "expected a value").at(span));
                Err(Stop)
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Step<Map> {
        let mut map = Map::new();
        let mut merged: Vec<Map> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key: Arc<str> = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.as_ref().into(),
                _ => {
                    self.diagnostics.push(
                        Diagnostic::error(
                            "yaml-key",
                            "a key must be a text, not a list, a map or an alias",
                        )
                        .at(span)
                        .hint("quote a key or value that starts with `{`, `[`, `*` or `?`"),
                    );
                    return Err(Stop);
                }
            };
            let (event, value_span) = self.next()?;
            let node = self.node(event, value_span, depth + 1)?;
            if &*key == "<<" {
                self.collect_merge(node, &mut merged);
                continue;
            }
            if let Some(first) = map.field(&key) {
                let first = self.origins.span(first.key_origin);
                self.diagnostics.push(
                    Diagnostic::error(
                        "yaml-duplicate-key",
                        format!("the key `{key}` is given twice"),
                    )
                    .label(span, "given again here")
                    .label(first, "first given here")
                    .hint("keep one of the two"),
                );
            }
            let key_origin = self.origins.add_span(span);
            map.insert_field(key, Field { key_origin, node });
        }
        for other in merged {
            for (key, field) in other.into_fields() {
                if !map.contains_key(&key) {
                    map.insert_field(key, field);
                }
            }
        }
        Ok(map)
    }

    /// `<<: *anchor` or `<<: [*a, *b]`: keys of earlier maps win.
    fn collect_merge(&mut self, node: Node, merged: &mut Vec<Map>) {
        let origin = node.origin;
        match node.value {
            Value::Map(map) => merged.push(map),
            Value::List(items) if items.iter().all(|item| item.as_map().is_some()) => {
                merged.extend(items.into_iter().filter_map(|item| item.as_map().cloned()));
            }
            _ => self.diagnostics.push(
                Diagnostic::error("yaml-merge-key", "`<<` must be a map or a list of maps")
                    .at(self.origins.get(origin))
                    .hint("`<<` merges a map: quote the key to mean the text"),
            ),
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Step<Node> {
        let found = self
            .anchors
            .iter()
            .rev()
            .find(|(number, _)| *number == anchor)
            .and_then(|(_, node)| node.clone());
        let Some(node) = found else {
            self.diagnostics.push(
                Diagnostic::error("yaml-alias", "the alias refers to a value that contains it")
                    .at(span)
                    .hint("a value cannot hold itself: write the part that is meant"),
            );
            return Err(Stop);
        };
        let mut size = 0;
        node.walk(&mut |_| size += 1);
        self.nodes += size;
        if self.nodes > MAX_NODES {
            self.diagnostics.push(
                Diagnostic::error(
                    "yaml-too-large",
                    format!("aliases expand to more than {MAX_NODES} values"),
                )
                .at(span)
                .hint("repeat fewer anchors: each `*alias` is a copy of everything below its `&anchor`"),
            );
            return Err(Stop);
        }
        Ok(node)
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor > 0 {
            self.anchors.push((anchor, Some(node.clone())));
        }
    }

    fn origin(&mut self, span: Span, tag: Option<&Tag>) -> OriginId {
        let tag = tag
            .filter(|tag| tag.is_custom())
            .map(|tag| Arc::from(tag.suffix()));
        self.origins.add(Origin {
            span: Some(span),
            tag,
            ..Origin::default()
        })
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Value {
        if let Some(tag) = tag.filter(|tag| tag.is_yaml_core_schema()) {
            if tag.is_yaml_core_schema_tag("str") {
                return Value::from(text);
            }
            let value = resolve_core(text).unwrap_or_else(|_| Value::from(text));
            let fits = match value {
                Value::Null => tag.is_yaml_core_schema_tag("null"),
                Value::Bool(_) => tag.is_yaml_core_schema_tag("bool"),
                Value::Int(_) => {
                    tag.is_yaml_core_schema_tag("int") || tag.is_yaml_core_schema_tag("float")
                }
                Value::Float(_) => tag.is_yaml_core_schema_tag("float"),
                _ => false,
            };
            if !fits {
                self.diagnostics.push(
                    Diagnostic::error(
                        "yaml-tag",
                        format!("`{text}` does not fit the tag `!!{}`", tag.suffix()),
                    )
                    .at(span)
                    .hint("remove the tag, or change the value"),
                );
            }
            return value;
        }
        if style != ScalarStyle::Plain {
            return Value::from(text);
        }
        resolve_plain(text).unwrap_or_else(|problem| {
            self.diagnostics
                .push(scalar_problem(text, &problem).at(span));
            Value::from(text)
        })
    }
}

fn scalar_problem(text: &str, problem: &ScalarProblem) -> Diagnostic {
    match problem {
        ScalarProblem::Ambiguous(other) => {
            let write = if other.contains("boolean true") {
                "`true`".to_owned()
            } else if other.contains("boolean false") {
                "`false`".to_owned()
            } else {
                "the plain number".to_owned()
            };
            Diagnostic::error("yaml-ambiguous", format!("`{text}` means different things to YAML readers: {other} in YAML 1.1, something else in YAML 1.2"))
                .hint(format!("write {write}, or quote it to mean the text"))
        }
        ScalarProblem::Unrepresentable(reason) => Diagnostic::error(
            "yaml-number",
            format!("`{text}` cannot be represented: {reason}"),
        )
        .hint("quote it to mean the text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceKind;

    fn json(text: &str) -> serde_json::Value {
        let mut sources = Sources::new();
        let id = sources.add("t.yaml", text, SourceKind::Other);
        let mut origins = Origins::new();
        let mut diagnostics = Diagnostics::new();
        let node = read_one(&sources, id, &mut origins, &mut diagnostics);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        node.unwrap().to_json()
    }

    fn problems(text: &str) -> String {
        let mut sources = Sources::new();
        let id = sources.add("t.yaml", text, SourceKind::Other);
        let mut origins = Origins::new();
        let reading = read(&sources, id, &mut origins);
        reading
            .diagnostics
            .iter()
            .map(|d| {
                format!(
                    "{} {} [{}]",
                    sources.locate(d.labels[0].span),
                    d.message,
                    d.code
                )
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn reads_what_yaml_says() {
        assert_eq!(
            json(
                "a: 1\nb: [x, 'y', \"z\"]\nc: &c {d: null}\ne: *c\nf: {<<: *c, g: true}\n80: |\n  text\n"
            ),
            serde_json::json!({"a": 1, "b": ["x", "y", "z"], "c": {"d": null}, "e": {"d": null}, "f": {"d": null, "g": true}, "80": "text\n"})
        );
    }

    #[test]
    fn every_key_and_leaf_knows_its_place() {
        let mut sources = Sources::new();
        let id = sources.add("t.yaml", "a:\n  b: ünï\n  c: 1\n", SourceKind::Other);
        let mut origins = Origins::new();
        let root = read_one(&sources, id, &mut origins, &mut Diagnostics::new()).unwrap();
        let map = root.get("a").unwrap().as_map().unwrap();
        let place = |origin| sources.locate(origins.span(origin).unwrap());
        assert_eq!(place(map.field("c").unwrap().key_origin), "t.yaml:3:3");
        assert_eq!(place(map.get("c").unwrap().origin), "t.yaml:3:6");
        let span = origins.span(map.get("b").unwrap().origin).unwrap();
        assert_eq!(
            &sources.get(id).text[span.start as usize..span.end as usize],
            "ünï"
        );
    }

    #[test]
    fn local_tags_are_kept() {
        let mut sources = Sources::new();
        let id = sources.add("t.yaml", "a: !append [1]\n", SourceKind::Other);
        let mut origins = Origins::new();
        let root = read_one(&sources, id, &mut origins, &mut Diagnostics::new()).unwrap();
        assert_eq!(
            origins.get(root.get("a").unwrap().origin).tag.as_deref(),
            Some("append")
        );
    }

    #[test]
    fn problems_name_the_place() {
        insta::assert_snapshot!(problems("a: 1\na: 2\nb: yes\nc: 0644\nd: 99999999999999999999\ne: !!int x\n? [k]\n: v\n"), @r"
        t.yaml:2:1 the key `a` is given twice [yaml-duplicate-key]
        t.yaml:3:4 `yes` means different things to YAML readers: the boolean true in YAML 1.1, something else in YAML 1.2 [yaml-ambiguous]
        t.yaml:4:4 `0644` means different things to YAML readers: the octal number 420 in YAML 1.1, something else in YAML 1.2 [yaml-ambiguous]
        t.yaml:5:4 `99999999999999999999` cannot be represented: it does not fit a 64-bit integer [yaml-number]
        t.yaml:6:10 `x` does not fit the tag `!!int` [yaml-tag]
        t.yaml:7:3 a key must be a text, not a list, a map or an alias [yaml-key]
        ");
        insta::assert_snapshot!(problems("a: [1\nb: 2\n"), @"t.yaml:2:2 this is not valid YAML: a `:` is not expected here [yaml-syntax]");
    }

    #[test]
    fn laughs_are_not_a_billion() {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..9 {
            let below = format!("*a{}", level - 1);
            let line = format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(","));
            text.push_str(&line);
        }
        assert!(problems(&text).contains("yaml-too-large"));
        assert!(problems(&"[".repeat(500)).contains("yaml-"));
    }
}
