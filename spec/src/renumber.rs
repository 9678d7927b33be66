//! Tables of texts and origins that two threads filled become one.

use crate::{Map, Node, Origin, OriginId, Origins, SourceId, Sources, Span, Value};

/// What the numbers of tables became when others took them over.
///
/// ```
/// use cairn_spec::{Node, Origins, Renumbered, SourceKind, Sources, Span};
///
/// let mut tables = (Sources::new(), Origins::new());
/// tables.0.add("first.yaml", "a: 1", SourceKind::Other);
///
/// let mut added = (Sources::new(), Origins::new());
/// let source = added.0.add("second.yaml", "b: 2", SourceKind::Other);
/// let origin = added.1.add_span(Span { source, start: 3, end: 4 });
/// let mut node = Node::new(2, origin);
///
/// let renumbered = Renumbered::append(&mut tables.0, &mut tables.1, added);
/// renumbered.node(&mut node);
/// let place = tables.1.span(node.origin).unwrap();
/// assert_eq!(tables.0.locate(place), "second.yaml:1:4");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Renumbered {
    sources: u32,
    origins: u32,
}

impl Renumbered {
    /// Has tables take over others, after what they hold already.
    pub fn append(sources: &mut Sources, origins: &mut Origins, added: (Sources, Origins)) -> Self {
        let renumbered = Self {
            sources: sources.append(added.0),
            origins: origins.next_index(),
        };
        for origin in added.1.into_added() {
            origins.add(Origin {
                span: origin.span.map(|span| Span {
                    source: renumbered.source(span.source),
                    ..span
                }),
                tag: origin.tag,
                overrides: origin.overrides.map(|id| renumbered.origin(id)),
                refers_to: origin.refers_to.map(|id| renumbered.origin(id)),
            });
        }
        renumbered
    }

    /// What a text's number became.
    pub fn source(self, id: SourceId) -> SourceId {
        id.after(self.sources)
    }

    /// What an origin's number became.
    pub fn origin(self, id: OriginId) -> OriginId {
        match id {
            OriginId::GENERATED => id,
            // The table that took it over has the one of all that is generated, too.
            _ => id.after(self.origins - 1),
        }
    }

    /// Changes all numbers in a tree.
    pub fn node(self, node: &mut Node) {
        node.origin = self.origin(node.origin);
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.node(item)),
            Value::Map(map) => self.map(map),
            _ => {}
        }
    }

    fn map(self, map: &mut Map) {
        for field in map.fields_mut() {
            field.key_origin = self.origin(field.key_origin);
            self.node(&mut field.node);
        }
        for by in map.tombstones_mut() {
            *by = self.origin(*by);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::SourceKind;

    /// Says `key: value` and what it overrides, in a text of its own.
    fn say(key: &str, (sources, origins): (&mut Sources, &mut Origins)) -> Node {
        let source = sources.add(format!("{key}.yaml"), key, SourceKind::Other);
        let span = |start| Span {
            source,
            start,
            end: start,
        };
        let (older, by) = (origins.add_span(span(1)), origins.add_span(span(2)));
        let newer = origins.overriding(by, older);
        let mut map = Map::new();
        map.insert("list", Node::new(vec![Node::new(true, newer)], older));
        map.insert("made", Node::generated("here"));
        map.delete("gone", by);
        Node::new(map, newer)
    }

    #[test]
    fn numbers_are_those_of_one_thread() {
        let mut alone = (Sources::new(), Origins::new());
        let expected = ["a", "b", "c"].map(|key| say(key, (&mut alone.0, &mut alone.1)));
        let mut tables = (Sources::new(), Origins::new());
        let mut said = vec![say("a", (&mut tables.0, &mut tables.1))];
        for key in ["b", "c"] {
            let mut added = (Sources::new(), Origins::new());
            let mut node = say(key, (&mut added.0, &mut added.1));
            Renumbered::append(&mut tables.0, &mut tables.1, added).node(&mut node);
            said.push(node);
        }
        assert_eq!(said, expected);
        assert_eq!(format!("{:?}", tables.1), format!("{:?}", alone.1));
        let names = |sources: &Sources| -> Vec<_> {
            sources
                .iter()
                .map(|(_, source)| Arc::clone(&source.name))
                .collect()
        };
        assert_eq!(names(&tables.0), names(&alone.0));
    }
}
