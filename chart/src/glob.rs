//! The patterns of `.Files.Glob`, after `gobwas/glob` with `/` as separator: `*`, `**`, `?`,
//! `[abc]`, `[!a-z]`, `{a,b*}`, and `\` before a character that is meant as itself.

/// The longest pattern, in characters.
const MAX_PATTERN_LENGTH: usize = 4096;
/// How deep alternatives may nest.
const MAX_DEPTH: usize = 64;

/// A pattern of paths, matched in time that grows with the path's length times the pattern's.
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
    states: Vec<State>,
}

#[derive(Debug, Clone)]
enum State {
    /// The next character must be in the set.
    One(Set),
    /// Any number of characters of the set.
    Many(Set),
    /// Goes on at either place.
    Split(usize, usize),
    /// Goes on elsewhere.
    Jump(usize),
}

#[derive(Debug, Clone)]
enum Set {
    Char(char),
    NoSlash,
    All,
    List { chars: String, not: bool },
    Range { low: char, high: char, not: bool },
}

impl Set {
    fn holds(&self, c: char) -> bool {
        match self {
            Self::Char(char) => *char == c,
            Self::NoSlash => c != '/',
            Self::All => true,
            Self::List { chars, not } => chars.contains(c) != *not,
            Self::Range { low, high, not } => (*low..=*high).contains(&c) != *not,
        }
    }
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
        let mut compiler = Compiler {
            // To the library, NUL is the end.
            rest: pattern.split('\0').next().unwrap_or_default(),
            states: Vec::new(),
        };
        compiler.pattern(0)?;
        Ok(Self {
            states: compiler.states,
        })
    }

    /// The pattern that matches every path.
    pub fn all() -> Self {
        Self {
            states: vec![State::Many(Set::All)],
        }
    }

    /// Whether the whole path matches.
    pub fn is_match(&self, path: &str) -> bool {
        let end = self.states.len();
        let mut now = vec![false; end + 1];
        self.enter(0, &mut now);
        for c in path.chars() {
            let mut next = vec![false; end + 1];
            for (index, state) in self.states.iter().enumerate() {
                if !now.get(index).is_some_and(|active| *active) {
                    continue;
                }
                match state {
                    State::One(set) if set.holds(c) => self.enter(index + 1, &mut next),
                    State::Many(set) if set.holds(c) => self.enter(index, &mut next),
                    _ => {}
                }
            }
            now = next;
        }
        now.last().is_some_and(|matched| *matched)
    }

    /// Marks a state and all that are reached from it without a character.
    fn enter(&self, index: usize, active: &mut [bool]) {
        let mut pending = vec![index];
        while let Some(index) = pending.pop() {
            match active.get_mut(index) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            match self.states.get(index) {
                Some(State::Many(_)) => pending.push(index + 1),
                Some(State::Split(first, second)) => pending.extend([*first, *second]),
                Some(State::Jump(target)) => pending.push(*target),
                Some(State::One(_)) | None => {}
            }
        }
    }
}

struct Compiler<'p> {
    rest: &'p str,
    states: Vec<State>,
}

impl Compiler<'_> {
    /// A pattern up to its end, or up to the `,` or `}` after it within alternatives.
    fn pattern(&mut self, depth: usize) -> Result<(), String> {
        while let Some(c) = self.rest.chars().next() {
            if depth > 0 && matches!(c, ',' | '}') {
                break;
            }
            self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
            let state = match c {
                '*' if self.eat('*') => State::Many(Set::All),
                '*' => State::Many(Set::NoSlash),
                '?' => State::One(Set::NoSlash),
                '[' => State::One(self.class()?),
                '{' => {
                    self.alternatives(depth + 1)?;
                    continue;
                }
                '\\' => match self.next() {
                    Some(escaped) => State::One(Set::Char(escaped)),
                    None => continue,
                },
                _ => State::One(Set::Char(c)),
            };
            self.states.push(state);
        }
        Ok(())
    }

    /// What is between `{` and `}`; the end of the text counts as a `}` too.
    fn alternatives(&mut self, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("alternatives nested more than {MAX_DEPTH} deep"));
        }
        let mut jumps = Vec::new();
        loop {
            let split = self.push(State::Jump(0));
            self.pattern(depth)?;
            if !self.eat(',') {
                self.eat('}');
                // The last one needs no other way.
                self.set(split, State::Jump(split + 1));
                break;
            }
            jumps.push(self.push(State::Jump(0)));
            self.set(split, State::Split(split + 1, self.states.len()));
        }
        let end = self.states.len();
        for jump in jumps {
            self.set(jump, State::Jump(end));
        }
        Ok(())
    }

    /// A class, whose `[` is gone: one range, or a list of characters.
    fn class(&mut self) -> Result<Set, String> {
        const UNEXPECTED_END: &str = "unexpected end of input";
        let not = self.eat('!');
        let first = self.rest.chars().next().ok_or(UNEXPECTED_END)?;
        let after_first = self.rest.get(first.len_utf8()..).unwrap_or_default();
        if let Some(range) = after_first.strip_prefix('-') {
            self.rest = range;
            let high = self.next().ok_or(UNEXPECTED_END)?;
            self.close()?;
            if high < first {
                return Err(format!(
                    "hi character '{high}' should be greater than lo '{first}'"
                ));
            }
            return Ok(Set::Range {
                low: first,
                high,
                not,
            });
        }
        let mut chars = String::new();
        while let Some(c) = self.rest.chars().next().filter(|c| *c != ']') {
            self.next();
            match c {
                '\\' => chars.extend(self.next()),
                _ => chars.push(c),
            }
        }
        self.close()?;
        if chars.is_empty() {
            return Err("could not parse range".to_owned());
        }
        Ok(Set::List { chars, not })
    }

    fn close(&mut self) -> Result<(), String> {
        match self.next() {
            Some(']') => Ok(()),
            Some(_) => Err("expected close range character".to_owned()),
            None => Err("unexpected end of input".to_owned()),
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..)?;
        Some(c)
    }

    fn eat(&mut self, expected: char) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn push(&mut self, state: State) -> usize {
        self.states.push(state);
        self.states.len() - 1
    }

    fn set(&mut self, index: usize, state: State) {
        if let Some(slot) = self.states.get_mut(index) {
            *slot = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    /// What `gobwas/glob` says.
    #[test]
    fn paths_match_as_in_helm() {
        let cases = [
            ("*", "a", true),
            ("*", "a/b", false),
            ("**", "a/b", true),
            ("config/*", "config/a.yaml", true),
            ("config/*", "config/a/b", false),
            ("config/**", "config/a/b", true),
            ("**.yaml", "a/b.yaml", true),
            ("**/b.yaml", "b.yaml", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[ab]c", "bc", true),
            ("[!ab]c", "cc", true),
            ("[a-c]d", "bd", true),
            ("[!a-c]d", "bd", false),
            ("a[!x]b", "a/b", true),
            ("{a,b}.txt", "b.txt", true),
            ("{a,b*}.txt", "bcd.txt", true),
            ("{a,}b", "b", true),
            ("x{a,{b,c}}y", "xcy", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("{a,b", "b", true),
            ("a,b}", "a,b}", true),
            ("", "", true),
            ("", "a", false),
        ];
        for (pattern, path, expected) in cases {
            let compiled = Pattern::new(pattern).unwrap();
            assert_eq!(compiled.is_match(path), expected, "{pattern} {path}");
        }
        for wrong in ["[", "[]", "[!", "[z-a]", "[a-", "[a-zx]"] {
            assert!(Pattern::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_ends() {
        let pattern = Pattern::new(&format!("{}b", "{a,**}*".repeat(100))).unwrap();
        assert!(!pattern.is_match(&"a/".repeat(500)));
    }
}
