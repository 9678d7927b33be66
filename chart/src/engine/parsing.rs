//! Parses the templates of a chart: where they are long, two threads do it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use cairn_spec::{SourceId, Sources};
use cairn_template::{
    Beside,
    go::{self, Parsed, Templates},
};

use crate::{Dialect, Error};

/// Templates that are shorter than this together are parsed and rendered sooner than a thread
/// begins, in bytes.
const PARALLEL_BYTES: usize = 32 << 10;

/// The texts of templates with their names, in Helm's order, and what is parsed of them.
pub(super) struct Parsing<'p> {
    texts: &'p [(&'p str, SourceId)],
    sources: &'p Sources,
    dialect: Dialect,
    /// Where the second half of the bytes begins.
    middle: usize,
    bytes: usize,
    of_second: Mutex<Option<Result<Parsed, go::Error>>>,
}

impl<'p> Parsing<'p> {
    pub(super) fn new(
        texts: &'p [(&'p str, SourceId)],
        sources: &'p Sources,
        dialect: Dialect,
    ) -> Self {
        let lengths = || {
            let texts = texts.iter();
            texts.map(|(_, source)| sources.get(*source).text.len())
        };
        let bytes = lengths().sum();
        let mut before = 0;
        let in_first_half = lengths().take_while(|length| {
            before += length;
            before <= bytes / 2
        });
        Self {
            texts,
            sources,
            dialect,
            middle: in_first_half.count().max(1).min(texts.len()),
            bytes,
            of_second: Mutex::default(),
        }
    }

    /// Whether they are worth another thread.
    pub(super) fn is_long(&self) -> bool {
        self.bytes >= PARALLEL_BYTES
    }

    /// Parses all, with another thread if there is one. The first mistake in them ends it.
    pub(super) fn all<'scope>(
        &'scope self,
        beside: Option<&Beside<'scope>>,
    ) -> Result<Templates, Error> {
        let (first, second) = self.texts.split_at(self.middle);
        if let Some(beside) = beside {
            beside.give(|| *self.of_second() = Some(self.parse(second)));
        }
        let of_first = self.parse(first);
        if let Some(beside) = beside {
            beside.catch_up();
        }
        let of_second = self.of_second().take();
        let of_second = of_second.unwrap_or_else(|| self.parse(second));
        let mut templates = self.no_templates();
        for parsed in [of_first, of_second] {
            let parsed = parsed.map_err(|error| Error::of_template(error, self.dialect))?;
            templates.add_parsed(parsed);
        }
        Ok(templates)
    }

    /// Parses one after the other. Those with mistakes are left out, as long as `note` lets it go
    /// on.
    pub(super) fn each(
        &self,
        mut note: impl FnMut(Error) -> Result<(), Error>,
    ) -> Result<Templates, Error> {
        let mut templates = self.no_templates();
        for &(name, source) in self.texts {
            if let Err(error) = templates.add(name, self.sources, source) {
                note(Error::of_template(error, self.dialect))?;
            }
        }
        Ok(templates)
    }

    fn of_second(&self) -> MutexGuard<'_, Option<Result<Parsed, go::Error>>> {
        self.of_second
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn parse(&self, texts: &[(&str, SourceId)]) -> Result<Parsed, go::Error> {
        self.no_templates().parse(texts, self.sources)
    }

    fn no_templates(&self) -> Templates {
        Templates::without(unknown_functions(self.dialect))
    }
}

/// Functions of Helm 4 that Helm 3 does not have.
fn unknown_functions(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Helm4 => &[],
        Dialect::Helm3 => &["mustToToml", "mustToYaml"],
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use cairn_spec::{Origins, SourceKind};
    use cairn_template::{Value, go::Options};

    use super::*;

    /// Parses texts between which a long one stands, with two threads.
    fn parsed(before: &str, after: &str) -> Result<Templates, String> {
        let long = "x".repeat(PARALLEL_BYTES);
        let mut sources = Sources::new();
        let texts = [("a", before), ("b", long.as_str()), ("c", after)]
            .map(|(name, text)| (name, sources.add(name, text, SourceKind::Template)));
        let parsing = Parsing::new(&texts, &sources, Dialect::default());
        assert!(parsing.is_long());
        assert_eq!(parsing.middle, 1);
        let templates = thread::scope(|scope| parsing.all(Some(&Beside::begin(scope))));
        templates.map_err(|error| error.helm_message().to_owned())
    }

    #[test]
    fn long_texts_count_in_their_order() {
        let templates = parsed(
            r#"{{define "t"}}1{{end}}"#,
            r#"{{define "t"}}2{{end}}{{template "t"}}"#,
        );
        let templates = templates.unwrap();
        let origins = Origins::new();
        let mut renderer = templates.renderer(&origins, &Options::go());
        let output = renderer.render("c", &Value::missing()).unwrap();
        assert_eq!(output.as_bytes(), b"2");
    }

    #[test]
    fn the_first_mistake_is_told() {
        let told = |before, after| parsed(before, after).unwrap_err();
        assert!(told("{{", "{{end}}").contains("(a:1)"));
        assert!(told("", "{{end}}").contains("(c:1)"));
    }

    #[test]
    fn there_may_be_nothing_to_parse() {
        let sources = Sources::new();
        let parsing = Parsing::new(&[], &sources, Dialect::default());
        assert!(!parsing.is_long());
        assert!(parsing.all(None).unwrap().names().is_empty());
    }
}
