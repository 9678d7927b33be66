//! The patterns of `.Files.Glob`, after `gobwas/glob` with `/` as separator: `*`, `**`, `?`,
//! `[abc]`, `[!a-z]`, `{a,b*}`, and `\` before a character that is meant as itself.
//!
//! What the library matches is more than its documentation says: `config/**/x` matches `config/x`
//! too, since its prefix and its suffix may overlap. Charts rely on that, so patterns are made
//! into the library's matchers by the library's rules.

mod compile;
mod matcher;
mod parse;

use std::cell::Cell;

use self::matcher::Matcher;

/// The longest pattern, in characters.
const MAX_PATTERN_LENGTH: usize = 1024;
/// How many steps a path may take, one for each matcher that is asked and for each
/// [`matcher::STEP_BYTES`] that it is asked about; the library's time can grow with a power of the
/// length.
const MAX_STEPS: u32 = 1_000_000;

/// A pattern of paths.
///
/// ```
/// use cairn_chart::glob::Pattern;
///
/// let pattern = Pattern::new("config/{*.yaml,**.json}").unwrap();
/// assert!(pattern.is_match("config/a.yaml"));
/// assert!(pattern.is_match("config/a/b.json"));
/// assert!(!pattern.is_match("config/a/b.yaml"));
/// ```
#[derive(Debug, Clone)]
pub struct Pattern {
    matcher: Matcher,
}

impl Pattern {
    /// Compiles a pattern, or says what is wrong with it.
    ///
    /// Helm lets one that is wrong match every file: see [`Self::all`].
    pub fn new(pattern: &str) -> Result<Self, String> {
        if pattern.chars().count() > MAX_PATTERN_LENGTH {
            return Err(format!(
                "pattern longer than {MAX_PATTERN_LENGTH} characters"
            ));
        }
        let matcher = compile::compile(&parse::parse(pattern)?)?;
        Ok(Self { matcher })
    }

    /// The pattern that matches every path.
    pub fn all() -> Self {
        Self {
            matcher: Matcher::Super,
        }
    }

    /// Whether the whole path matches.
    pub fn is_match(&self, path: &str) -> bool {
        self.matcher.matches(path.as_bytes(), &Cell::new(MAX_STEPS))
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_pattern_of_many_stars_ends() {
        for part in ["{a,**}*", "*a", "**a", "?*", "[ab]*"] {
            let Ok(pattern) = Pattern::new(&format!("{}b", part.repeat(40))) else {
                continue;
            };
            assert!(!pattern.is_match(&"a/".repeat(500)), "{part}");
        }
    }
}
