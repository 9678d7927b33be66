//! Sprig's functions on paths: Go's `path`, and `path/filepath` as it is on Linux, where both do
//! the same.

use super::{
    Function, functions,
    parts::{cut, remade},
};
use crate::{call::Call, go::path, state::Outcome, value::Value};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "base" (String) => base;
    "clean" (String) => clean;
    "dir" (String) => dir;
    "ext" (String) => ext;
    "isAbs" (String) => is_abs;
    "osBase" (String) => base;
    "osClean" (String) => clean;
    "osDir" (String) => dir;
    "osExt" (String) => ext;
    "osIsAbs" (String) => is_abs;
];

fn base(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    match path::base(value.as_bytes().unwrap_or_default()) {
        Ok(range) => cut(call, 0, |_| range),
        Err(constant) => {
            call.read(&value);
            Ok(call.computed(constant))
        }
    }
}

fn clean(call: &mut Call<'_, '_>) -> Outcome<Value> {
    remade(call, 0, path::clean)
}

fn dir(call: &mut Call<'_, '_>) -> Outcome<Value> {
    remade(call, 0, path::dir)
}

fn ext(call: &mut Call<'_, '_>) -> Outcome<Value> {
    cut(call, 0, |bytes| path::ext_start(bytes)..bytes.len())
}

fn is_abs(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.read_text(0)?;
    Ok(call.computed(text.as_bytes().starts_with(b"/")))
}
