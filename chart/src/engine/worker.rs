//! One thread's way through the templates of a chart.

use std::mem::replace;

use cairn_spec::{Node, Origins};
use cairn_template::{
    Limits, Value,
    go::{Options, Output, Renderer, Templates},
};

use super::{
    contexts::{Contexts, values_type},
    files::TemplateFiles,
};
use crate::{Chart, Error, RenderOptions, go_path::base, release_object::ReleaseObject};

/// Notes are rendered like all else, and so may fail, but they are no manifests.
const NOTES_SUFFIX: &str = "NOTES.txt";
/// What says in a context which template is rendered.
const TEMPLATE: &str = "Template";

/// The templates of a chart, and what they are rendered with.
pub(super) struct Job<'j> {
    pub(super) chart: &'j Chart,
    pub(super) values: &'j Node,
    pub(super) release: &'j ReleaseObject,
    pub(super) options: &'j RenderOptions<'j>,
    pub(super) origins: &'j Origins,
    pub(super) templates: &'j Templates,
    pub(super) files: &'j TemplateFiles,
    /// The paths of the templates, in Helm's order: each has a slot.
    pub(super) names: &'j [&'j str],
}

impl Job<'_> {
    /// What is to be rendered in a slot: not what is there for others to include, nor what could
    /// not be parsed.
    pub(super) fn is_rendered(&self, slot: usize) -> bool {
        let name = self.names[slot];
        !base(name).starts_with('_') && self.templates.contains(name)
    }

    /// How many templates are to be rendered.
    pub(super) fn rendered_count(&self) -> usize {
        let slots = 0..self.names.len();
        slots.filter(|slot| self.is_rendered(*slot)).count()
    }

    /// Whether what is rendered in a slot is a manifest.
    pub(super) fn is_manifest(&self, slot: usize) -> bool {
        !self.names[slot].ends_with(NOTES_SUFFIX)
    }
}

/// Renders templates of a job, with values of its own: what one template changes, those see that
/// this worker renders after it.
pub(super) struct Worker<'j> {
    job: &'j Job<'j>,
    pub(super) renderer: Renderer<'j>,
    /// `.Values` of the root chart.
    pub(super) values: Value,
    contexts: Vec<Value>,
    /// The changes of values that are known to whoever asks.
    known_changes: u64,
}

impl<'j> Worker<'j> {
    pub(super) fn new(job: &'j Job<'j>, limits: Limits) -> Self {
        let options = job.options;
        let go_options = Options {
            limits,
            provenance: options.provenance,
            host: options.host,
            ..Options::helm()
        };
        let mut renderer = job.templates.renderer(job.origins, &go_options);
        let values = renderer.typed_value(job.values, values_type(options.dialect));
        let contexts = Contexts::by_chart(
            job.chart,
            values.clone(),
            job.release,
            options,
            &mut renderer,
        );
        Self {
            job,
            renderer,
            values,
            contexts,
            known_changes: 0,
        }
    }

    /// How many steps it may still take.
    pub(super) fn steps_left(&self) -> u64 {
        let limit = self.job.options.limits.steps;
        limit.saturating_sub(self.renderer.steps())
    }

    /// Whether templates changed what those see that are rendered after them, since this was last
    /// asked.
    pub(super) fn takes_changes(&mut self) -> bool {
        let changes = self.renderer.changes();
        replace(&mut self.known_changes, changes) != changes
    }

    /// Has all templates see that what is in a slot is rendered: others see it in `.Subcharts`.
    pub(super) fn enter(&mut self, slot: usize) {
        let job = self.job;
        let name = job.names[slot];
        let file = &job.files.by_path[name];
        let template = [
            ("Name", Value::from(name)),
            ("BasePath", Value::from(file.base_path.as_str())),
        ];
        let of = values_type(job.options.dialect);
        self.contexts[file.chart].insert(TEMPLATE, Value::typed_map(template, of));
    }

    /// Has all templates see that what is in a slot, and all after it, was never rendered.
    pub(super) fn leave(&mut self, slot: usize) {
        let job = self.job;
        let chart = |slot: usize| job.files.by_path[job.names[slot]].chart;
        let number = chart(slot);
        let mut before = (0..slot).rev();
        match before.find(|&other| chart(other) == number && job.is_rendered(other)) {
            Some(other) => self.enter(other),
            None => self.contexts[number].remove(TEMPLATE),
        }
    }

    /// Renders what is in a slot.
    pub(super) fn render(&mut self, slot: usize) -> Result<Output, Error> {
        self.enter(slot);
        let job = self.job;
        let name = job.names[slot];
        let file = &job.files.by_path[name];
        let context = &self.contexts[file.chart];
        let output = self.renderer.render_because(name, context, &file.because);
        output.map_err(|error| Error::of_template(error, job.options.dialect))
    }
}
