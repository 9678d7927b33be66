//! All templates and partials of one pack, parsed once and rendered as often as needed.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use cairn_spec::{Diagnostic, Diagnostics, Node, Origins, SourceId, Sources, suggest};

use crate::{
    Limits, Spans,
    handlebars::{Evaluator, Program, parse, unknown_partial},
    writer::utf8,
};

/// All templates and partials of one pack.
#[derive(Debug, Default)]
pub struct TemplateSet {
    templates: HashMap<Arc<str>, Program>,
    partials: HashMap<Arc<str>, Program>,
}

/// What a template rendered.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Where each byte of the text came from.
    pub spans: Spans,
    /// JSON Pointers to what the template read of its context, such as `/values/replicas`.
    /// A list or map is named when it was read as a whole; that a block looped over it, or asked
    /// whether it is empty, counts only if it is.
    pub read: BTreeSet<String>,
}

impl TemplateSet {
    /// No templates.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses a template. What is wrong with it is reported, and rendering it then gives nothing.
    pub fn add_template(
        &mut self,
        name: &str,
        sources: &Sources,
        source: SourceId,
        diagnostics: &mut Diagnostics,
    ) {
        let program = parse(name, &sources.get(source).text, source, diagnostics);
        self.templates.insert(Arc::clone(&program.name), program);
    }

    /// Parses a partial, to be included as `{{> name}}`.
    pub fn add_partial(
        &mut self,
        name: &str,
        sources: &Sources,
        source: SourceId,
        diagnostics: &mut Diagnostics,
    ) {
        let program = parse(name, &sources.get(source).text, source, diagnostics);
        self.partials.insert(Arc::clone(&program.name), program);
    }

    /// Reports the partials that are named but missing, also where no render may come by.
    pub fn check(&self, diagnostics: &mut Diagnostics) {
        let mut programs: Vec<&Program> = self
            .templates
            .values()
            .chain(self.partials.values())
            .collect();
        programs.sort_by_key(|program| program.source);
        for (name, span) in programs.into_iter().flat_map(|program| &program.partials) {
            if !self.partials.contains_key(name) {
                diagnostics.push(unknown_partial(name, *span, &self.partials));
            }
        }
    }

    /// Renders a template. `origins` is the table that the origins in `context` belong to.
    ///
    /// # Errors
    ///
    /// Every mistake that was found: after one the render goes on where it can.
    pub fn render(
        &self,
        name: &str,
        context: &Node,
        origins: &Origins,
        limits: &Limits,
    ) -> Result<Rendered, Diagnostics> {
        let Some(program) = self.templates.get(name) else {
            let names = self.templates.keys().map(|name| &**name);
            let mut diagnostics = Diagnostics::new();
            diagnostics.push(
                Diagnostic::error(
                    "template-undefined",
                    format!("there is no template `{name}`"),
                )
                .maybe_hint(suggest(name, names)),
            );
            return Err(diagnostics);
        };
        let evaluator = Evaluator::new(program, &self.partials, context, origins, limits);
        let (text, root, state) = evaluator.run(program)?;
        let read = state.read_paths(context, &root);
        let (text, runs, gaps) = text.into_parts();
        Ok(Rendered {
            text: utf8(&text).to_owned(),
            spans: Spans::new(runs, gaps, Arc::new(state.tracker)),
            read,
        })
    }
}
