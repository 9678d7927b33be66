//! Go's package `path`: slash-separated paths, without looking at any file.

use std::ops::Range;

/// The shortest path that means the same.
pub(crate) fn clean(path: &[u8]) -> Vec<u8> {
    let is_rooted = path.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for name in path.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => match kept.last() {
                Some(&last) if last != b".." => {
                    kept.pop();
                }
                _ if is_rooted => {}
                _ => kept.push(name),
            },
            _ => kept.push(name),
        }
    }
    let joined = kept.join(&b"/"[..]);
    match (is_rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

/// All but the last element, cleaned.
pub(crate) fn dir(path: &[u8]) -> Vec<u8> {
    let end = path
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |slash| slash + 1);
    clean(&path[..end])
}

/// Where the extension of the last element begins, with its dot.
pub(crate) fn ext_start(path: &[u8]) -> usize {
    let found = path.iter().rposition(|byte| matches!(byte, b'.' | b'/'));
    found
        .filter(|&at| path.get(at) == Some(&b'.'))
        .unwrap_or(path.len())
}

/// Where the last element is, or what stands for it where there is none.
pub(crate) fn base(path: &[u8]) -> Result<Range<usize>, &'static str> {
    let Some(last) = path.iter().rposition(|&byte| byte != b'/') else {
        return Err(if path.is_empty() { "." } else { "/" });
    };
    let slash = path[..last].iter().rposition(|&byte| byte == b'/');
    Ok(slash.map_or(0, |slash| slash + 1)..last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        let paths = [
            "",
            "/",
            "a//b/./c/",
            "../a/..",
            "/../a",
            "a/../../b",
            "/a/..",
        ];
        let cleaned = paths.map(|path| String::from_utf8(clean(path.as_bytes())).unwrap());
        assert_eq!(cleaned, [".", "/", "a/b/c", "..", "/a", "../b", "/"]);
    }

    #[test]
    fn paths_have_parts() {
        assert_eq!(base(b"/a/bc//"), Ok(3..5));
        assert_eq!(base(b"//"), Err("/"));
        assert_eq!(ext_start(b"a.b/c"), 5);
        assert_eq!(ext_start(b"a/b.tar.gz"), 7);
        assert_eq!(dir(b"/a/b/"), b"/a/b");
        assert_eq!(dir(b"a"), b".");
    }
}
