//! Equality as Go's `reflect.DeepEqual` has it: of the same type and of equal content, so that
//! 1 of an `int` is not 1 of a `float64`.

use std::rc::Rc;

use super::{Data, List, Map, Value};
use crate::{
    limits::BYTES_PER_STEP,
    state::{Outcome, State},
};

impl Value {
    /// Whether two values are deeply equal; each that is compared is a step.
    pub(crate) fn deep_equals(&self, other: &Self, state: &mut State<'_>) -> Outcome<bool> {
        self.deep_equals_at(0, other, state)
    }

    fn deep_equals_at(&self, depth: usize, other: &Self, state: &mut State<'_>) -> Outcome<bool> {
        state.check_depth(depth)?;
        state.step(1)?;
        Ok(match (&self.data, &other.data) {
            (Data::Missing | Data::Nil, Data::Missing | Data::Nil) => true,
            (Data::Bool(left), Data::Bool(right)) => left == right,
            (Data::Int(left, of), Data::Int(right, of_right)) => of == of_right && left == right,
            #[expect(clippy::float_cmp, reason = "as Go does")]
            (Data::Float(left), Data::Float(right)) => left == right,
            (Data::Bytes(left), Data::Bytes(right)) => {
                state.step(left.len() / BYTES_PER_STEP)?;
                left == right
            }
            (Data::Str(_) | Data::Text(_), Data::Str(_) | Data::Text(_)) => {
                let (left, right) = (self.as_bytes(), other.as_bytes());
                state.step(left.map_or(0, <[u8]>::len) / BYTES_PER_STEP)?;
                left == right
            }
            (Data::List(left), Data::List(right)) => {
                return lists_equal(depth, left, right, state);
            }
            (Data::Map(left), Data::Map(right)) => return maps_equal(depth, left, right, state),
            (Data::Object(left), Data::Object(right)) => {
                Rc::ptr_eq(left, right)
                    || (left.type_name() == right.type_name() && left.is_equal(&**right))
            }
            _ => false,
        })
    }
}

fn lists_equal(
    depth: usize,
    left: &Rc<List>,
    right: &Rc<List>,
    state: &mut State<'_>,
) -> Outcome<bool> {
    let (items, others) = (left.items(), right.items());
    if left.of != right.of || left.is_nil() != right.is_nil() || items.len() != others.len() {
        return Ok(false);
    }
    if Rc::ptr_eq(left, right) {
        return Ok(true);
    }
    for (item, other) in items.iter().zip(others) {
        if !item.deep_equals_at(depth + 1, other, state)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps_equal(
    depth: usize,
    left: &Rc<Map>,
    right: &Rc<Map>,
    state: &mut State<'_>,
) -> Outcome<bool> {
    if left.of != right.of || left.len() != right.len() {
        return Ok(false);
    }
    if left.is_same(right) {
        return Ok(true);
    }
    let (entries, others) = (left.entries(), right.entries());
    for ((key, entry), (other_key, other)) in entries.iter().zip(others.iter()) {
        if key != other_key || !entry.value.deep_equals_at(depth + 1, &other.value, state)? {
            return Ok(false);
        }
    }
    Ok(true)
}
