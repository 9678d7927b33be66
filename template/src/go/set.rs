//! The templates that are rendered together: all files, and all that they define.

use std::{cmp::Reverse, sync::Arc};

use cairn_spec::{Diagnostic, Origins, SourceId, Sources, Span};
use foldhash::HashMap;

use super::{
    ast::Program,
    error::Error,
    parse::{Tables, parse},
    render::Renderer,
};
use crate::{
    Limits,
    host::{Host, NoHost},
};

/// Templates, parsed once and rendered as often as needed, also at the same time.
///
/// The last definition of a name wins, except that one without content never replaces another.
#[derive(Debug, Default)]
pub struct Templates {
    by_name: HashMap<Arc<str>, Defined>,
    /// Functions that no template knows.
    unknown: &'static [&'static str],
}

/// Texts that are parsed, but in no set yet.
#[derive(Debug)]
pub struct Parsed(Vec<Arc<Program>>);

/// Where a template is defined.
#[derive(Debug, Clone)]
pub(super) struct Defined {
    pub(super) program: Arc<Program>,
    pub(super) index: usize,
}

impl Defined {
    pub(super) fn template(&self) -> &super::ast::Template {
        &self.program.templates[self.index]
    }
}

/// What a key that is missing in a map gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingKey {
    /// No value, on which further keys give no value either. Go's default.
    #[default]
    Default,
    /// The zero value of what the map holds; further keys of nil are an error.
    Zero,
    /// An error.
    Error,
}

/// How templates are rendered.
#[derive(Debug, Clone, Copy)]
pub struct Options<'h> {
    /// What a missing key gives.
    pub missing_key: MissingKey,
    /// `<no value>` is removed from what a template and `tpl` render, as Helm does.
    pub removes_no_value: bool,
    /// Where each byte came from is tracked.
    pub provenance: bool,
    /// What a render may cost.
    pub limits: Limits,
    /// Answers what templates ask for.
    pub host: &'h dyn Host,
}

impl Options<'_> {
    /// As Go renders templates.
    pub fn go() -> Self {
        Self {
            missing_key: MissingKey::Default,
            removes_no_value: false,
            provenance: true,
            limits: Limits::GO,
            host: &NoHost,
        }
    }

    /// As Helm renders charts.
    pub fn helm() -> Self {
        Self {
            missing_key: MissingKey::Zero,
            removes_no_value: true,
            ..Self::go()
        }
    }
}

impl Templates {
    /// No templates.
    pub fn new() -> Self {
        Self::default()
    }

    /// No templates, and none may call the functions that are named.
    pub fn without(functions: &'static [&'static str]) -> Self {
        Self {
            unknown: functions,
            ..Self::default()
        }
    }

    /// Parses a text and adds what it defines: the text itself under `name`, and each template
    /// in it. Helm adds the files of a chart in [`helm_order`].
    ///
    /// # Errors
    ///
    /// The first mistake in the text, in Go's words.
    pub fn add(&mut self, name: &str, sources: &Sources, source: SourceId) -> Result<(), Error> {
        let mut tables = Tables::default();
        let program = parsed(name, sources, source, self.unknown, &mut tables)?;
        add_definitions(&mut self.by_name, &Arc::new(program), |_| false);
        Ok(())
    }

    /// Parses texts for [`Self::add_parsed`]. Many threads can do that at the same time.
    ///
    /// # Errors
    ///
    /// The first mistake in the first text that has one, in Go's words.
    pub fn parse(&self, texts: &[(&str, SourceId)], sources: &Sources) -> Result<Parsed, Error> {
        let mut tables = Tables::default();
        let programs = texts.iter().map(|&(name, source)| {
            let program = parsed(name, sources, source, self.unknown, &mut tables)?;
            Ok(Arc::new(program))
        });
        Ok(Parsed(programs.collect::<Result<_, _>>()?))
    }

    /// Adds what texts define that a set with the same functions has parsed, as [`Self::add`] does
    /// one after the other.
    pub fn add_parsed(&mut self, parsed: Parsed) {
        for program in parsed.0 {
            add_definitions(&mut self.by_name, &program, |_| false);
        }
    }

    /// Whether there is a template of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The names of all templates, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.by_name.keys().map(|name| &**name).collect();
        names.sort_unstable();
        names
    }

    /// Begins a render. `origins` is the table that the origins of the values belong to.
    pub fn renderer<'a>(&'a self, origins: &'a Origins, options: &Options<'a>) -> Renderer<'a> {
        Renderer::new(self, origins, options)
    }

    pub(super) fn unknown(&self) -> &'static [&'static str] {
        self.unknown
    }

    pub(super) fn get(&self, name: &str) -> Option<&Defined> {
        self.by_name.get(name)
    }
}

fn parsed(
    name: &str,
    sources: &Sources,
    source: SourceId,
    unknown: &'static [&'static str],
    tables: &mut Tables,
) -> Result<Program, Error> {
    let text = &sources.get(source).text;
    parse(name, text, Some(source), unknown, tables).map_err(|problem| {
        let offset = u32::try_from(problem.offset).unwrap_or(u32::MAX);
        let span = Span {
            source,
            start: offset,
            end: offset,
        };
        let diagnostic = Diagnostic::error("template-syntax", problem.reason).at(span);
        Error::parse(name, problem.message, diagnostic)
    })
}

/// Adds what a program defines; `is_known` tells which names are defined elsewhere already.
pub(super) fn add_definitions(
    by_name: &mut HashMap<Arc<str>, Defined>,
    program: &Arc<Program>,
    is_known: impl Fn(&str) -> bool,
) {
    for (index, template) in program.templates.iter().enumerate() {
        let known = by_name.contains_key(&template.name) || is_known(&template.name);
        if !template.is_empty || !known {
            let defined = Defined {
                program: Arc::clone(program),
                index,
            };
            by_name.insert(Arc::clone(&template.name), defined);
        }
    }
}

/// Sorts files into the order in which Helm parses and renders them: what lies deepest first,
/// and from Z to A. So a chart's definitions replace those of its subcharts.
pub fn helm_order(names: &mut [&str]) {
    names.sort_by_cached_key(|name| Reverse((name.matches('/').count(), *name)));
}
