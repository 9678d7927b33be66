//! Which values the text of a template names: `.Values.a.b`, wherever in an action it stands.

use std::ops::Range;

const VALUES: &str = ".Values";
/// Functions that print all that they get.
const PRINTERS: [&str; 6] = [
    "toYaml",
    "mustToYaml",
    "toYamlPretty",
    "toJson",
    "toPrettyJson",
    "toRawJson",
];

/// A path below `.Values`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read<'t> {
    pub(super) keys: Vec<&'t str>,
    /// Where it stands in the text.
    pub(super) range: Range<usize>,
    /// All that is below is used, too: the path is handed to something else. Of `.Values` itself
    /// this is only said where it is printed, since most charts hand it on.
    pub(super) is_whole: bool,
}

/// All paths that a template names.
pub(super) fn reads(text: &str) -> Vec<Read<'_>> {
    let mut reads = Vec::new();
    let mut at = 0;
    while let Some(open) = find(text, at, "{{") {
        at = action(text, open + 2, &mut reads);
    }
    reads
}

fn find(text: &str, from: usize, wanted: &str) -> Option<usize> {
    Some(from + text.get(from..)?.find(wanted)?)
}

/// Reads an action from behind its opening braces; gives where it ends.
fn action<'t>(text: &'t str, start: usize, reads: &mut Vec<Read<'t>>) -> usize {
    let bytes = text.as_bytes();
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        at = match byte {
            b'}' if rest.starts_with(b"}}") => return at + 2,
            b'/' if rest.starts_with(b"/*") => {
                find(text, at + 2, "*/").map_or(bytes.len(), |end| end + 2)
            }
            b'`' => find(text, at + 1, "`").map_or(bytes.len(), |end| end + 1),
            b'"' => quoted_end(bytes, at),
            b'.' if rest.starts_with(VALUES.as_bytes()) && !is_name(rest.get(VALUES.len())) => {
                let read = read(text, start, at);
                let end = read.range.end;
                if !read.keys.is_empty() || read.is_whole {
                    reads.push(read);
                }
                end
            }
            _ => at + 1,
        };
    }
    bytes.len()
}

fn quoted_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn is_name(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn read(text: &str, action: usize, start: usize) -> Read<'_> {
    let mut end = start + VALUES.len();
    let mut keys = Vec::new();
    while let Some(rest) = text.get(end..).and_then(|rest| rest.strip_prefix('.')) {
        let length = rest.bytes().take_while(|byte| is_name(Some(byte))).count();
        let Some(key) = rest.get(..length).filter(|key| !key.is_empty()) else {
            break;
        };
        keys.push(key);
        end += 1 + length;
    }
    let before = text.get(action..start).unwrap_or_default();
    let word = before
        .trim_end_matches(['$', ' '])
        .rsplit([' ', '(', '-', '|'])
        .next();
    if word == Some("index") {
        while let Some(key) = next_literal(text, end) {
            keys.push(&text[key.clone()]);
            end = key.end + 1;
        }
    }
    let is_printed = word.is_some_and(|word| PRINTERS.contains(&word));
    Read {
        is_whole: !keys.is_empty() || is_printed,
        keys,
        range: start..end,
    }
}

/// The place of the text between plain quotes that follows.
fn next_literal(text: &str, from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let start = from + rest.len() - rest.trim_start_matches(' ').len() + 1;
    rest.trim_start_matches(' ').strip_prefix('"')?;
    let length = text.get(start..)?.find(['"', '\\', '}'])?;
    let end = start + length;
    text.get(end..)?.starts_with('"').then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let all = reads(text).into_iter();
        all.map(|read| read.keys.join("/")).collect()
    }

    #[test]
    fn paths_in_actions_are_found() {
        let text = "a .Values.no {{ .Values.a.b | quote }} {{- if and $.Values.c (eq $root.Values.d_1 \".Values.no\") -}}
            {{/* .Values.no */}} {{ index .Values \"x-y\" \"z\" }} {{ `.Values.no` }} {{ .ValuesNo.x }} {{ toYaml .Values }} {{ include \"x\" .Values }}";
        assert_eq!(paths(text), ["a/b", "c", "d_1", "x-y/z", ""]);
    }

    #[test]
    fn texts_that_end_early_are_read_to_their_end() {
        for text in [
            "{{",
            "{{ \"",
            "{{ \"\\",
            "{{ `",
            "{{/*",
            "{{ .Values",
            "{{ .Values.",
            "{{ index .Values \"",
            "{{ index .Values",
        ] {
            assert_eq!(paths(text), [""; 0], "{text}");
        }
        assert_eq!(paths("{{ .Values.é.a }}"), [""; 0]);
    }
}
