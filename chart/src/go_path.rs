//! Go's `path.Clean` and `path.Match`: paths with `/` between their parts.

/// A pattern that is malformed, in Go's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadPattern;

impl std::fmt::Display for BadPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("syntax error in pattern")
    }
}

/// The shortest path that leads to the same place.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(last) if *last != ".." => drop(parts.pop()),
                _ if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// What stands behind the last `/`.
pub(crate) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether the whole name matches: `*` and `?` match no `/`, `[a-z]` and `[^a-z]` are classes,
/// and `\` takes the next character as it is. A mistake behind the place where the match fails
/// goes unnoticed, as in Go.
pub(crate) fn matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let mut pattern = pattern.as_bytes();
    let mut name = name.as_bytes();
    'chunks: while !pattern.is_empty() {
        let (star, chunk, rest) = scan_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&b'/'));
        }
        if let Some(left) = match_chunk(chunk, name)?
            && (left.is_empty() || !pattern.is_empty())
        {
            name = left;
            continue;
        }
        if star {
            let mut skipped = name;
            while let [first, after @ ..] = skipped {
                if *first == b'/' {
                    break;
                }
                skipped = after;
                if let Some(left) = match_chunk(chunk, skipped)? {
                    if pattern.is_empty() && !left.is_empty() {
                        continue;
                    }
                    name = left;
                    continue 'chunks;
                }
            }
        }
        return Ok(false);
    }
    Ok(name.is_empty())
}

/// The pattern up to the next star, whether a star stands before it, and the rest.
fn scan_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let (_, pattern) = pattern.split_at(stars);
    let mut in_class = false;
    let mut bytes = pattern.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => {
                let (chunk, rest) = pattern.split_at(at);
                return (stars > 0, chunk, rest);
            }
            _ => {}
        }
    }
    (stars > 0, pattern, b"")
}

/// What is left of the name behind the chunk, or nothing if it does not match.
fn match_chunk<'n>(mut chunk: &[u8], name: &'n [u8]) -> Result<Option<&'n [u8]>, BadPattern> {
    // Once the match fails, the rest of the chunk is only checked.
    let mut left = Some(name);
    while let [first, after @ ..] = chunk {
        left = left.filter(|name| !name.is_empty());
        match first {
            b'[' => {
                let (char, rest) = left.map(decode_char).unzip();
                let (inside, after) = match_class(after, char.unwrap_or_default())?;
                left = rest.filter(|_| inside);
                chunk = after;
            }
            b'?' => {
                left = left
                    .filter(|name| name.first() != Some(&b'/'))
                    .map(|name| decode_char(name).1);
                chunk = after;
            }
            _ => {
                let [literal, after @ ..] = (if *first == b'\\' { after } else { chunk }) else {
                    return Err(BadPattern);
                };
                left = left.and_then(|name| name.strip_prefix(&[*literal]));
                chunk = after;
            }
        }
    }
    Ok(left)
}

/// Whether the class, of which the `[` is gone, holds the character, and what follows it.
fn match_class(mut chunk: &[u8], char: u32) -> Result<(bool, &[u8]), BadPattern> {
    let negated = chunk.strip_prefix(b"^");
    chunk = negated.unwrap_or(chunk);
    let mut inside = false;
    let mut ranges = 0;
    loop {
        if let [b']', after @ ..] = chunk
            && ranges > 0
        {
            return Ok((inside != negated.is_some(), after));
        }
        let (low, after) = class_char(chunk)?;
        let (high, after) = match after {
            [b'-', after @ ..] => class_char(after)?,
            _ => (low, after),
        };
        inside |= (low..=high).contains(&char);
        chunk = after;
        ranges += 1;
    }
}

/// A character of a class, which never ends the pattern.
fn class_char(chunk: &[u8]) -> Result<(u32, &[u8]), BadPattern> {
    let chunk = match chunk {
        [] | [b'-' | b']', ..] => return Err(BadPattern),
        [b'\\', after @ ..] => after,
        _ => chunk,
    };
    if chunk.is_empty() {
        return Err(BadPattern);
    }
    let (char, after) = decode_char(chunk);
    if after.is_empty() {
        return Err(BadPattern);
    }
    Ok((char, after))
}

/// The first character; patterns and names are UTF-8, but a byte may have been cut off.
pub(crate) fn decode_char(bytes: &[u8]) -> (u32, &[u8]) {
    let length = match bytes.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => 1,
    };
    let decoded = bytes.split_at_checked(length).and_then(|(char, after)| {
        let char = str::from_utf8(char).ok()?.chars().next()?;
        Some((u32::from(char), after))
    });
    decoded.unwrap_or_else(|| {
        let after = bytes.get(1..).unwrap_or_default();
        (u32::from(char::REPLACEMENT_CHARACTER), after)
    })
}

#[cfg(test)]
mod tests {
    use super::{BadPattern, clean, matches};

    #[test]
    fn paths_are_cleaned_as_go_cleans_them() {
        let pairs = [
            ("", "."),
            ("a/b/../c", "a/c"),
            ("../a", "../a"),
            ("a/../..", ".."),
            ("/../a", "/a"),
            ("./a//b/", "a/b"),
        ];
        for (path, cleaned) in pairs {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }

    /// The cases of Go's own test that are about rules, not about other systems.
    #[test]
    fn names_match_as_in_go() {
        let good = [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[^c]", "abc", false),
            ("ab[^b-d]", "abc", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("a?b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[\\-x]", "-", true),
            ("*x", "xxx", true),
        ];
        for (pattern, name, expected) in good {
            assert_eq!(matches(pattern, name), Ok(expected), "{pattern} {name}");
        }
        for pattern in [
            "[]a]", "[-]", "[x-]", "[-x]", "\\", "[a-b-c]", "[", "[^", "[^bc", "a[",
        ] {
            assert_eq!(matches(pattern, "a"), Err(BadPattern), "{pattern}");
        }
    }
}
