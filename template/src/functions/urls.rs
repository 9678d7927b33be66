//! Sprig's `urlParse` and `urlJoin`.

use super::{Function, functions};
use crate::{
    call::Call,
    go::url::{Url, User},
    state::Outcome,
    value::{Data, Entries, Entry, Source, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "urlJoin" (Map) => url_join;
    "urlParse" (String) => url_parse;
];

fn url_parse(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.read_text(0)?;
    call.state().check_length(text.len())?;
    let url = Url::parse(text.as_bytes())
        .map_err(|error| call.failure(format!("unable to parse url: {error}")))?;
    let source = Source::derived(call.used);
    let user = url.user.as_ref().map(User::write).unwrap_or_default();
    let parts = [
        ("fragment", url.fragment.as_slice()),
        ("host", &url.host),
        ("hostname", url.hostname()),
        ("opaque", &url.opaque),
        ("path", &url.path),
        ("query", &url.query),
        ("scheme", &url.scheme),
        ("userinfo", &user),
    ];
    let entries = parts.map(|(name, part)| {
        let value = Value::scalar(part, source);
        (name.into(), Entry { key: source, value })
    });
    Ok(Value::map_of(Entries::from_iter(entries), source))
}

fn url_join(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let map = call.value(0)?;
    call.read(&map);
    let mut url = Url {
        scheme: part(call, &map, "scheme")?,
        host: part(call, &map, "host")?,
        path: part(call, &map, "path")?,
        query: part(call, &map, "query")?,
        opaque: part(call, &map, "opaque")?,
        fragment: part(call, &map, "fragment")?,
        user: None,
    };
    let user = part(call, &map, "userinfo")?;
    if !user.is_empty() {
        let text = [b"proto://", user.as_slice(), b"@host"].concat();
        let parsed = Url::parse(&text)
            .map_err(|error| call.failure(format!("unable to parse userinfo in dict: {error}")))?;
        url.user = parsed.user;
    }
    call.computed_bytes(url.write())
}

/// The text under a key; empty where there is none.
fn part(call: &mut Call<'_, '_>, map: &Value, key: &str) -> Outcome<Vec<u8>> {
    let Some(value) = map.get(key) else {
        return Ok(Vec::new());
    };
    call.read(&value);
    if let Some(bytes) = value.as_bytes() {
        return Ok(bytes.to_vec());
    }
    Err(match &value.data {
        Data::Nil | Data::Missing => {
            call.failure("runtime error: invalid memory address or nil pointer dereference")
        }
        _ => call.failure(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            value.kind_name()
        )),
    })
}
