//! Which values a template names, known without rendering it: for linters.

mod calls;
mod walk;

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use self::walk::Walk;
use super::parse::{Tables, parse};

/// The most paths of one text that are collected.
const MAX_PATHS: usize = 100_000;

/// What a template names, in all of its branches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The paths, in the order in which they are come by.
    pub paths: Vec<NamedPath>,
    /// All names of fields and all literals, wherever they stand.
    pub words: BTreeSet<String>,
    /// Literals that are templates themselves, as for `tpl`.
    pub texts: Vec<String>,
}

/// A path such as `.Values.image.tag`.
///
/// `with`, variables and `index` are followed: in `{{ with .Values.image }}{{ .tag }}{{ end }}`
/// both `Values`, `image` and `Values`, `image`, `tag` are named. A path of which nobody knows
/// where it starts begins with `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath {
    /// The names, from where `.` or `$` was when the template began.
    pub names: Vec<String>,
    /// Where it stands in the text.
    pub range: Range<usize>,
    /// How it is used.
    pub usage: Usage,
    /// It stands in a `define`, and so `.` is what others give.
    pub is_in_definition: bool,
}

/// How a path is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// It may be missing: it is asked whether it is there, something stands in for it, or it is
    /// only handed on.
    pub is_guarded: bool,
    /// All that is below it may be read, too.
    pub is_whole: bool,
}

/// What a text names; nothing where it is no template.
///
/// ```
/// use cairn_template::go::names;
///
/// let names = names("{{ with .Values.image }}{{ .tag | default \"latest\" }}{{ end }}").unwrap();
/// let paths: Vec<_> = names.paths.iter().map(|path| path.names.join(".")).collect();
/// assert_eq!(paths, ["Values.image", "Values.image.tag"]);
/// assert!(names.paths.iter().all(|path| path.usage.is_guarded));
/// assert!(names.words.contains("latest"));
/// ```
pub fn names(text: &str) -> Option<Names> {
    let program = parse("", &Arc::from(text), None, &[], &mut Tables::default()).ok()?;
    Some(Walk::all(&program))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each path with `?` where it is guarded and `*` where it is whole.
    fn shown(text: &str) -> String {
        let names = names(text).expect("the text is a template");
        let paths = names.paths.iter().map(|path| {
            let guarded = if path.usage.is_guarded { "?" } else { "" };
            let whole = if path.usage.is_whole { "*" } else { "" };
            format!("{}{guarded}{whole}", path.names.join("."))
        });
        paths.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn paths_are_named_as_they_are_used() {
        let cases = [
            ("{{ .Values.a.b }}", "Values.a.b*"),
            ("{{ .Values.a.b | quote }}", "Values.a.b*"),
            ("{{ $.Values.a }}", "Values.a*"),
            (
                "{{ .Values.a | default .Values.b | quote }}",
                "Values.a?* Values.b?*",
            ),
            (
                "{{ if .Values.a }}x{{ else if eq .Values.b 1 }}y{{ end }}",
                "Values.a? Values.b?",
            ),
            (
                "{{ if and .Values.a (hasPrefix \"x\" .Values.a.b) }}x{{ end }}",
                "Values.a? Values.a.b",
            ),
            (
                "{{ with .Values.a }}{{ .b }}{{ $.Values.c }}{{ end }}{{ .d }}",
                "Values.a? Values.a.b* Values.c* d*",
            ),
            (
                "{{ with .Values.a }}{{ toYaml . }}{{ end }}",
                "Values.a? Values.a?*",
            ),
            (
                "{{ $a := .Values.a }}{{ $a.b }}{{ $a.c.d }}",
                "Values.a? Values.a.b* Values.a.c.d*",
            ),
            (
                "{{ $a := .Values.a }}{{ $a = .Values.b }}{{ $a.c }}",
                "Values.a? Values.a?* Values.b?* ?.c*",
            ),
            (
                "{{ range $k, $v := .Values.a }}{{ $v.x }}{{ .y }}{{ $.Values.z }}{{ end }}",
                "Values.a?* ?.x* ?.y* Values.z*",
            ),
            (
                "{{ include \"x\" .Values.a }}{{ template \"y\" .Values.b }}",
                "Values.a?* Values.b?*",
            ),
            (
                "{{ index .Values \"a-b\" \"c\" }}{{ (index .Values \"d\").e }}",
                "Values.a-b.c* Values.d.e*",
            ),
            ("{{ index .Values.a .Values.b }}", "Values.b* Values.a*"),
            (
                "{{ get .Values.a \"b\" }}{{ if hasKey .Values \"c\" }}{{ end }}",
                "Values.a.b* Values.c?",
            ),
            (
                "{{ dig \"a\" \"b\" 1 .Values.x }}{{ .Values | dig \"c\" \"\" }}",
                "Values.x.a.b?* Values.c?*",
            ),
            (
                "{{ pick .Values.a \"b\" \"c\" | toYaml }}",
                "Values.a.b?* Values.a.c?*",
            ),
            ("{{ ((.Values.a).b).c }}", "Values.a.b.c*"),
            ("{{ .Files.Get .Values.path }}", "Files.Get* Values.path*"),
            (
                "{{ define \"x\" }}{{ .Values.a }}{{ end }}{{ .context.Values.b }}",
                "Values.a* context.Values.b*",
            ),
            (
                "{{ not .Values.a | ternary .Values.b .Values.c }}",
                "Values.a? Values.b?* Values.c?*",
            ),
            ("{{ required \"say a\" .Values.a }}", "Values.a?*"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn words_and_texts_are_collected() {
        let names = names("{{ index .a \"b-c\" }}{{ tpl \"{{ .d }}\" $ }}").unwrap();
        let words: Vec<&str> = names.words.iter().map(String::as_str).collect();
        assert_eq!(words, ["a", "b-c", "{{ .d }}"]);
        assert_eq!(names.texts, ["{{ .d }}"]);
        assert_eq!(super::names("{{ .a"), None);
    }

    #[test]
    fn it_is_said_what_stands_in_definitions() {
        let names = names("{{ define \"x\" }}{{ .a }}{{ end }}{{ .b }}").unwrap();
        let inside: Vec<bool> = names
            .paths
            .iter()
            .map(|path| path.is_in_definition)
            .collect();
        assert_eq!(inside, [true, false]);
    }
}
