//! Macros that go over lists and the keys of maps
//! (<https://github.com/google/cel-spec/blob/master/doc/langdef.md#macros>).

use std::rc::Rc;

use super::{
    CelError,
    eval::{Scope, eval},
    parser::Over,
    value::{List, Value},
};

/// A macro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Macro {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "exists" => Self::Exists,
            "exists_one" | "existsOne" => Self::ExistsOne,
            "filter" => Self::Filter,
            "map" => Self::Map,
            _ => return None,
        })
    }
}

/// Goes over a list or the keys of a map.
pub(super) fn run<'a>(
    kind: Macro,
    over: &'a Over,
    scope: &mut Scope<'a>,
) -> Result<Value<'a>, CelError> {
    let items = match eval(&over.range, scope)? {
        Value::List(items) => items,
        Value::Map(fields) => {
            scope.pay(fields.len() as u64)?;
            fields.keys()
        }
        other => {
            return Err(CelError::Unfit(format!(
                "a macro goes over lists and maps, not over {}",
                other.kind()
            )));
        }
    };
    match kind {
        Macro::All => any(&items, over, scope, false).map(|found| Value::Bool(!found)),
        Macro::Exists => any(&items, over, scope, true).map(Value::Bool),
        Macro::ExistsOne => {
            let mut count = 0;
            for item in each(&items) {
                count += u64::from(body(over, item, scope)?.truth()?);
            }
            Ok(Value::Bool(count == 1))
        }
        Macro::Filter => {
            let mut kept = Vec::new();
            for item in each(&items) {
                if body(over, item.clone(), scope)?.truth()? {
                    kept.push(item);
                }
            }
            Ok(Value::List(List::Made(Rc::new(kept))))
        }
        Macro::Map => {
            let mut made = Vec::new();
            for item in each(&items) {
                let value = body(over, item.clone(), scope)?;
                match &over.becomes {
                    None => made.push(value),
                    Some(becomes) if value.truth()? => {
                        made.push(scope.with(&over.name, item, |scope| eval(becomes, scope))?);
                    }
                    Some(_) => {}
                }
            }
            Ok(Value::List(List::Made(Rc::new(made))))
        }
    }
}

/// Whether the body gives this for any of them. An error counts only if none does.
fn any<'a>(
    items: &List<'a>,
    over: &'a Over,
    scope: &mut Scope<'a>,
    wanted: bool,
) -> Result<bool, CelError> {
    let mut error = None;
    for item in each(items) {
        match body(over, item, scope).and_then(|value| value.truth()) {
            Ok(truth) if truth == wanted => return Ok(true),
            Ok(_) => {}
            Err(CelError::TooCostly) => return Err(CelError::TooCostly),
            Err(found) => error = Some(found),
        }
    }
    error.map_or(Ok(false), Err)
}

fn each<'a>(items: &List<'a>) -> impl Iterator<Item = Value<'a>> {
    (0..items.len()).filter_map(|index| items.get(index))
}

fn body<'a>(over: &'a Over, item: Value<'a>, scope: &mut Scope<'a>) -> Result<Value<'a>, CelError> {
    scope.with(&over.name, item, |scope| eval(&over.body, scope))
}
