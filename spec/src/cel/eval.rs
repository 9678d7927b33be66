//! Evaluates an expression, and counts what it costs.

use std::{borrow::Cow, rc::Rc};

use serde_json::Value as Json;

use super::{
    CelError, MAX_COST, macros, number,
    operators::{binary, equal, lookup, unary},
    parser::{Function, Node},
    value::{Fields, List, Value},
};

/// What is known while an expression is evaluated.
pub(super) struct Scope<'a> {
    object: &'a Json,
    /// The variables of macros, the innermost last.
    names: Vec<(&'a str, Value<'a>)>,
    left: u64,
}

/// Asks an expression about an object.
pub(super) fn holds(node: &Node, object: &Json) -> Result<bool, CelError> {
    let mut scope = Scope {
        object,
        names: Vec::new(),
        left: MAX_COST,
    };
    eval(node, &mut scope)?.truth()
}

impl<'a> Scope<'a> {
    /// Takes from what is left to spend.
    pub(super) fn pay(&mut self, cost: u64) -> Result<(), CelError> {
        self.left = self.left.checked_sub(cost).ok_or(CelError::TooCostly)?;
        Ok(())
    }

    /// Evaluates something with one more variable.
    pub(super) fn with(
        &mut self,
        name: &'a str,
        value: Value<'a>,
        evaluate: impl FnOnce(&mut Self) -> Result<Value<'a>, CelError>,
    ) -> Result<Value<'a>, CelError> {
        self.pay(value.cost())?;
        self.names.push((name, value));
        let result = evaluate(self);
        self.names.pop();
        result
    }

    fn lookup(&self, name: &str) -> Result<Value<'a>, CelError> {
        let inner = self.names.iter().rev().find(|(of, _)| *of == name);
        match (inner, self.object.get(name)) {
            (Some((_, value)), _) => Ok(value.clone()),
            (None, Some(field)) => Ok(Value::of(field)),
            (None, None) => Err(CelError::Missing(name.to_owned())),
        }
    }
}

/// Evaluates a part of an expression.
pub(super) fn eval<'a>(node: &'a Node, scope: &mut Scope<'a>) -> Result<Value<'a>, CelError> {
    let value = value(node, scope)?;
    scope.pay(value.cost())?;
    Ok(value)
}

fn value<'a>(node: &'a Node, scope: &mut Scope<'a>) -> Result<Value<'a>, CelError> {
    Ok(match node {
        Node::Null => Value::Null,
        Node::Bool(it) => Value::Bool(*it),
        Node::Int(number) => Value::Int(*number),
        Node::Uint(number) => Value::Uint(*number),
        Node::Double(number) => Value::Double(*number),
        Node::Text(text) => Value::Text(Cow::Borrowed(text)),
        Node::List(items) => {
            let mut made = Vec::with_capacity(items.len());
            for item in items {
                made.push(eval(item, scope)?);
            }
            Value::List(List::Made(Rc::new(made)))
        }
        Node::Map(entries) => map(entries, scope)?,
        Node::Ident(name) => scope.lookup(name)?,
        Node::Select(of, field) => {
            let of = eval(of, scope)?;
            select(&of, field, scope)?.ok_or_else(|| CelError::Missing(field.clone()))?
        }
        Node::Has(of, field) => {
            let of = eval(of, scope)?;
            Value::Bool(select(&of, field, scope)?.is_some())
        }
        Node::Index(of, at) => {
            let of = eval(of, scope)?;
            index(&of, &eval(at, scope)?, scope)?
        }
        Node::Unary(operator, value) => unary(operator, &eval(value, scope)?)?,
        Node::Binary("&&", left, right) => both(left, right, false, scope)?,
        Node::Binary("||", left, right) => both(left, right, true, scope)?,
        Node::Binary(operator, left, right) => {
            let left = eval(left, scope)?;
            let right = eval(right, scope)?;
            binary(operator, left, right, scope)?
        }
        Node::Choice(parts) => {
            let [condition, then, otherwise] = parts.as_ref();
            if eval(condition, scope)?.truth()? {
                eval(then, scope)?
            } else {
                eval(otherwise, scope)?
            }
        }
        Node::Call(function, arguments) => call(*function, arguments, scope)?,
        Node::Macro(kind, over) => macros::run(*kind, over, scope)?,
    })
}

/// `&&` and `||`: one side decides alone, whatever the other one is.
fn both<'a>(
    left: &'a Node,
    right: &'a Node,
    decides: bool,
    scope: &mut Scope<'a>,
) -> Result<Value<'a>, CelError> {
    let left = eval(left, scope).and_then(|value| value.truth());
    if left == Err(CelError::TooCostly) || left == Ok(decides) {
        return left.map(Value::Bool);
    }
    let right = eval(right, scope)?.truth()?;
    if right == decides {
        return Ok(Value::Bool(decides));
    }
    left.map(Value::Bool)
}

fn map<'a>(entries: &'a [(Node, Node)], scope: &mut Scope<'a>) -> Result<Value<'a>, CelError> {
    let mut made: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let key = eval(key, scope)?;
        if !matches!(
            key,
            Value::Text(_) | Value::Int(_) | Value::Uint(_) | Value::Bool(_)
        ) {
            return Err(CelError::Unfit(format!("{} is no key", key.kind())));
        }
        for (known, _) in &made {
            if equal(known, &key, scope)? {
                return Err(CelError::Unfit("a map has a key twice".to_owned()));
            }
        }
        let value = eval(value, scope)?;
        made.push((key, value));
    }
    Ok(Value::Map(Fields::Made(Rc::new(made))))
}

/// A field of a map; none if it has none of that name.
fn select<'a>(
    of: &Value<'a>,
    field: &str,
    scope: &mut Scope<'a>,
) -> Result<Option<Value<'a>>, CelError> {
    match of {
        Value::Map(fields) => lookup(fields, &Value::Text(Cow::Owned(field.to_owned())), scope),
        other => Err(CelError::Unfit(format!(
            "{} has no field `{field}`",
            other.kind()
        ))),
    }
}

fn index<'a>(of: &Value<'a>, at: &Value<'a>, scope: &mut Scope<'a>) -> Result<Value<'a>, CelError> {
    let found = match of {
        Value::Map(fields) => lookup(fields, at, scope)?,
        Value::List(items) => {
            let place = match at {
                Value::Double(place) if place.fract() != 0.0 => None,
                at => Some(number::to_int(at)?),
            };
            place
                .and_then(|place| usize::try_from(place).ok())
                .and_then(|place| items.get(place))
        }
        other => {
            return Err(CelError::Unfit(format!("{} has no items", other.kind())));
        }
    };
    found.ok_or_else(|| {
        CelError::Missing(match at {
            Value::Text(key) => format!("[{key}]"),
            Value::Int(place) => format!("[{place}]"),
            other => format!("[{}]", other.kind()),
        })
    })
}

fn call<'a>(
    function: Function,
    arguments: &'a [Node],
    scope: &mut Scope<'a>,
) -> Result<Value<'a>, CelError> {
    let mut values = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let argument = eval(argument, scope)?;
        scope.pay(argument.cost())?;
        values.push(argument);
    }
    let mut values = values.into_iter();
    let first = values.next().unwrap_or(Value::Null);
    let second = values.next().unwrap_or(Value::Null);
    Ok(match function {
        Function::Dyn => first,
        Function::ToInt => Value::Int(number::to_int(&first)?),
        Function::ToUint => Value::Uint(number::to_uint(&first)?),
        Function::ToDouble => Value::Double(number::to_double(&first)?),
        Function::ToText => Value::Text(text(first)?),
        Function::ToBool => Value::Bool(truth(&first)?),
        Function::Size => {
            let size = match &first {
                Value::Text(text) => text.chars().count(),
                Value::List(items) => items.len(),
                Value::Map(fields) => fields.len(),
                other => return Err(CelError::Unfit(format!("{} has no size", other.kind()))),
            };
            Value::Int(i64::try_from(size).map_err(|_| CelError::Overflow)?)
        }
        Function::Contains | Function::StartsWith | Function::EndsWith => {
            let (Value::Text(text), Value::Text(part)) = (&first, &second) else {
                return Err(CelError::Unfit("expected two texts".to_owned()));
            };
            Value::Bool(match function {
                Function::StartsWith => text.starts_with(part.as_ref()),
                Function::EndsWith => text.ends_with(part.as_ref()),
                _ => text.contains(part.as_ref()),
            })
        }
    })
}

fn truth(value: &Value<'_>) -> Result<bool, CelError> {
    match value {
        Value::Text(text) => match text.as_ref() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            _ => Err(CelError::Unfit("the text is not a boolean".to_owned())),
        },
        value => value.truth(),
    }
}

fn text(value: Value<'_>) -> Result<Cow<'_, str>, CelError> {
    Ok(match value {
        Value::Text(text) => text,
        Value::Bool(it) => it.to_string().into(),
        Value::Int(number) => number.to_string().into(),
        Value::Uint(number) => number.to_string().into(),
        Value::Double(number) => number.to_string().into(),
        other => {
            return Err(CelError::Unfit(format!(
                "{} cannot be written as a text",
                other.kind()
            )));
        }
    })
}
