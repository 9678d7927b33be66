//! Executes the templates of a chart and of all charts in it: what each of them sees, and in which
//! order Helm comes by them.

mod contexts;
mod files;
mod parsing;
mod second;
mod worker;

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
    thread,
};

use cairn_spec::{Node, Origins, Sources};
use cairn_template::{Beside, Spans, go::helm_order};

use self::{
    files::TemplateFiles,
    parsing::Parsing,
    second::{Division, Second},
    worker::{Job, Worker},
};
use crate::{
    Chart, Error, RenderOptions,
    manifest::{Heads, Reader, RenderedFile, Slot},
    release_object::ReleaseObject,
};

/// What must hold before templates are parsed and rendered. It is asked more than once.
pub(crate) type Check<'c> = &'c (dyn Fn() -> Result<(), Error> + Sync);

/// What all templates of a chart rendered, in the order of their paths. `seen` is what they find in
/// `.Values` and `.Release`. If `check` fails, its error comes before all others; where there are two
/// threads, one checks while the other already parses.
pub(crate) fn execute(
    chart: &Chart,
    seen: (&Node, &ReleaseObject),
    options: &RenderOptions<'_>,
    (sources, origins): (&Sources, &Origins),
    check: Check<'_>,
) -> Result<Vec<(RenderedFile, Heads)>, Error> {
    run(chart, seen, options, (sources, origins), (check, None))
}

/// What comes of all templates when those that fail are passed over.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    pub(crate) files: Vec<RenderedFile>,
    pub(crate) failures: Vec<Error>,
    /// JSON Pointers to what of the values was read.
    pub(crate) read: BTreeSet<String>,
}

/// As [`execute`], but goes on after failures.
pub(crate) fn execute_all(
    chart: &Chart,
    seen: (&Node, &ReleaseObject),
    options: &RenderOptions<'_>,
    (sources, origins): (&Sources, &Origins),
) -> Tried {
    let mut tried = Tried::default();
    // What ends the render is among the failures.
    let unchecked = || Ok(());
    let how = (&unchecked as Check<'_>, Some(&mut tried));
    let files = run(chart, seen, options, (sources, origins), how);
    let files = files.unwrap_or_default().into_iter();
    tried.files = files.map(|(file, _)| file).collect();
    tried
}

/// Where all templates are tried, a failure is only noted, unless it is of a limit: what one
/// template has spent, none after it has.
fn note(error: Error, tried: &mut Option<&mut Tried>) -> Result<(), Error> {
    let Some(tried) = tried else {
        return Err(error);
    };
    let is_over_limit = error.diagnostic().code == "template-limit";
    tried.failures.push(error.clone());
    if is_over_limit { Err(error) } else { Ok(()) }
}

fn run(
    chart: &Chart,
    (values, release): (&Node, &ReleaseObject),
    options: &RenderOptions<'_>,
    (sources, origins): (&Sources, &Origins),
    (check, mut tried): (Check<'_>, Option<&mut Tried>),
) -> Result<Vec<(RenderedFile, Heads)>, Error> {
    let mut files = TemplateFiles::default();
    files.add(chart, chart.name(), &[]);
    let mut names: Vec<&str> = files.by_path.keys().map(|path| &**path).collect();
    helm_order(&mut names);
    let texts: Vec<_> = names
        .iter()
        .map(|name| (*name, files.by_path[*name].source))
        .collect();
    let places: Vec<_> = names.iter().map(|_| Slot::default()).collect();
    let (parsing, division) = (
        Parsing::new(&texts, sources, options.dialect),
        Division::new(names.len()),
    );
    let (templates, job) = (OnceLock::new(), OnceLock::new());
    let mut spans = thread::scope(|scope| {
        let beside = parsing.is_long().then(|| Beside::begin(scope));
        let reader = Reader::new(scope, &places, options.dialect, beside);
        match reader.beside() {
            Some(beside) => beside.give(|| drop(check())),
            None => check()?,
        }
        let parsed = match &mut tried {
            None => parsing.all(reader.beside()),
            Some(_) => parsing.each(|error| note(error, &mut tried)),
        };
        check()?;
        let parsed = parsed?;
        let job = job.get_or_init(|| Job {
            chart,
            values,
            release,
            options,
            origins,
            templates: templates.get_or_init(|| parsed),
            files: &files,
            names: &names,
        });
        let second = match reader.beside() {
            Some(beside) if tried.is_none() => Second::begin(job, &division, beside),
            _ => Second::Absent,
        };
        render(job, second, reader, tried)
    })?;
    spans.sort_unstable_by_key(|(slot, _)| *slot);
    let read = places.into_iter().filter_map(Slot::into_read);
    let mut files: Vec<_> = spans
        .into_iter()
        .zip(read)
        .map(|((slot, spans), (bytes, heads))| {
            let path = Arc::from(names[slot]);
            let file = RenderedFile { path, bytes, spans };
            (file, heads)
        })
        .collect();
    files.sort_by(|(left, _), (right, _)| left.path.cmp(&right.path));
    Ok(files)
}

/// Renders all templates in their order. Gives where the manifests among them came from, with their
/// slots; their texts go to `reader`.
fn render<'scope>(
    job: &'scope Job<'scope>,
    mut second: Second<'scope>,
    mut reader: Reader<'scope, '_>,
    mut tried: Option<&mut Tried>,
) -> Result<Vec<(usize, Spans)>, Error> {
    let mut worker = Worker::new(job, job.options.limits);
    let (mut slots, mut outputs) = (Vec::new(), Vec::new());
    for slot in 0..job.names.len() {
        if second.has(slot, &worker, reader.beside()) {
            break;
        }
        if !job.is_rendered(slot) {
            continue;
        }
        match worker.render(slot) {
            Ok(mut output) if job.is_manifest(slot) => {
                reader.add(slot, output.take_bytes());
                slots.push(slot);
                outputs.push(output);
            }
            Ok(_) => {}
            Err(error) => {
                second.dismiss();
                note(error, &mut tried)?;
            }
        }
        if worker.takes_changes() {
            second.follow(slot);
        }
    }
    if let Some(tried) = tried {
        tried.read = worker.renderer.read(job.values, &worker.values);
    }
    let outputs = worker.renderer.finish(outputs).into_iter();
    let spans = outputs.map(|output| output.spans);
    let mut spans: Vec<_> = slots.into_iter().zip(spans).collect();
    for (slot, output) in second.finish() {
        reader.add(slot, output.bytes);
        spans.push((slot, output.spans));
    }
    reader.finish();
    Ok(spans)
}
