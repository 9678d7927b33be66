//! Hosts, addresses and URLs.

use std::net::Ipv6Addr;

use super::{
    super::address::{percent_decoded, quoted},
    all, wrong,
};

pub(super) fn ipv4(text: &str) -> Result<(), String> {
    let groups: Vec<_> = text.split('.').collect();
    if groups.len() != 4 {
        return wrong("expected four decimals");
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return wrong("leading zeros");
        }
        let number: i64 = group
            .parse()
            .map_err(|_| format!("strconv.Atoi: parsing {}: invalid syntax", quoted(group)))?;
        if !(0..=255).contains(&number) {
            return wrong("decimal must be between 0 and 255");
        }
    }
    Ok(())
}

pub(super) fn ipv6(text: &str) -> Result<(), String> {
    if !text.contains(':') {
        return wrong("missing colon");
    }
    let (address, zone) = text.split_once('%').unwrap_or((text, ""));
    if address.parse::<Ipv6Addr>().is_err() {
        return wrong(format!("ParseAddr({}): unable to parse IP", quoted(text)));
    }
    if !zone.is_empty() {
        return wrong("zone id is not a part of ipv6 address");
    }
    Ok(())
}

pub(super) fn hostname(text: &str) -> Result<(), String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return wrong("more than 253 characters long");
    }
    for label in text.split('.') {
        if !(1..=63).contains(&label.len()) {
            return wrong("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return wrong("label starts with hyphen");
        }
        if label.ends_with('-') {
            return wrong("label ends with hyphen");
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        all(label, allowed, "invalid character")?;
    }
    Ok(())
}

pub(super) fn email(text: &str) -> Result<(), String> {
    if text.len() > 254 {
        return wrong("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return wrong("missing @");
    };
    if local.len() > 64 {
        return wrong("local part more than 64 characters long");
    }
    if local.len() > 1 && local.starts_with('"') {
        // Whatever the last character is, the library takes it for the quote at the end.
        let mut inner = local.chars();
        inner.next();
        inner.next_back();
        if inner.as_str().contains(['\\', '"']) {
            return wrong("backslash and quote are not allowed within quoted local part");
        }
    } else {
        unquoted_local(local)?;
    }
    let bracketed = domain
        .strip_prefix('[')
        .and_then(|domain| domain.strip_suffix(']'));
    match bracketed {
        Some(address) => match address.strip_prefix("IPv6:") {
            Some(address) => {
                ipv6(address).map_err(|reason| format!("invalid ipv6 address: {reason}"))
            }
            None => ipv4(address).map_err(|reason| format!("invalid ipv4 address: {reason}")),
        },
        None => hostname(domain).map_err(|reason| format!("invalid domain: {reason}")),
    }
}

fn unquoted_local(local: &str) -> Result<(), String> {
    if local.starts_with('.') {
        return wrong("starts with dot");
    }
    if local.ends_with('.') {
        return wrong("ends with dot");
    }
    if local.contains("..") {
        return wrong("consecutive dots");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
    all(local, allowed, "invalid character")
}

pub(super) fn uri(text: &str) -> Result<(), String> {
    if !parse_url(text)?.is_absolute {
        return wrong("relative url");
    }
    Ok(())
}

pub(super) fn uri_reference(text: &str) -> Result<(), String> {
    if text.contains('\\') {
        return wrong("contains \\");
    }
    parse_url(text).map(drop)
}

pub(super) fn uri_template(text: &str) -> Result<(), String> {
    let url = parse_url(text)?;
    for part in url.path.split('/') {
        let part =
            percent_decoded(part).map_err(|reason| format!("percent decode failed: {reason}"))?;
        let mut is_open = false;
        for brace in part.chars().filter(|c| matches!(c, '{' | '}')) {
            if (brace == '{') == is_open {
                return wrong("nested curly braces");
            }
            is_open = !is_open;
        }
        if is_open {
            return wrong("no matching closing brace");
        }
    }
    Ok(())
}

struct Url<'t> {
    is_absolute: bool,
    path: &'t str,
}

/// What Go's `url.Parse` takes.
fn parse_url(text: &str) -> Result<Url<'_>, String> {
    let fails = |reason: &str| format!("parse {}: {reason}", quoted(text));
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err(fails("net/url: invalid control character in URL"));
    }
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    percent_decoded(fragment).map_err(|reason| fails(&reason))?;
    let (scheme, rest) = scheme(rest).ok_or_else(|| fails("missing protocol scheme"))?;
    let (rest, _) = rest.split_once('?').unwrap_or((rest, ""));
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            return Ok(Url {
                is_absolute: true,
                path: "",
            });
        }
        let first = rest.split('/').next().unwrap_or_default();
        if first.contains(':') {
            return Err(fails("first path segment in URL cannot contain colon"));
        }
    }
    let mut path = rest;
    if let Some(after) = rest.strip_prefix("//")
        && (!scheme.is_empty() || !rest.starts_with("///"))
    {
        let end = after.find('/').unwrap_or(after.len());
        let (authority, after) = after.split_at(end);
        check_authority(authority).map_err(|reason| fails(&reason))?;
        path = after;
    }
    percent_decoded(path).map_err(|reason| fails(&reason))?;
    Ok(Url {
        is_absolute: !scheme.is_empty(),
        path,
    })
}

/// The scheme and what follows it; nothing if there is a `:` without one.
fn scheme(text: &str) -> Option<(&str, &str)> {
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' if index == 0 => return None,
            b':' => return Some((text.get(..index)?, text.get(index + 1..)?)),
            _ => break,
        }
    }
    Some(("", text))
}

fn check_authority(authority: &str) -> Result<(), String> {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    if !user.chars().all(allowed) {
        return wrong("net/url: invalid userinfo");
    }
    let (name, port) = if let Some(literal) = host.strip_prefix('[') {
        let Some((address, port)) = literal.rsplit_once(']') else {
            return wrong("missing ']' in host");
        };
        ipv6(address.split("%25").next().unwrap_or_default())
            .map_err(|reason| format!("invalid ipv6 address: {reason}"))?;
        ("", port)
    } else {
        let colon = host.find(':').unwrap_or(host.len());
        host.split_at(colon)
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    let has_colon = port.is_empty() || port.starts_with(':');
    if !has_colon || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return wrong(format!("invalid port {} after host", quoted(port)));
    }
    let allowed = |c: char| {
        !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"%".contains(c)
    };
    match name.chars().find(|c| !allowed(*c)) {
        Some(c) => wrong(format!(
            "invalid character {} in host name",
            quoted(&c.to_string())
        )),
        None => Ok(()),
    }
}
