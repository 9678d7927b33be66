//! What Helm adds to Go's functions for templates themselves: `include`, `tpl`, `required`,
//! `fail` and `lookup`; and `getHostByName`, which it replaces.

use cairn_spec::Diagnostic;

use super::{Function, functions};
use crate::{
    call::Call,
    host::LookupQuery,
    spans::Class,
    state::{Failure, Outcome},
    value::{Data, Source, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "include" (String, Any) => include;
    "tpl" (String, Any) => tpl;
    "required" (String, Any) => required;
    "fail" (String) => fail;
    "getHostByName" (String) => get_host_by_name;
    "lookup" (String, String, String, String) => lookup;
];

fn include(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let name = call.read_text(0)?;
    let context = call.value(1)?;
    let text = call.caller.include(name.as_str(), Some(context))?;
    let included = call.finished(text)?;
    Ok(call.chosen(included))
}

fn tpl(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.value(0)?;
    let context = call.value(1)?;
    let rendered = call.caller.render_text(&text, context)?;
    call.finished(rendered)
}

fn required(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(1)?;
    let is_missing = match &value.data {
        Data::Nil | Data::Missing => true,
        _ => value.as_bytes().is_some_and(<[u8]>::is_empty),
    };
    if !is_missing {
        return Ok(value);
    }
    call.read(&value);
    let message = call.text(0)?;
    let (span, written) = (call.argument_span(1), value.written_at(call.state()));
    let diagnostic = Diagnostic::error(
        "template-required",
        String::from_utf8_lossy(message.as_bytes()),
    )
    .label(span, "this value is required")
    .label(written, "it is empty here");
    Err(message_of(diagnostic))
}

fn fail(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let message = call.text(0)?;
    let message = String::from_utf8_lossy(message.as_bytes());
    let diagnostic = Diagnostic::error("template-fail", message)
        .label(call.span, "the template refuses this here");
    Err(message_of(diagnostic))
}

/// A failure whose reason is what the template says.
fn message_of(diagnostic: Diagnostic) -> Failure {
    let mut failure = Failure::from(diagnostic);
    failure.trace.get_or_insert_default().is_message = true;
    failure
}

/// No name is looked up, as in Helm without `--enable-dns`.
fn get_host_by_name(call: &mut Call<'_, '_>) -> Outcome<Value> {
    call.read_text(0)?;
    Ok(call.computed(""))
}

/// Objects of the cluster: only those that whoever renders has given.
fn lookup(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut texts = Vec::new();
    for index in 0..4 {
        let text = call.read_text(index)?;
        texts.push(String::from_utf8_lossy(text.as_bytes()).into_owned());
    }
    let query = LookupQuery {
        api_version: &texts[0],
        kind: &texts[1],
        namespace: &texts[2],
        name: &texts[3],
    };
    let found = call.state().host.lookup(&query);
    let source = Source {
        class: Class::Opaque,
        origins: call.used,
    };
    let value = match &found {
        Some(node) => Value::from_tree(&node.value, source),
        None => Value::map::<&str>([]),
    };
    Ok(call.chosen(value))
}
