//! Operators (<https://github.com/google/cel-spec/blob/master/doc/langdef.md#list-of-standard-definitions>).

use std::{cmp::Ordering, rc::Rc};

use super::{
    CelError,
    eval::Scope,
    number::compare,
    value::{Fields, List, Value},
};

/// `!` and `-`.
pub(super) fn unary<'a>(operator: &str, value: &Value<'a>) -> Result<Value<'a>, CelError> {
    match (operator, value) {
        ("!", value) => Ok(Value::Bool(!value.truth()?)),
        (_, Value::Int(number)) => number
            .checked_neg()
            .map(Value::Int)
            .ok_or(CelError::Overflow),
        (_, Value::Double(number)) => Ok(Value::Double(-number)),
        (_, other) => Err(CelError::Unfit(format!("`-` of {}", other.kind()))),
    }
}

/// All operators with two sides but `&&` and `||`.
pub(super) fn binary<'a>(
    operator: &str,
    left: Value<'a>,
    right: Value<'a>,
    scope: &mut Scope<'a>,
) -> Result<Value<'a>, CelError> {
    scope.pay(left.cost().saturating_add(right.cost()))?;
    match operator {
        "==" => equal(&left, &right, scope).map(Value::Bool),
        "!=" => equal(&left, &right, scope).map(|it| Value::Bool(!it)),
        "in" => is_in(&left, &right, scope).map(Value::Bool),
        "<" => order(&left, &right, "<").map(|it| Value::Bool(it == Some(Ordering::Less))),
        ">" => order(&left, &right, ">").map(|it| Value::Bool(it == Some(Ordering::Greater))),
        "<=" => order(&left, &right, "<=").map(|it| Value::Bool(it.is_some_and(Ordering::is_le))),
        ">=" => order(&left, &right, ">=").map(|it| Value::Bool(it.is_some_and(Ordering::is_ge))),
        "+" => add(left, right, scope),
        operator => arithmetic(operator, &left, &right),
    }
}

/// Numbers are equal by what they are worth; values of other kinds never are across kinds.
pub(super) fn equal(
    left: &Value<'_>,
    right: &Value<'_>,
    scope: &mut Scope<'_>,
) -> Result<bool, CelError> {
    scope.pay(left.cost().min(right.cost()))?;
    Ok(match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for index in 0..left.len() {
                if let (Some(left), Some(right)) = (left.get(index), right.get(index))
                    && !equal(&left, &right, scope)?
                {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(left), Value::Map(right)) => equal_maps(left, right, scope)?,
        (left, right) => compare(left, right) == Some(Ordering::Equal),
    })
}

fn equal_maps(
    left: &Fields<'_>,
    right: &Fields<'_>,
    scope: &mut Scope<'_>,
) -> Result<bool, CelError> {
    if left.len() != right.len() {
        return Ok(false);
    }
    scope.pay(left.len() as u64)?;
    let keys = left.keys();
    for index in 0..keys.len() {
        let Some(key) = keys.get(index) else { continue };
        match (lookup(left, &key, scope)?, lookup(right, &key, scope)?) {
            (Some(left), Some(right)) if equal(&left, &right, scope)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The value of a key.
pub(super) fn lookup<'v>(
    fields: &Fields<'v>,
    key: &Value<'_>,
    scope: &mut Scope<'_>,
) -> Result<Option<Value<'v>>, CelError> {
    match (fields, key) {
        (Fields::Given(fields), Value::Text(key)) => Ok(fields.get(key.as_ref()).map(Value::of)),
        (Fields::Given(_), _) => Ok(None),
        (Fields::Made(entries), key) => {
            for (known, value) in entries.iter() {
                if equal(known, key, scope)? {
                    return Ok(Some(value.clone()));
                }
            }
            Ok(None)
        }
    }
}

fn is_in(value: &Value<'_>, of: &Value<'_>, scope: &mut Scope<'_>) -> Result<bool, CelError> {
    match of {
        Value::List(items) => {
            for index in 0..items.len() {
                if let Some(item) = items.get(index)
                    && equal(&item, value, scope)?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Map(fields) => Ok(lookup(fields, value, scope)?.is_some()),
        other => Err(CelError::Unfit(format!("nothing is in {}", other.kind()))),
    }
}

fn order(
    left: &Value<'_>,
    right: &Value<'_>,
    operator: &str,
) -> Result<Option<Ordering>, CelError> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Ok(Some(left.cmp(right))),
        (Value::Bool(left), Value::Bool(right)) => Ok(Some(left.cmp(right))),
        (
            Value::Int(_) | Value::Uint(_) | Value::Double(_),
            Value::Int(_) | Value::Uint(_) | Value::Double(_),
        ) => Ok(compare(left, right)),
        _ => Err(unfit(operator, left, right)),
    }
}

fn add<'a>(
    left: Value<'a>,
    right: Value<'a>,
    scope: &mut Scope<'a>,
) -> Result<Value<'a>, CelError> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            let mut text = left.into_owned();
            text.push_str(&right);
            Ok(Value::Text(text.into()))
        }
        (Value::List(left), Value::List(right)) => {
            let sum = left.len().saturating_add(right.len());
            scope.pay(sum as u64)?;
            let all = [&left, &right].into_iter();
            let items = all.flat_map(|list| (0..list.len()).filter_map(|at| list.get(at)));
            Ok(Value::List(List::Made(Rc::new(items.collect()))))
        }
        (left, right) => arithmetic("+", &left, &right),
    }
}

fn arithmetic<'a>(
    operator: &str,
    left: &Value<'a>,
    right: &Value<'a>,
) -> Result<Value<'a>, CelError> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => match operator {
            "+" => left.checked_add(*right),
            "-" => left.checked_sub(*right),
            "*" => left.checked_mul(*right),
            "/" => left.checked_div(*right),
            _ => left.checked_rem(*right),
        }
        .map(Value::Int)
        .ok_or(CelError::Overflow),
        (Value::Uint(left), Value::Uint(right)) => match operator {
            "+" => left.checked_add(*right),
            "-" => left.checked_sub(*right),
            "*" => left.checked_mul(*right),
            "/" => left.checked_div(*right),
            _ => left.checked_rem(*right),
        }
        .map(Value::Uint)
        .ok_or(CelError::Overflow),
        (Value::Double(left), Value::Double(right)) => match operator {
            "+" => Ok(Value::Double(left + right)),
            "-" => Ok(Value::Double(left - right)),
            "*" => Ok(Value::Double(left * right)),
            "/" => Ok(Value::Double(left / right)),
            _ => Err(CelError::Unfit("`%` of floating-point numbers".to_owned())),
        },
        _ => Err(unfit(operator, left, right)),
    }
}

fn unfit(operator: &str, left: &Value<'_>, right: &Value<'_>) -> CelError {
    CelError::Unfit(format!(
        "`{operator}` of {} and {}",
        left.kind(),
        right.kind()
    ))
}
