//! Go's `net/url`, as far as templates see it: what a URL is made of, and how it is written.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::format::quote;
use crate::writer::find;

/// The parts of a URL, without their escapes but for the query and what is opaque.
#[derive(Debug, Default)]
pub(crate) struct Url {
    pub(crate) scheme: Vec<u8>,
    pub(crate) opaque: Vec<u8>,
    pub(crate) user: Option<User>,
    pub(crate) host: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) query: Vec<u8>,
    pub(crate) fragment: Vec<u8>,
}

/// A user and perhaps a password.
#[derive(Debug, Default)]
pub(crate) struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

/// A part of a URL; each has its own rules of what must be escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Host,
    Zone,
    User,
    Fragment,
}

impl Url {
    /// Takes a URL apart, or says what Go says is wrong with it.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let within = |text: &[u8], error: String| format!("parse {}: {error}", quote(text));
        let (before, fragment) = cut(text, b"#").unwrap_or((text, b""));
        let mut url = Self::parse_before_fragment(before).map_err(|error| within(before, error))?;
        url.fragment = unescape(fragment, Part::Fragment).map_err(|error| within(text, error))?;
        Ok(url)
    }

    fn parse_before_fragment(text: &[u8]) -> Result<Self, String> {
        if text.iter().any(|&byte| byte < b' ' || byte == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Self::default();
        if text == b"*" {
            url.path = text.to_vec();
            return Ok(url);
        }
        let (scheme, rest) = split_scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (rest, query) = cut(rest, b"?").unwrap_or((rest, b""));
        url.query = query.to_vec();
        let has_scheme = !url.scheme.is_empty();
        if !rest.starts_with(b"/") {
            if has_scheme {
                url.opaque = rest.to_vec();
                return Ok(url);
            }
            let segment = rest.split(|&byte| byte == b'/').next().unwrap_or_default();
            if segment.contains(&b':') {
                let problem = "first path segment in URL cannot contain colon";
                return Err(problem.to_owned());
            }
        }
        let mut path = rest;
        if let Some(authority) = rest.strip_prefix(b"//")
            && (has_scheme || !rest.starts_with(b"///"))
        {
            let slash = authority.iter().position(|&byte| byte == b'/');
            let (authority, after) = authority.split_at(slash.unwrap_or(authority.len()));
            url.parse_authority(authority)?;
            path = after;
        }
        url.path = unescape(path, Part::Path)?;
        Ok(url)
    }

    fn parse_authority(&mut self, authority: &[u8]) -> Result<(), String> {
        let at = authority.iter().rposition(|&byte| byte == b'@');
        let host = at.map_or(authority, |at| &authority[at + 1..]);
        self.host = parse_host(&self.scheme, host)?;
        if let Some(at) = at {
            self.user = Some(User::parse(&authority[..at])?);
        }
        Ok(())
    }

    /// The host without its port and brackets.
    pub(crate) fn hostname(&self) -> &[u8] {
        let mut host = self.host.as_slice();
        if let Some(colon) = host.iter().rposition(|&byte| byte == b':')
            && is_port(&host[colon..])
        {
            host = &host[..colon];
        }
        host.strip_prefix(b"[")
            .and_then(|host| host.strip_suffix(b"]"))
            .unwrap_or(host)
    }

    /// The URL as a text.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.write_host_and_path(&mut out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            escape(&self.fragment, Part::Fragment, &mut out);
        }
        out
    }

    fn write_host_and_path(&self, out: &mut Vec<u8>) {
        if !self.host.is_empty()
            || self.user.is_some()
            || !self.scheme.is_empty() && !self.path.is_empty()
        {
            out.extend_from_slice(b"//");
        }
        if let Some(user) = &self.user {
            out.extend_from_slice(&user.write());
            out.push(b'@');
        }
        escape(&self.host, Part::Host, out);
        let mut path = Vec::new();
        if self.path == b"*" {
            path.push(b'*');
        } else {
            escape(&self.path, Part::Path, &mut path);
        }
        if !path.is_empty() && !path.starts_with(b"/") && !self.host.is_empty() {
            out.push(b'/');
        }
        let segment = path.split(|&byte| byte == b'/').next().unwrap_or_default();
        if out.is_empty() && segment.contains(&b':') {
            // Else it would be taken for a scheme.
            out.extend_from_slice(b"./");
        }
        out.extend_from_slice(&path);
    }
}

impl User {
    fn parse(text: &[u8]) -> Result<Self, String> {
        let is_valid =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte);
        if !text.iter().all(is_valid) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = match cut(text, b":") {
            Some((name, password)) => (name, Some(password)),
            None => (text, None),
        };
        Ok(Self {
            name: unescape(name, Part::User)?,
            password: password
                .map(|password| unescape(password, Part::User))
                .transpose()?,
        })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        escape(&self.name, Part::User, &mut out);
        if let Some(password) = &self.password {
            out.push(b':');
            escape(password, Part::User, &mut out);
        }
        out
    }
}

/// What stands before and after the first separator.
fn cut<'t>(text: &'t [u8], separator: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let at = find(text, separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

fn split_scheme(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' if index == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..index], &text[index + 1..])),
            _ => break,
        }
    }
    Ok((b"", text))
}

fn parse_host(scheme: &[u8], host: &[u8]) -> Result<Vec<u8>, String> {
    let check_port = |port: &[u8]| {
        if is_port(port) {
            return Ok(());
        }
        Err(format!("invalid port {} after host", quote(port)))
    };
    match host.iter().rposition(|&byte| byte == b'[') {
        Some(0) => {
            let Some(close) = host.iter().rposition(|&byte| byte == b']') else {
                return Err("missing ']' in host".to_owned());
            };
            let port = &host[close + 1..];
            check_port(port)?;
            let port = unescape(port, Part::Host)?;
            let address = parse_address(&host[1..close])?;
            return Ok([b"[", address.as_slice(), b"]", port.as_slice()].concat());
        }
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {}
    }
    // Of those for the web, the first colon must be that of the port.
    let colon = if matches!(scheme, b"http" | b"https") {
        host.iter().position(|&byte| byte == b':')
    } else {
        host.iter().rposition(|&byte| byte == b':')
    };
    if let Some(colon) = colon {
        check_port(&host[colon..])?;
    }
    unescape(host, Part::Host)
}

/// What stands in brackets: an address of IPv6, perhaps with a zone.
fn parse_address(text: &[u8]) -> Result<Vec<u8>, String> {
    let address = match find(text, b"%25") {
        Some(zone) => {
            let mut address = unescape(&text[..zone], Part::Host)?;
            address.extend(unescape(&text[zone..], Part::Zone)?);
            address
        }
        None => unescape(text, Part::Host)?,
    };
    let shown = String::from_utf8_lossy(&address);
    if shown.parse::<Ipv4Addr>().is_ok() {
        return Err("invalid IP-literal".to_owned());
    }
    let (number, zone) = shown.split_once('%').unwrap_or((&shown, "none"));
    let reason = match number.parse::<Ipv6Addr>() {
        Ok(_) if !zone.is_empty() => return Ok(address),
        Ok(_) => "zone must be a non-empty string",
        Err(_) if number.is_empty() && shown.contains('%') => "missing IPv6 address",
        Err(_) => "unable to parse IP",
    };
    let address = quote(&address);
    Err(format!("invalid host: ParseAddr({address}): {reason}"))
}

/// Nothing, or a colon and digits.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn must_be_escaped(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return false;
    }
    let allowed: &[u8] = match part {
        Part::Path => b"$&+,/:;=@",
        Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"",
        Part::User => b"$&+,;=",
        Part::Fragment => b"$&+,/:;=?@!()*",
    };
    !allowed.contains(&byte)
}

fn escape(text: &[u8], part: Part, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if must_be_escaped(byte, part) {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.extend([b'%', DIGITS[high], DIGITS[low]]);
        } else {
            out.push(byte);
        }
    }
}

fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let is_host = matches!(part, Part::Host | Part::Zone);
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte != b'%' {
            if is_host && byte.is_ascii() && must_be_escaped(byte, part) {
                let shown = quote(&[byte]);
                return Err(format!("invalid character {shown} in host name"));
            }
            out.push(byte);
            at += 1;
            continue;
        }
        let sequence = &text[at..text.len().min(at + 3)];
        let decoded = match sequence {
            [_, high, low] => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        let is_allowed = |byte: u8| match part {
            _ if sequence == b"%25" => true,
            Part::Host => byte >= 0x80,
            Part::Zone => byte == b' ' || !must_be_escaped(byte, Part::Host),
            _ => true,
        };
        match decoded.map(|(high, low)| high << 4 | low) {
            Some(byte) if is_allowed(byte) => out.push(byte),
            _ => return Err(format!("invalid URL escape {}", quote(sequence))),
        }
        at += 3;
    }
    Ok(out)
}

fn hex_digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}
