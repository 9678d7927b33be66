//! What the decoder makes of a document: a tree of nodes with origins, or the values of a template.

use std::{ops::Range, sync::Arc};

use cairn_spec::{Field, Map, Node, OriginId, Origins, SourceId, Span, Value as Tree};

use crate::value::{Data, Entries, Entry, Source, Value};

/// Makes the values that the decoder finds.
pub(super) trait Build {
    type Node;
    type Map: Default;
    type Key;
    type Origin: Copy;

    /// The origin of what stands nowhere in the text.
    const NOWHERE: Self::Origin;

    /// The origin of what stands at a range of the text, in bytes.
    fn origin(&mut self, range: Range<usize>) -> Self::Origin;

    fn key(keys: &mut Keys, text: &str) -> Self::Key;

    /// Adds an entry to a map; a later one replaces an earlier one of the same key.
    fn insert(map: &mut Self::Map, key: Self::Key, key_origin: Self::Origin, node: Self::Node);

    fn text(&self, text: &str, origin: Self::Origin) -> Self::Node;

    /// `value` is neither a text nor a list nor a map.
    fn scalar(&self, value: Tree, origin: Self::Origin) -> Self::Node;

    fn list(&self, items: Vec<Self::Node>, origin: Self::Origin) -> Self::Node;

    fn map(&self, map: Self::Map, origin: Self::Origin) -> Self::Node;
}

/// Makes nodes.
pub(super) struct Nodes<'o> {
    pub(super) origins: &'o mut Origins,
    /// The source of the text, and where in it the text starts; nodes have no origin without it.
    pub(super) source: Option<(SourceId, usize)>,
}

impl Build for Nodes<'_> {
    type Node = Node;
    type Map = Map;
    type Key = Arc<str>;
    type Origin = OriginId;

    const NOWHERE: OriginId = OriginId::GENERATED;

    fn origin(&mut self, range: Range<usize>) -> OriginId {
        let Some((source, skipped)) = self.source else {
            return OriginId::GENERATED;
        };
        let bound = |offset: usize| u32::try_from(offset + skipped).unwrap_or(u32::MAX);
        self.origins.add_span(Span {
            source,
            start: bound(range.start),
            end: bound(range.end),
        })
    }

    fn key(keys: &mut Keys, text: &str) -> Arc<str> {
        keys.shared(text)
    }

    fn insert(map: &mut Map, key: Arc<str>, key_origin: OriginId, node: Node) {
        map.insert_field(key, Field { key_origin, node });
    }

    fn text(&self, text: &str, origin: OriginId) -> Node {
        Node::new(text, origin)
    }

    fn scalar(&self, value: Tree, origin: OriginId) -> Node {
        Node { value, origin }
    }

    fn list(&self, items: Vec<Node>, origin: OriginId) -> Node {
        let value = Tree::List(items);
        Node { value, origin }
    }

    fn map(&self, map: Map, origin: OriginId) -> Node {
        let value = Tree::Map(map);
        Node { value, origin }
    }
}

/// Makes values that all came from one source.
pub(super) struct Values {
    pub(super) source: Source,
}

impl Build for Values {
    type Node = Value;
    type Map = Entries;
    type Key = Arc<str>;
    type Origin = Source;

    const NOWHERE: Source = Source::TEMPLATE;

    fn origin(&mut self, _: Range<usize>) -> Source {
        self.source
    }

    fn key(keys: &mut Keys, text: &str) -> Arc<str> {
        keys.shared(text)
    }

    fn insert(map: &mut Entries, key: Arc<str>, key_origin: Source, value: Value) {
        let key_source = key_origin;
        map.insert(
            key,
            Entry {
                key: key_source,
                value,
            },
        );
    }

    fn text(&self, text: &str, _: Source) -> Value {
        Value::new(Data::Str(text.as_bytes().into()), self.source)
    }

    fn scalar(&self, value: Tree, _: Source) -> Value {
        Value::of_scalar(&value, self.source)
    }

    fn list(&self, items: Vec<Value>, _: Source) -> Value {
        Value::list_of(items, self.source)
    }

    fn map(&self, map: Entries, _: Source) -> Value {
        Value::map_of(map, self.source)
    }
}

/// Makes nothing, where only mistakes are looked for.
pub(super) struct Nothing;

impl Build for Nothing {
    type Node = ();
    type Map = ();
    type Key = ();
    type Origin = ();

    const NOWHERE: () = ();

    fn origin(&mut self, _: Range<usize>) {}

    fn key(_: &mut Keys, _: &str) {}

    fn insert((): &mut (), (): (), (): (), (): ()) {}

    fn text(&self, _: &str, (): ()) {}

    fn scalar(&self, _: Tree, (): ()) {}

    fn list(&self, _: Vec<()>, (): ()) {}

    fn map(&self, (): (), (): ()) {}
}

/// How many keys are remembered, a power of two.
const REMEMBERED_KEYS: usize = 1024;

/// A document with fewer nodes has few keys in common.
const MANY_NODES: usize = 200;

/// The keys that were made last, since the maps of one document have many keys in common.
pub(super) struct Keys {
    by_hash: Vec<Option<Arc<str>>>,
}

impl Keys {
    /// A memory for a document of so many nodes; none where it is not worth it.
    pub(super) fn for_nodes(count: usize) -> Self {
        let slots = if count < MANY_NODES {
            0
        } else {
            REMEMBERED_KEYS
        };
        Self {
            by_hash: vec![None; slots],
        }
    }

    /// The key of a text; the same one again where it is remembered.
    pub(super) fn shared(&mut self, text: &str) -> Arc<str> {
        let Some(slot) = self.by_hash.get_mut(hash(text)) else {
            return text.into();
        };
        match slot {
            Some(key) if &**key == text => Arc::clone(key),
            _ => Arc::clone(slot.insert(text.into())),
        }
    }
}

fn hash(text: &str) -> usize {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let bytes = text.as_bytes();
    let short = || {
        let shifted = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        bytes.iter().take(8).fold(0, shifted)
    };
    let first = bytes.first_chunk().copied().map(u64::from_le_bytes);
    let last = bytes.last_chunk().copied().map(u64::from_le_bytes);
    let mixed = first.unwrap_or_else(short).wrapping_mul(MIX) ^ last.unwrap_or(MIX);
    let mixed = mixed.wrapping_add(bytes.len() as u64).wrapping_mul(MIX);
    // The highest bits depend on all others.
    usize::try_from(mixed >> 54).unwrap_or(0) % REMEMBERED_KEYS
}
