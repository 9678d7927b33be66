//! Sprig's conversions between texts and numbers.

use super::{Function, functions, parts::as_string};
use crate::{
    call::Call,
    go::{
        cast::{parse_int, to_float64, to_int64},
        format::print,
    },
    spans::Class,
    state::Outcome,
    value::{Data, IntKind, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "atoi" (String) => atoi;
    "float64" (Any) => float64;
    "int" (Any) => int;
    "int64" (Any) => int64;
    "toDecimal" (Any) => to_decimal;
    "toString" (Any) => to_string;
];

/// What cannot be read is zero, what is too large is the largest.
fn atoi(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    let number = parse_int(value.as_bytes().unwrap_or_default(), 10);
    let number = number.unwrap_or_else(|instead| instead);
    Ok(converted(call, &value, Data::Int(number, IntKind::Int)))
}

fn int(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    let number = Data::Int(to_int64(&value), IntKind::Int);
    Ok(converted(call, &value, number))
}

fn int64(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    let number = Data::Int(to_int64(&value), IntKind::Int64);
    Ok(converted(call, &value, number))
}

fn float64(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    let number = Data::Float(to_float64(&value));
    Ok(converted(call, &value, number))
}

/// The number that the digits of what is printed mean in base eight.
fn to_decimal(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.whole(0)?;
    let printed = print(&value);
    call.state().check_length(printed.len())?;
    let number = parse_int(&printed, 8).unwrap_or(0);
    Ok(call.computed(Value::from(Data::Int(number, IntKind::Int64))))
}

fn to_string(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    if value.as_bytes().is_some() {
        return Ok(value);
    }
    let text = as_string(call, 0, &value)?;
    Ok(Data::Text(text).into())
}

/// A number that is still the value itself where it prints the same.
fn converted(call: &mut Call<'_, '_>, value: &Value, number: Data) -> Value {
    call.read(value);
    let number = Value::from(number);
    let source = value.source(call.state());
    let is_scalar = !matches!(value.data, Data::List(_) | Data::Map(_) | Data::Object(_));
    if is_scalar && source.class == Class::Exact && print(value) == print(&number) {
        let because = value.reasons(call.state());
        return Value {
            source,
            because,
            ..number
        };
    }
    call.computed(number)
}
