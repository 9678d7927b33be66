//! What moved between two renders, and whether the tracker had named the leaf that was changed.
//!
//! Lists, and the documents of a template, are compared item by item: of all ways to pair the items
//! of both renders that one counts which leaves the fewest moves that nothing explains.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use cairn_chart::explain::{self, Fields};
use cairn_spec::{Node, OriginId, Value};
use cairn_template::{Class, Piece};

use crate::{
    leaf::{Change, Leaf},
    lines::{Text, lines_are_named},
    render::{Part, Rendered},
};

/// How the tracker had named the leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    /// Bytes are the leaf itself.
    Exact,
    /// Bytes were computed from it.
    Derived,
    /// Bytes are there because of it.
    Controlled,
    /// Bytes were generated, with it among what went in.
    Opaque,
    /// Only the second render says so.
    Absent,
    /// Its text says nothing, but that of all lines that came or went around it does: it is a part
    /// of something else now.
    Context,
}

/// A scalar that changed, appeared or vanished.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    pub(crate) path: String,
    /// None: nothing named the leaf.
    pub(crate) how: Option<How>,
    pub(crate) what: String,
}

/// Longer lists, after what is equal at both ends, are compared by position.
const MAX_PAIRS: usize = 4_000;

pub(crate) struct Comparison<'r> {
    pub(crate) first: &'r Rendered,
    pub(crate) second: &'r Rendered,
    pub(crate) leaf: &'r Leaf,
    pub(crate) change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    First,
    Second,
}

/// A value in one of the renders.
#[derive(Clone, Copy)]
struct Spot<'r> {
    part: &'r Part,
    /// None: the document is no YAML.
    node: Option<&'r Node>,
    /// How something that leads to the value names the leaf: a key, an indentation. Of a document,
    /// what says that it is a hook: those of unknown events are dropped.
    led: Option<How>,
}

const HOOK: &str = "helm.sh/hook";

impl Spot<'_> {
    /// What leads to a value that is there before and after explains nothing of it.
    fn stays(self) -> Self {
        Self { led: None, ..self }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self.node, other.node) {
            (Some(left), Some(right)) => left.value.same_data(&right.value),
            (None, None) => self.part.document.bytes() == other.part.document.bytes(),
            _ => false,
        }
    }

    fn range(&self) -> Range<usize> {
        match (self.node, self.part.fields()) {
            (Some(node), Some(fields)) => fields.bytes_of(node),
            _ => 0..self.part.document.bytes().len(),
        }
    }

    fn shown(&self) -> String {
        let bytes = self.part.document.bytes();
        let text = String::from_utf8_lossy(bytes.get(self.range()).unwrap_or_default());
        text.chars().take(80).collect()
    }
}

impl<'r> Comparison<'r> {
    fn document(&self, side: Side, part: &'r Part) -> Spot<'r> {
        let fields = part.fields();
        let node = fields.map(Fields::root);
        let hook = node.and_then(|node| node.at(&["metadata", "annotations", HOOK]));
        let hook = fields.zip(hook);
        Spot {
            part,
            node,
            led: hook.and_then(|(fields, hook)| self.named(side, part, fields.bytes_of(hook))),
        }
    }

    /// All that moved.
    pub(crate) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        let (first, second) = (&self.first.files, &self.second.files);
        let paths: BTreeSet<&Arc<str>> = first.keys().chain(second.keys()).collect();
        for path in paths {
            let parts = |files: &'r BTreeMap<Arc<str>, Vec<Part>>| {
                let parts = files.get(path).map(Vec::as_slice).unwrap_or_default();
                parts.iter().collect::<Vec<_>>()
            };
            let (first, second) = (parts(first), parts(second));
            let same =
                |(left, right): (&&Part, &&Part)| left.document.bytes() == right.document.bytes();
            // Nothing has to be read where no byte is another.
            if first.len() == second.len() && first.iter().zip(&second).all(same) {
                continue;
            }
            let spots = |side: Side, parts: Vec<&'r Part>| {
                let parts = parts.into_iter().filter(|part| !part.is_blank());
                parts
                    .map(|part| self.document(side, part))
                    .collect::<Vec<_>>()
            };
            let first = spots(Side::First, first);
            let second = spots(Side::Second, second);
            let mut found = self.lists(&first, &second, path);
            if found.iter().any(|it| it.how.is_none()) && self.lines_are_named(path) {
                for one in found.iter_mut().filter(|it| it.how.is_none()) {
                    one.how = Some(How::Context);
                }
            }
            moves.append(&mut found);
        }
        moves
    }

    /// All lines of a template's text that came or went name the leaf, or stand where the other
    /// text says that something is missing because of it.
    fn lines_are_named(&self, path: &str) -> bool {
        let text = |rendered: &'r Rendered, side: Side| {
            rendered.texts.get(path).map(|file| Text {
                file,
                is_named: Box::new(move |of: &[OriginId]| self.is_named(side, of)),
            })
        };
        let first = text(self.first, Side::First);
        let second = text(self.second, Side::Second);
        first
            .zip(second)
            .is_some_and(|(first, second)| lines_are_named(&first, &second))
    }

    fn pair(&self, first: Spot<'r>, second: Spot<'r>, path: &str) -> Vec<Move> {
        if first.is_same(&second) {
            return Vec::new();
        }
        let (first, second) = (first.stays(), second.stays());
        match (
            first.node.map(|node| &node.value),
            second.node.map(|node| &node.value),
        ) {
            (Some(Value::Map(left)), Some(Value::Map(right)))
                if !left.is_empty() && !right.is_empty() =>
            {
                self.maps(first, second, path)
            }
            (Some(Value::List(left)), Some(Value::List(right)))
                if !left.is_empty() && !right.is_empty() =>
            {
                let first = self.children(first, Side::First);
                let second = self.children(second, Side::Second);
                let spots = |children: Vec<(String, Spot<'r>)>| {
                    children
                        .into_iter()
                        .map(|(_, spot)| spot)
                        .collect::<Vec<_>>()
                };
                self.lists(&spots(first), &spots(second), path)
            }
            (Some(left), Some(right)) if !is_collection(left) && !is_collection(right) => {
                let how = self.named(Side::First, first.part, first.range());
                let how = how.or_else(|| {
                    let late = self.named(Side::Second, second.part, second.range());
                    late.map(|_| How::Absent)
                });
                vec![Move {
                    path: path.to_owned(),
                    how,
                    what: format!("{} became {}", first.shown(), second.shown()),
                }]
            }
            _ => {
                let mut moves = self.all(first, Side::First, path);
                moves.extend(self.all(second, Side::Second, path));
                moves
            }
        }
    }

    fn maps(&self, first: Spot<'r>, second: Spot<'r>, path: &str) -> Vec<Move> {
        let left = self.children(first, Side::First);
        let right = self.children(second, Side::Second);
        let mut moves = Vec::new();
        for (key, spot) in &left {
            let path = format!("{path}.{key}");
            match right.iter().find(|(other, _)| other == key) {
                Some((_, other)) => moves.extend(self.pair(*spot, *other, &path)),
                None => moves.extend(self.all(*spot, Side::First, &path)),
            }
        }
        for (key, spot) in &right {
            if left.iter().all(|(other, _)| other != key) {
                moves.extend(self.all(*spot, Side::Second, &format!("{path}.{key}")));
            }
        }
        moves
    }

    fn lists(&self, first: &[Spot<'r>], second: &[Spot<'r>], path: &str) -> Vec<Move> {
        let same = |(left, right): &(&Spot<'r>, &Spot<'r>)| left.is_same(right);
        let start = first.iter().zip(second).take_while(same).count();
        let (first, second) = (&first[start..], &second[start..]);
        let pairs = first.iter().rev().zip(second.iter().rev());
        let end = pairs.take_while(same).count();
        let first = &first[..first.len() - end];
        let second = &second[..second.len() - end];
        let (rows, columns) = (first.len(), second.len());
        if rows * columns > MAX_PAIRS {
            let both = first.iter().zip(second);
            let mut moves: Vec<Move> = both
                .flat_map(|(left, right)| self.pair(*left, *right, &format!("{path}[*]")))
                .collect();
            let common = rows.min(columns);
            let gone = first[common..].iter();
            moves.extend(gone.flat_map(|spot| self.all(*spot, Side::First, path)));
            let new = second[common..].iter();
            moves.extend(new.flat_map(|spot| self.all(*spot, Side::Second, path)));
            return moves;
        }
        let below = |number: usize| format!("{path}[{}]", start + number);
        let gone: Vec<Vec<Move>> = (0..rows)
            .map(|row| self.all(first[row], Side::First, &below(row)))
            .collect();
        let new: Vec<Vec<Move>> = (0..columns)
            .map(|column| self.all(second[column], Side::Second, &below(column)))
            .collect();
        // best[row][column]: what the rest from there on costs, and the moves of the first step.
        let mut best = vec![vec![(0_usize, 0_usize); columns + 1]; rows + 1];
        let mut paired = vec![vec![Vec::new(); columns]; rows];
        for row in (0..=rows).rev() {
            for column in (0..=columns).rev() {
                if row == rows && column == columns {
                    continue;
                }
                let mut options = Vec::new();
                if row < rows && column < columns {
                    let moves = self.pair(first[row], second[column], &below(row));
                    options.push(add(best[row + 1][column + 1], &moves));
                    paired[row][column] = moves;
                }
                if row < rows {
                    options.push(add(best[row + 1][column], &gone[row]));
                }
                if column < columns {
                    options.push(add(best[row][column + 1], &new[column]));
                }
                best[row][column] = options.into_iter().min().unwrap_or_default();
            }
        }
        let (mut row, mut column) = (0, 0);
        let mut moves = Vec::new();
        while row < rows || column < columns {
            let here = best[row][column];
            if row < rows
                && column < columns
                && here == add(best[row + 1][column + 1], &paired[row][column])
            {
                moves.append(&mut paired[row][column]);
                (row, column) = (row + 1, column + 1);
            } else if row < rows && here == add(best[row + 1][column], &gone[row]) {
                moves.extend(gone[row].iter().cloned());
                row += 1;
            } else {
                moves.extend(new[column].iter().cloned());
                column += 1;
            }
        }
        moves
    }

    /// All scalars in a value that is there in one render only.
    fn all(&self, spot: Spot<'r>, side: Side, path: &str) -> Vec<Move> {
        let children = self.children(spot, side);
        if children.is_empty() {
            let named = self.named(side, spot.part, spot.range());
            let verb = match side {
                Side::First => "vanished",
                Side::Second => "appeared",
            };
            return vec![Move {
                path: path.to_owned(),
                how: named.or(spot.led),
                what: format!("{} {verb}", spot.shown()),
            }];
        }
        children
            .into_iter()
            .flat_map(|(key, child)| self.all(child, side, &format!("{path}.{key}")))
            .collect()
    }

    fn children(&self, spot: Spot<'r>, side: Side) -> Vec<(String, Spot<'r>)> {
        let (Some(node), Some(fields)) = (spot.node, spot.part.fields()) else {
            return Vec::new();
        };
        let children = fields
            .children(node, spot.part.document.bytes())
            .into_iter();
        children
            .map(|child| {
                let led = spot
                    .led
                    .or_else(|| self.named(side, spot.part, child.lead.clone()));
                let key = child.key.map_or(child.index.to_string(), str::to_owned);
                let below = Spot {
                    part: spot.part,
                    node: Some(child.node),
                    led,
                };
                (key, below)
            })
            .collect()
    }

    /// How some bytes of a render name the leaf.
    fn named(&self, side: Side, part: &Part, range: Range<usize>) -> Option<How> {
        let pieces = part.document.origins_within(range.clone());
        let by_pieces = pieces
            .filter_map(|(_, piece)| self.named_by(side, &piece))
            .min();
        by_pieces.or_else(|| {
            let mut missing = explain::missing_in(&part.document, range);
            let is_named =
                missing.any(|it| it.causes().any(|cause| self.is_named(side, cause.origins)));
            is_named.then_some(How::Controlled)
        })
    }

    fn is_named(&self, side: Side, of: &[OriginId]) -> bool {
        let origins = match side {
            Side::First => &self.first.origins,
            Side::Second => &self.second.origins,
        };
        of.iter()
            .any(|&origin| self.leaf.is_named_by(origin, self.change, origins))
    }

    fn named_by(&self, side: Side, piece: &Piece<'_>) -> Option<How> {
        if self.is_named(side, piece.origins) {
            return Some(match piece.class {
                Class::Exact => How::Exact,
                Class::Opaque => How::Opaque,
                Class::Derived | Class::Template => How::Derived,
            });
        }
        let mut causes = piece.causes();
        causes
            .any(|cause| self.is_named(side, cause.origins))
            .then_some(How::Controlled)
    }
}

fn is_collection(value: &Value) -> bool {
    match value {
        Value::Map(map) => !map.is_empty(),
        Value::List(items) => !items.is_empty(),
        _ => false,
    }
}

/// What a way costs: first the moves that nothing explains, then all moves.
fn add((unnamed, all): (usize, usize), moves: &[Move]) -> (usize, usize) {
    let more = moves.iter().filter(|it| it.how.is_none()).count();
    (unnamed + more, all + moves.len())
}
