//! The leaves of a chart's values, and the changes that are made to them.

use std::{fmt::Write as _, sync::Arc};

use cairn_chart::Chart;
use cairn_spec::{Map, Node, OriginId, Origins, Span, Value};

/// A leaf of the values of a chart or of one in it.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    /// Which chart, from the root down: numbers of dependencies.
    chart: Vec<usize>,
    path: Vec<Step>,
    /// Where it is written, with its key and with what holds it.
    pub(crate) value: Option<Span>,
    key: Option<Span>,
    holder: Option<Span>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(Arc<str>),
    Item(usize),
}

/// What is done to a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Another value of its kind.
    Other,
    /// The empty text in place of one.
    Empty,
    /// It is taken out of the list or map that holds it.
    Removed,
}

pub(crate) const CHANGES: [Change; 3] = [Change::Other, Change::Empty, Change::Removed];

impl Leaf {
    pub(crate) fn shown(&self) -> String {
        let mut shown = String::new();
        for number in &self.chart {
            let _ = write!(shown, "charts[{number}]:");
        }
        for step in &self.path {
            let _ = match step {
                Step::Key(key) => write!(shown, ".{key}"),
                Step::Item(index) => write!(shown, "[{index}]"),
            };
        }
        shown
    }

    /// Whether an origin is this leaf, as far as the change is concerned: who takes a leaf away
    /// changes what held it, too.
    pub(crate) fn is_named_by(&self, origin: OriginId, change: Change, origins: &Origins) -> bool {
        let is = |span: Option<Span>, wanted: Option<Span>| span.is_some() && span == wanted;
        let span = origins.span(origin);
        if is(span, self.value) {
            return true;
        }
        change == Change::Removed
            && (is(span, self.key)
                || origins
                    .history(origin)
                    .any(|writer| is(writer.span, self.holder)))
    }

    /// The chart with this leaf changed; nothing where the change changes nothing.
    pub(crate) fn changed(&self, chart: &Chart, change: Change) -> Option<Chart> {
        let mut changed = chart.clone();
        let mut within = &mut changed;
        for &number in &self.chart {
            within = within.dependencies.get_mut(number)?;
        }
        let (last, above) = self.path.split_last()?;
        let mut holder = &mut within.values;
        for step in above {
            holder = below(holder, step)?;
        }
        if change != Change::Removed {
            let node = below(holder, last)?;
            node.value = other(node, change)?;
            return Some(changed);
        }
        match (&mut holder.value, last) {
            (Value::List(items), Step::Item(index)) => {
                items.remove(*index);
            }
            // As who writes null there.
            (Value::Map(map), Step::Key(key)) => {
                let node = map.get_mut(key)?;
                if node.value == Value::Null {
                    return None;
                }
                node.value = Value::Null;
            }
            _ => return None,
        }
        Some(changed)
    }
}

fn below<'n>(node: &'n mut Node, step: &Step) -> Option<&'n mut Node> {
    match (&mut node.value, step) {
        (Value::Map(map), Step::Key(key)) => map.get_mut(key),
        (Value::List(items), Step::Item(index)) => items.get_mut(*index),
        _ => None,
    }
}

const OTHER: &str = "perturbed";

/// Another value in place of one, written where that was.
fn other(node: &Node, change: Change) -> Option<Value> {
    match (&node.value, change) {
        (Value::String(text), Change::Empty) if !text.is_empty() => Some("".into()),
        (_, Change::Empty) => None,
        (Value::String(text), _) => Some(other_text(text).into()),
        (Value::Bool(value), _) => Some((!value).into()),
        (Value::Int(number), _) => Some(Value::Int(number.wrapping_add(1))),
        (Value::Float(number), _) => Some(Value::Float(number + 1.0)),
        (Value::Null, _) => Some(OTHER.into()),
        (Value::List(_), _) => Some(Value::List(vec![Node::new(OTHER, node.origin)])),
        (Value::Map(_), _) => {
            let mut map = Map::new();
            map.insert(OTHER, Node::new(OTHER, node.origin));
            Some(map.into())
        }
    }
}

/// A text that is of use where the old one was, as often as not: versions stay versions.
fn other_text(text: &str) -> String {
    match text.char_indices().next_back() {
        None => OTHER.to_owned(),
        Some((at, last)) => match last.to_digit(10) {
            Some(digit) => format!("{}{}", &text[..at], (digit + 1) % 10),
            None => format!("{text}x"),
        },
    }
}

/// All leaves of the values of a chart and of those in it. An empty list or map is a leaf.
pub(crate) fn leaves(chart: &Chart, origins: &Origins) -> Vec<Leaf> {
    let mut found = Finding {
        origins,
        chart: Vec::new(),
        path: Vec::new(),
        leaves: Vec::new(),
    };
    found.in_chart(chart);
    found.leaves
}

struct Finding<'o> {
    origins: &'o Origins,
    chart: Vec<usize>,
    path: Vec<Step>,
    leaves: Vec<Leaf>,
}

impl Finding<'_> {
    fn in_chart(&mut self, chart: &Chart) {
        self.below(&chart.values, None, None);
        for (number, dependency) in chart.dependencies.iter().enumerate() {
            self.chart.push(number);
            self.in_chart(dependency);
            self.chart.pop();
        }
    }

    fn below(&mut self, node: &Node, key: Option<OriginId>, holder: Option<OriginId>) {
        match &node.value {
            Value::Map(map) if !map.is_empty() => {
                for (name, field) in map.fields() {
                    self.path.push(Step::Key(Arc::clone(name)));
                    self.below(&field.node, Some(field.key_origin), Some(node.origin));
                    self.path.pop();
                }
            }
            Value::List(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Step::Item(index));
                    self.below(item, None, Some(node.origin));
                    self.path.pop();
                }
            }
            _ => {
                let span = |origin: Option<OriginId>| origin.and_then(|it| self.origins.span(it));
                self.leaves.push(Leaf {
                    chart: self.chart.clone(),
                    path: self.path.clone(),
                    value: self.origins.span(node.origin),
                    key: span(key),
                    holder: span(holder),
                });
            }
        }
    }
}
