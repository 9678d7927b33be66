//! Compiled patterns, and the matches that Go takes in a text.

use std::{borrow::Cow, collections::HashMap, ops::Range, rc::Rc};

use regex_automata::{Input, meta, util::syntax};

use super::{
    MAX_CACHE_BYTES, MAX_PATTERN_BYTES, MAX_PROGRAM_BYTES,
    error::{Code, SyntaxError},
    translate::translate,
};
use crate::{state::Outcome, unicode::runes};

/// How many patterns a render keeps.
const MAX_KEPT: usize = 32;

/// The patterns of one render, compiled.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    kept: HashMap<Vec<u8>, Result<Rc<Regexp>, String>>,
}

impl Patterns {
    /// The pattern if it is there already, or what is wrong with it.
    pub(crate) fn find(&self, pattern: &[u8]) -> Option<Result<Rc<Regexp>, String>> {
        self.kept.get(pattern).cloned()
    }

    /// Compiles a pattern and keeps it.
    pub(crate) fn compile(&mut self, pattern: &[u8]) -> Result<Rc<Regexp>, String> {
        if self.kept.len() >= MAX_KEPT {
            self.kept.clear();
        }
        let compiled = Regexp::compile(pattern)
            .map(Rc::new)
            .map_err(|error| error.to_string());
        self.kept.insert(pattern.to_vec(), compiled.clone());
        compiled
    }
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Regexp {
    regex: meta::Regex,
    group_names: Vec<Option<String>>,
    is_empty: bool,
}

/// Where a pattern and its groups match; the first is the whole.
pub(crate) type Groups = Vec<Option<Range<usize>>>;

impl Regexp {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// What Go says is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, String> {
        Self::compile(pattern.as_bytes()).map_err(|error| error.to_string())
    }

    /// The pattern matches somewhere in the text.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.find(&Haystack::new(text), 0).is_some()
    }

    fn compile(pattern: &[u8]) -> Result<Self, SyntaxError> {
        let too_large = || SyntaxError::new(Code::Large, String::from_utf8_lossy(pattern));
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(too_large());
        }
        let translated = translate(pattern)?;
        // Most patterns see a few short texts: automata that are built whole beforehand cost more
        // than all searches, those that are built on the way do not.
        let config = meta::Config::new()
            .utf8_empty(false)
            .nfa_size_limit(Some(MAX_PROGRAM_BYTES))
            .hybrid_cache_capacity(MAX_CACHE_BYTES)
            .dfa(false)
            .onepass(false);
        let syntax = syntax::Config::new().utf8(false).nest_limit(u32::MAX);
        let regex = meta::Builder::new()
            .configure(config)
            .syntax(syntax)
            .build(&translated.pattern)
            .map_err(|_| too_large())?;
        Ok(Self {
            regex,
            group_names: translated.group_names,
            is_empty: pattern.is_empty(),
        })
    }

    pub(crate) fn group_names(&self) -> &[Option<String>] {
        &self.group_names
    }

    /// The first match from `at` on.
    pub(crate) fn find(&self, text: &Haystack<'_>, at: usize) -> Option<Range<usize>> {
        let mut at = text.converted(at);
        loop {
            let found = self.regex.search(&text.input(at))?;
            // Nothing cannot be found within a character.
            if text.is_between(found.start()) {
                return Some(text.original(found.start())..text.original(found.end()));
            }
            at = found.start() + 1;
        }
    }

    fn find_groups(&self, text: &Haystack<'_>, at: usize) -> Option<Groups> {
        let mut at = text.converted(at);
        let mut found = self.regex.create_captures();
        loop {
            self.regex.search_captures(&text.input(at), &mut found);
            let start = found.get_match()?.start();
            if text.is_between(start) {
                let ranges = found.iter().map(|group| {
                    group.map(|group| text.original(group.start)..text.original(group.end))
                });
                return Some(ranges.collect());
            }
            at = start + 1;
        }
    }

    /// All matches, at most so many.
    pub(crate) fn all(
        &self,
        text: &Haystack<'_>,
        most: usize,
        charge: &mut dyn FnMut(usize) -> Outcome<()>,
    ) -> Outcome<Vec<Range<usize>>> {
        let mut found = Vec::new();
        let mut at = 0;
        let mut last_end = None;
        while found.len() < most && at <= text.length {
            charge(text.length - at)?;
            let Some(range) = self.find(text, at) else {
                break;
            };
            let end = range.end;
            // Nothing right after a match does not count.
            let is_nothing_again = end == at && last_end == Some(range.start);
            at = if end == at { text.after_rune(at) } else { end };
            last_end = Some(end);
            if !is_nothing_again {
                found.push(range);
            }
        }
        Ok(found)
    }

    /// All matches that a replacement takes the place of, with their groups.
    pub(crate) fn all_to_replace(
        &self,
        text: &Haystack<'_>,
        charge: &mut dyn FnMut(usize) -> Outcome<()>,
    ) -> Outcome<Vec<Groups>> {
        let mut found = Vec::new();
        let (mut at, mut last_end) = (0, 0);
        while at <= text.length {
            charge(text.length - at)?;
            let Some(groups) = self.find_groups(text, at) else {
                break;
            };
            let Some(whole) = groups.first().cloned().flatten() else {
                break;
            };
            let counts = whole.end > last_end || whole.start == 0;
            last_end = whole.end;
            at = text.after_rune(at).max(whole.end);
            if counts {
                found.push(groups);
            }
        }
        Ok(found)
    }

    /// The parts of a text between matches, at most so many of them where `most` is not negative.
    pub(crate) fn split(
        &self,
        text: &Haystack<'_>,
        most: i64,
        charge: &mut dyn FnMut(usize) -> Outcome<()>,
    ) -> Outcome<Vec<Range<usize>>> {
        let limit = usize::try_from(most).unwrap_or(usize::MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        if !self.is_empty && text.length == 0 {
            return Ok(std::iter::once(0..0).collect());
        }
        let mut parts: Vec<Range<usize>> = Vec::new();
        let (mut start, mut end) = (0, 0);
        for found in self.all(text, limit, charge)? {
            if most > 0 && parts.len() + 1 >= limit {
                break;
            }
            end = found.start;
            if found.end != 0 {
                parts.push(start..end);
            }
            start = found.end;
        }
        if end != text.length {
            parts.push(start..text.length);
        }
        Ok(parts)
    }
}

/// A text to look for patterns in, in which every byte that is no UTF-8 is a U+FFFD.
pub(crate) struct Haystack<'t> {
    bytes: Cow<'t, [u8]>,
    /// Where each byte was in the text, and its end; nothing where all are where they were.
    origins: Vec<usize>,
    /// Of the text as it was given.
    length: usize,
}

impl<'t> Haystack<'t> {
    pub(crate) fn new(text: &'t [u8]) -> Self {
        let length = text.len();
        if std::str::from_utf8(text).is_ok() {
            return Self {
                bytes: Cow::Borrowed(text),
                origins: Vec::new(),
                length,
            };
        }
        let mut bytes = String::with_capacity(length);
        let mut origins = Vec::with_capacity(length);
        for (start, char) in runes(text) {
            bytes.push(char);
            origins.resize(bytes.len(), start);
        }
        origins.push(length);
        Self {
            bytes: Cow::Owned(bytes.into_bytes()),
            origins,
            length,
        }
    }

    /// The rest of the text from a place in its converted bytes on.
    fn input(&self, at: usize) -> Input<'_> {
        Input::new(&*self.bytes).range(at..)
    }

    fn original(&self, at: usize) -> usize {
        if self.origins.is_empty() {
            return at;
        }
        self.origins.get(at).copied().unwrap_or(self.length)
    }

    fn converted(&self, at: usize) -> usize {
        if self.origins.is_empty() {
            return at;
        }
        self.origins.partition_point(|&origin| origin < at)
    }

    /// A place before or after a character.
    fn is_between(&self, at: usize) -> bool {
        // The bytes that continue a character are those of 0b10…
        self.bytes.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)
    }

    /// Where the character ends that begins there; past the end, one more.
    fn after_rune(&self, at: usize) -> usize {
        let mut next = self.converted(at) + 1;
        while next < self.bytes.len() && !self.is_between(next) {
            next += 1;
        }
        if next > self.bytes.len() {
            return self.length + 1;
        }
        self.original(next)
    }
}
