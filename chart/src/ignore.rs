//! `.helmignore`: which files of a folder are no part of the chart. Helm has a matcher of its own,
//! which is not the one of Git.

use cairn_spec::Diagnostic;

use crate::{
    Error,
    go_path::{base, matches},
};

/// The longest line that Helm reads, in bytes.
const MAX_LINE_BYTES: usize = 64 << 10;
/// What is ignored in every chart.
const DEFAULT_RULE: &str = "templates/.?*";

/// The rules of a `.helmignore`.
///
/// ```
/// use cairn_chart::Ignore;
///
/// let rules = Ignore::parse(b"*.md\nci/\n/notes.txt").unwrap();
/// assert!(rules.is_ignored("docs/README.md", false));
/// assert!(rules.is_ignored("ci", true));
/// assert!(!rules.is_ignored("ci", false));
/// assert!(!rules.is_ignored("docs/notes.txt", false));
/// ```
#[derive(Debug, Clone)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    pattern: String,
    form: Form,
    /// What the pattern is held against: the file's name, or its whole path.
    whole_path: bool,
    /// The rule begins with `!`: all that does *not* match is ignored.
    negated: bool,
    /// The rule ends in `/`.
    folders_only: bool,
}

/// What of a pattern means anything but itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Nothing: the pattern is a name.
    Name,
    /// A star at its start, as in `*.orig`.
    Ending,
    Any,
}

impl Form {
    fn of(pattern: &str) -> Self {
        let is_plain = |text: &str| !text.contains(['*', '?', '[', '\\']);
        match pattern.strip_prefix('*') {
            _ if is_plain(pattern) => Self::Name,
            Some(ending) if is_plain(ending) => Self::Ending,
            _ => Self::Any,
        }
    }
}

impl Default for Ignore {
    fn default() -> Self {
        Self {
            rules: Rule::parse(DEFAULT_RULE)
                .ok()
                .flatten()
                .into_iter()
                .collect(),
        }
    }
}

impl Ignore {
    /// The rules of a file, and Helm's own.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut rules = Vec::new();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let wrong = |message: &str, hint: &str| {
                let number = index + 1;
                let diagnostic =
                    Diagnostic::error("chart-ignore", format!("`.helmignore:{number}`: {message}"));
                Error::new(message, diagnostic.hint(hint))
            };
            if line.len() >= MAX_LINE_BYTES {
                let hint = "shorten the line to less than 64 KiB";
                return Err(wrong("bufio.Scanner: token too long", hint));
            }
            let line = String::from_utf8_lossy(line);
            let rule = Rule::parse(&line).map_err(|(message, hint)| wrong(&message, hint))?;
            rules.extend(rule);
        }
        rules.extend(Self::default().rules);
        Ok(Self { rules })
    }

    /// Whether a file or folder is no part of the chart. `path` is below the chart's folder, with
    /// `/` between its parts. What is in a folder that is ignored is ignored too.
    pub fn is_ignored(&self, path: &str, is_folder: bool) -> bool {
        if matches!(path, "" | "." | "./") {
            return false;
        }
        let name = base(path);
        for rule in &self.rules {
            let is_other_kind = rule.folders_only && !is_folder;
            if rule.negated {
                if is_other_kind || !rule.matches(path, name) {
                    return true;
                }
            } else if !is_other_kind && rule.matches(path, name) {
                return true;
            }
        }
        false
    }
}

impl Rule {
    /// The rule of a line, if there is one; else what is wrong, and what to do about it.
    fn parse(line: &str) -> Result<Option<Self>, (String, &'static str)> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        if line.contains("**") {
            let message = "double-star (**) syntax is not supported".to_owned();
            return Err((message, "write a rule for each depth, with `*` alone"));
        }
        // As in Helm, a mistake behind the place where this fails to match goes unnoticed.
        matches(line, "abc").map_err(|error| {
            let hint = "close each `[`, and put `\\` before a character that is meant as itself";
            (error.to_string(), hint)
        })?;
        let negated = line.strip_prefix('!');
        let rule = negated.unwrap_or(line);
        let folder = rule.strip_suffix('/');
        let rule = folder.unwrap_or(rule);
        let from_top = rule.strip_prefix('/');
        let pattern = from_top.unwrap_or(rule);
        Ok(Some(Self {
            pattern: pattern.to_owned(),
            form: Form::of(pattern),
            whole_path: rule.contains('/'),
            negated: negated.is_some(),
            folders_only: folder.is_some(),
        }))
    }

    fn matches(&self, path: &str, name: &str) -> bool {
        let name = if self.whole_path { path } else { name };
        match self.form {
            Form::Name => self.pattern == name,
            Form::Ending => name
                .strip_suffix(&self.pattern[1..])
                .is_some_and(|start| !start.contains('/')),
            Form::Any => matches(&self.pattern, name).unwrap_or(false),
        }
    }
}
