//! Values at paths that may be absent.

use crate::{
    call::Call,
    state::Outcome,
    value::{Value, View},
};

/// The keys of a path such as `a.b.[odd.key].0`.
fn split_path(path: &str) -> Result<Vec<&str>, &'static str> {
    let mut keys = Vec::new();
    let mut rest = path;
    loop {
        let key = if let Some(bracketed) = rest.strip_prefix('[') {
            let end = bracketed.find(']').ok_or("has a `[` without `]`")?;
            rest = &bracketed[end + 1..];
            &bracketed[..end]
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let key = &rest[..end];
            rest = &rest[end..];
            if key.is_empty() {
                return Err("has an empty key");
            }
            key
        };
        keys.push(key);
        match rest.strip_prefix('.') {
            Some(more) => rest = more,
            None if rest.is_empty() => return Ok(keys),
            None => return Err("has text after `]`"),
        }
    }
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Outcome<Value> {
    if let Some(found) = lookup(call)? {
        // Where a default stands ready, a null is as good as absent.
        if call.count() < 3 || found.view() != View::Null {
            return Ok(found);
        }
        call.read(&found);
    }
    let default = if call.count() == 3 {
        call.value(2)?
    } else {
        Value::nil()
    };
    Ok(call.chosen(default))
}

pub(super) fn has(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let found = lookup(call)?;
    if let Some(found) = &found {
        call.read(found);
    }
    Ok(call.computed(found.is_some()))
}

/// The value at the path; what is missing on the way is no error.
fn lookup(call: &mut Call<'_, '_>) -> Outcome<Option<Value>> {
    let mut value = call.value(0)?;
    if !matches!(value.view(), View::Map(_) | View::List(_) | View::Null) {
        return Err(call.wrong_type(0, "a map", &value));
    }
    let path = call.read_text(1)?;
    let keys = match split_path(path.as_str()) {
        Ok(keys) => keys,
        Err(problem) => {
            return Err(call.error(1, format!("{problem}, found `{}`", path.as_str())));
        }
    };
    let path_origins = call.used;
    for key in keys {
        call.state().step(1)?;
        let because = value.because;
        let Some(child) = value.child(key) else {
            // The nearest thing there is explains why nothing is found.
            call.read(&value);
            return Ok(None);
        };
        value = child;
        let state = call.state();
        value.because = state.tracker.union(value.because, because);
    }
    let state = call.state();
    value.because = state.tracker.union(value.because, path_origins);
    Ok(Some(value))
}
