//! The values that templates work on: nodes of the context, borrowed, and what helpers made of
//! them. Nothing is copied deep; whatever is computed shares what it was computed from.

use std::{borrow::Cow, cmp::Ordering, collections::BTreeMap, rc::Rc, sync::Arc};

use cairn_spec::{Node, OriginId, Span, Value, yaml};

use crate::{
    spans::{CauseId, Class, Mark, OriginSet},
    state::{Outcome, State},
    writer::Text,
};

/// A value, and the values that decided that it is this one.
#[derive(Debug, Clone)]
pub(crate) struct Val<'a> {
    pub(crate) data: Data<'a>,
    /// Origins of what a helper such as `default` looked at to choose this value.
    pub(crate) because: OriginSet,
}

#[derive(Debug, Clone)]
pub(crate) enum Data<'a> {
    /// A part of the context.
    Node(&'a Node),
    /// A null, boolean, number or text that was computed or stands in the template.
    Scalar(Scalar),
    /// A text in which each byte knows where it came from.
    Text(Rc<Text>),
    /// A list that a helper made, and where its length came from.
    List(Rc<Vec<Val<'a>>>, Source),
    /// A map that a helper made, and where the choice of its keys came from.
    Map(Rc<Entries<'a>>, Source),
}

/// Keys and values of a map that a helper made.
pub(crate) type Entries<'a> = BTreeMap<Arc<str>, Entry<'a>>;

#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    pub(crate) key: Source,
    pub(crate) value: Val<'a>,
}

/// Where a key or a computed scalar came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub(crate) class: Class,
    pub(crate) origins: OriginSet,
}

impl Source {
    /// What stands in the template.
    pub(crate) const TEMPLATE: Self = Self {
        class: Class::Template,
        origins: OriginSet::EMPTY,
    };

    /// What was computed from `origins`; without any it is a constant of the template.
    pub(crate) fn derived(origins: OriginSet) -> Self {
        if origins == OriginSet::EMPTY {
            return Self::TEMPLATE;
        }
        Self {
            class: Class::Derived,
            origins,
        }
    }

    pub(crate) fn exact(origin: OriginId, state: &mut State<'_>) -> Self {
        Self {
            class: Class::Exact,
            origins: state.tracker.single(origin),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub(crate) value: Value,
    pub(crate) source: Source,
}

/// What a value is, wherever it is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum View<'v> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(&'v str),
    List(usize),
    Map(usize),
}

impl<'a> From<Data<'a>> for Val<'a> {
    fn from(data: Data<'a>) -> Self {
        Self {
            data,
            because: OriginSet::EMPTY,
        }
    }
}

impl<'a> From<&'a Node> for Val<'a> {
    fn from(node: &'a Node) -> Self {
        Data::Node(node).into()
    }
}

impl From<Text> for Val<'_> {
    fn from(text: Text) -> Self {
        Data::Text(Rc::new(text)).into()
    }
}

impl<'a> Val<'a> {
    pub(crate) fn scalar(value: impl Into<Value>, source: Source) -> Self {
        let value = value.into();
        Data::Scalar(Scalar { value, source }).into()
    }

    pub(crate) fn list(items: Vec<Self>, source: Source) -> Self {
        Data::List(Rc::new(items), source).into()
    }

    pub(crate) fn map(entries: Entries<'a>, source: Source) -> Self {
        Data::Map(Rc::new(entries), source).into()
    }

    pub(crate) fn null() -> Self {
        Self::scalar(Value::Null, Source::TEMPLATE)
    }

    pub(crate) fn view(&self) -> View<'_> {
        let value = match &self.data {
            Data::Node(node) => &node.value,
            Data::Scalar(scalar) => &scalar.value,
            Data::Text(text) => return View::Str(text.as_str()),
            Data::List(items, _) => return View::List(items.len()),
            Data::Map(entries, _) => return View::Map(entries.len()),
        };
        match value {
            Value::Null => View::Null,
            Value::Bool(value) => View::Bool(*value),
            Value::Int(value) => View::Int(*value),
            Value::Float(value) => View::Float(*value),
            Value::String(text) => View::Str(text),
            Value::List(items) => View::List(items.len()),
            Value::Map(map) => View::Map(map.len()),
        }
    }

    /// What kind of value this is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.view() {
            View::Null => "null",
            View::Bool(_) => "a boolean",
            View::Int(_) | View::Float(_) => "a number",
            View::Str(_) => "a string",
            View::List(_) => "a list",
            View::Map(_) => "a map",
        }
    }

    /// `spec/pack.md` §4, truth.
    pub(crate) fn is_true(&self) -> bool {
        match self.view() {
            View::Null => false,
            View::Bool(value) => value,
            View::Int(value) => value != 0,
            View::Float(value) => value != 0.0,
            View::Str(text) => !text.is_empty(),
            View::List(length) | View::Map(length) => length > 0,
        }
    }

    /// The value under a key of a map or at an index of a list.
    pub(crate) fn child(&self, key: &str) -> Option<Self> {
        let child: Option<Self> = match &self.data {
            Data::Node(node) => match &node.value {
                Value::Map(map) => map.get(key).map(Self::from),
                Value::List(items) => items.get(index(key)?).map(Self::from),
                _ => None,
            },
            Data::List(items, _) => items.get(index(key)?).cloned(),
            Data::Map(entries, _) => entries.get(key).map(|entry| entry.value.clone()),
            Data::Scalar(_) | Data::Text(_) => None,
        };
        child
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Option<Cow<'_, [Val<'a>]>> {
        match &self.data {
            Data::Node(node) => Some(node.as_list()?.iter().map(Self::from).collect()),
            Data::List(items, _) => Some(Cow::Borrowed(items)),
            _ => None,
        }
    }

    /// The keys and values of a map.
    pub(crate) fn entries(&self, state: &mut State<'_>) -> Option<Cow<'_, Entries<'a>>> {
        match &self.data {
            Data::Node(node) => Some(Cow::Owned(
                node.as_map()?
                    .fields()
                    .map(|(key, field)| {
                        let entry = Entry {
                            key: Source::exact(field.key_origin, state),
                            value: Self::from(&field.node),
                        };
                        (Arc::clone(key), entry)
                    })
                    .collect(),
            )),
            Data::Map(entries, _) => Some(Cow::Borrowed(entries)),
            _ => None,
        }
    }

    /// The keys and values of a map, sorted by key, without where the keys came from.
    pub(crate) fn fields(&self) -> Vec<(&str, Self)> {
        match &self.data {
            Data::Node(node) => node
                .as_map()
                .map(|map| {
                    map.iter()
                        .map(|(key, node)| (&**key, node.into()))
                        .collect()
                })
                .unwrap_or_default(),
            Data::Map(entries, _) => entries
                .iter()
                .map(|(key, entry)| (&**key, entry.value.clone()))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// A boolean, number or text as it is printed; nothing for null, lists and maps.
    pub(crate) fn to_text(&self, place: Span, state: &mut State<'a>) -> Option<Rc<Text>> {
        let text: Cow<'_, str> = match self.view() {
            View::Str(_) if matches!(self.data, Data::Text(_)) => Cow::Borrowed(""),
            View::Str(text) => Cow::Borrowed(text),
            View::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
            View::Int(value) => Cow::Owned(value.to_string()),
            View::Float(value) => Cow::Owned(yaml::write_scalar(&Value::Float(value))),
            View::Null | View::List(_) | View::Map(_) => return None,
        };
        if let Data::Node(node) = &self.data {
            state.read_whole(node);
        }
        if let Data::Text(text) = &self.data {
            return Some(self.explained(text, place, state));
        }
        let source = self.source(state);
        let mark = Mark {
            cause: state.cause_of(self.because, place),
            ..state.mark(place, source.class, source.origins)
        };
        Some(Rc::new(Text::marked(text, mark)))
    }

    /// The text, each piece of which is there also because of where it is printed, and of what
    /// chose this value.
    fn explained(&self, text: &Rc<Text>, place: Span, state: &mut State<'a>) -> Rc<Text> {
        let outer = state.cause_of(self.because, place);
        if text.pieces().all(|(_, mark)| mark.cause == outer) {
            return Rc::clone(text);
        }
        let mut last: Option<(CauseId, CauseId)> = None;
        let count = state.tracker.cause_count();
        let explained = Text::clone(text).remark(|mark| {
            let cause = match last {
                Some((known, cause)) if known == mark.cause => cause,
                _ => state.tracker.rebase(mark.cause, outer),
            };
            last = Some((mark.cause, cause));
            Mark { cause, ..mark }
        });
        state.charge(state.tracker.cause_count() - count);
        Rc::new(explained)
    }

    /// Where the value itself came from, without what is in it.
    pub(crate) fn source(&self, state: &mut State<'_>) -> Source {
        match &self.data {
            Data::Node(node) => Source::exact(node.origin, state),
            Data::Scalar(scalar) => scalar.source,
            Data::Text(text) => text_source(text, state),
            Data::List(_, source) | Data::Map(_, source) => *source,
        }
    }

    /// What decided that the value is this one, besides where it came from.
    pub(crate) fn reasons(&self, state: &mut State<'_>) -> OriginSet {
        let Data::Text(text) = &self.data else {
            return self.because;
        };
        let mut all = vec![self.because];
        all.extend_from_slice(text.shape());
        let mut last = None;
        for (_, mark) in text.pieces() {
            if last.replace(mark.cause) != Some(mark.cause) {
                state
                    .tracker
                    .collect_causes(mark.cause, state.cause, &mut all);
            }
        }
        state.tracker.union_all(all)
    }

    /// Where the value came from and what decided it, without what is in it.
    pub(crate) fn shallow_origins(&self, state: &mut State<'_>) -> OriginSet {
        let own = self.source(state).origins;
        let reasons = self.reasons(state);
        state.tracker.union(own, reasons)
    }

    /// The origins of the value and all that is in it, counted as work and as read.
    pub(crate) fn deep_origins(&self, state: &mut State<'a>) -> Outcome<OriginSet> {
        if let Data::Node(node) = &self.data {
            state.read_whole(node);
        }
        let mut all = Vec::new();
        self.collect_origins(0, &mut all, state)?;
        Ok(state.tracker.set(all))
    }

    fn collect_origins(
        &self,
        depth: usize,
        all: &mut Vec<OriginId>,
        state: &mut State<'a>,
    ) -> Outcome<()> {
        state.check_depth(depth)?;
        state.step(1)?;
        let own = self.shallow_origins(state);
        all.extend_from_slice(state.tracker.origins(own));
        match &self.data {
            Data::Node(node) => {
                let mut count = 0;
                node.walk(&mut |node| {
                    count += 1;
                    all.push(node.origin);
                });
                state.step(count)
            }
            Data::Scalar(_) | Data::Text(_) => Ok(()),
            Data::List(items, _) => items
                .iter()
                .try_for_each(|item| item.collect_origins(depth + 1, all, state)),
            Data::Map(entries, _) => entries.values().try_for_each(|entry| {
                all.extend_from_slice(state.tracker.origins(entry.key.origins));
                entry.value.collect_origins(depth + 1, all, state)
            }),
        }
    }

    /// The same data; numbers are compared as numbers.
    pub(crate) fn same(&self, other: &Self, state: &mut State<'a>) -> Outcome<bool> {
        self.same_at(0, other, state)
    }

    fn same_at(&self, depth: usize, other: &Self, state: &mut State<'a>) -> Outcome<bool> {
        state.check_depth(depth)?;
        state.step(1)?;
        match (self.view(), other.view()) {
            (View::List(left), View::List(right)) => {
                if left != right {
                    return Ok(false);
                }
                let (Some(left), Some(right)) = (self.items(), other.items()) else {
                    return Ok(false);
                };
                for (left, right) in left.iter().zip(right.iter()) {
                    if !left.same_at(depth + 1, right, state)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (View::Map(left), View::Map(right)) => {
                if left != right {
                    return Ok(false);
                }
                for ((left_key, left), (right_key, right)) in
                    self.fields().iter().zip(other.fields())
                {
                    if *left_key != right_key || !left.same_at(depth + 1, &right, state)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (left, right) => Ok(match compare_numbers(left, right) {
                Some(order) => order == Ordering::Equal,
                None => left == right,
            }),
        }
    }

    /// The value as computed from `origins`, where nothing more exact is known.
    pub(crate) fn from_owned(node: &Node, source: Source) -> Self {
        match &node.value {
            Value::List(items) => {
                let items = items.iter().map(|item| Self::from_owned(item, source));
                Self::list(items.collect(), source)
            }
            Value::Map(map) => {
                let entries = map.iter().map(|(key, item)| {
                    let value = Self::from_owned(item, source);
                    (Arc::clone(key), Entry { key: source, value })
                });
                Self::map(entries.collect(), source)
            }
            scalar => Self::scalar(scalar.clone(), source),
        }
    }
}

/// One source for a text of many pieces.
fn text_source(text: &Text, state: &mut State<'_>) -> Source {
    let mut marks = text.pieces().map(|(_, mark)| mark);
    let Some(first) = marks.next() else {
        return Source::TEMPLATE;
    };
    if marks.all(|mark| (mark.class, mark.origins) == (first.class, first.origins)) {
        return Source {
            class: first.class,
            origins: first.origins,
        };
    }
    let all = text
        .pieces()
        .flat_map(|(_, mark)| state.tracker.origins(mark.origins))
        .copied()
        .collect();
    Source::derived(state.tracker.set(all))
}

/// The order of two numbers; nothing when one is none.
pub(crate) fn compare_numbers(left: View<'_>, right: View<'_>) -> Option<Ordering> {
    match (left, right) {
        (View::Int(left), View::Int(right)) => Some(left.cmp(&right)),
        (View::Float(left), View::Float(right)) => left.partial_cmp(&right),
        (View::Int(left), View::Float(right)) => Some(compare_int_float(left, right)),
        (View::Float(left), View::Int(right)) => Some(compare_int_float(right, left).reverse()),
        _ => None,
    }
}

/// Exact, also where an integer has more digits than a float can hold.
fn compare_int_float(int: i64, float: f64) -> Ordering {
    /// 2^63, the first float above every `i64`.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    if float >= ABOVE {
        return Ordering::Less;
    }
    if float < -ABOVE {
        return Ordering::Greater;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the bounds were checked, and the fraction is compared below"
    )]
    let whole = float.trunc() as i64;
    let fraction = float.fract();
    int.cmp(&whole)
        .then_with(|| 0.0_f64.partial_cmp(&fraction).unwrap_or(Ordering::Equal))
}

/// A list index: digits without a sign.
fn index(key: &str) -> Option<usize> {
    key.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| key.parse().ok())?
}
