//! Equality of data as Handlebars understands it, and the order of numbers.

use std::cmp::Ordering;

use super::{Value, View};
use crate::state::{Outcome, State};

impl Value {
    /// The same data; numbers are compared as numbers.
    pub(crate) fn same(&self, other: &Self, state: &mut State<'_>) -> Outcome<bool> {
        self.same_at(0, other, state)
    }

    fn same_at(&self, depth: usize, other: &Self, state: &mut State<'_>) -> Outcome<bool> {
        state.check_depth(depth)?;
        state.step(1)?;
        match (self.view(), other.view()) {
            (View::List(left), View::List(right)) => {
                if left != right {
                    return Ok(false);
                }
                let (left, right) = (self.items(), other.items());
                let pairs = left.into_iter().flatten().zip(right.into_iter().flatten());
                for (left, right) in pairs {
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
                let (Some(left), Some(right)) = (self.entries(), other.entries()) else {
                    return Ok(false);
                };
                for ((left_key, left), (right_key, right)) in left.iter().zip(right.iter()) {
                    if left_key != right_key
                        || !left.value.same_at(depth + 1, &right.value, state)?
                    {
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
