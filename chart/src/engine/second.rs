//! Rendering with two threads: one takes the templates in their order, as if it were alone, and
//! another one from the end. What that one rendered counts only where the first would have rendered
//! the same, so nothing that comes of a chart depends on it.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cairn_template::{Beside, DEFAULT_STACK_BYTES, Limits, go::Rendered};

use super::worker::{Job, Worker};

/// The other thread may hold so many times less than the first: what needs more, that one renders.
const MEMORY_SHARE: usize = 4;

/// How two threads divide the slots.
#[derive(Default)]
pub(super) struct Division {
    /// Those that none has taken.
    untaken: Mutex<Range<usize>>,
    share: Mutex<Option<Share>>,
}

impl Division {
    fn untaken(&self) -> MutexGuard<'_, Range<usize>> {
        self.untaken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn share(&self) -> MutexGuard<'_, Option<Share>> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first(&self) -> Option<usize> {
        self.untaken().next()
    }

    fn last(&self) -> Option<usize> {
        self.untaken().next_back()
    }

    /// Nobody takes anything any more.
    fn close(&self) {
        let mut untaken = self.untaken();
        untaken.end = untaken.start;
    }
}

/// What the other thread rendered: all from a slot on.
pub(super) struct Share {
    from: usize,
    outputs: Vec<(usize, Rendered)>,
    steps: u64,
}

/// What the thread that takes the templates in their order has of the other one.
pub(super) enum Second<'j> {
    /// There is none, or nothing that it renders counts.
    Absent,
    Working(&'j Division),
    Done(Share),
}

impl<'j> Second<'j> {
    /// Has the other thread render templates.
    pub(super) fn begin(job: &'j Job<'j>, division: &'j Division, beside: &Beside<'j>) -> Self {
        // Where all comes from is known to one thread only.
        if job.options.provenance {
            return Self::Absent;
        }
        *division.untaken() = 0..job.names.len();
        beside.give(|| render_from_the_end(job, division));
        Self::Working(division)
    }

    /// Whether the other thread has rendered what is in a slot and in all after it; else the slot
    /// is taken, in their order, for the first thread to render.
    pub(super) fn has(
        &mut self,
        slot: usize,
        first: &Worker<'_>,
        beside: Option<&Beside<'_>>,
    ) -> bool {
        if let Self::Working(division) = self {
            if division.first() == Some(slot) {
                return false;
            }
            if let Some(beside) = beside {
                beside.catch_up();
            }
            // Alone, the first thread would have taken no more steps than both.
            let left = first.steps_left();
            let share = division.share().take();
            *self = match share.filter(|share| share.steps <= left) {
                Some(share) => Self::Done(share),
                None => Self::Absent,
            };
        }
        matches!(self, Self::Done(share) if share.from <= slot)
    }

    /// A template changed what those after it see, and the other thread does not know that.
    pub(super) fn dismiss(&mut self) {
        if let Self::Working(division) = self {
            division.close();
        }
        *self = Self::Absent;
    }

    /// What the other thread rendered, with its slots.
    pub(super) fn finish(self) -> Vec<(usize, Rendered)> {
        match self {
            Self::Done(share) => share.outputs,
            Self::Absent | Self::Working(_) => Vec::new(),
        }
    }
}

/// Renders the last template that nobody has taken, until none is left or one does what only the
/// first thread may.
fn render_from_the_end(job: &Job<'_>, division: &Division) {
    let limits = job.options.limits;
    let mut worker = Worker::new(
        job,
        Limits {
            stack_bytes: limits.stack_bytes.min(DEFAULT_STACK_BYTES),
            memory_bytes: limits.memory_bytes / MEMORY_SHARE,
            ..limits
        },
    );
    let mut from = job.names.len();
    let (mut slots, mut outputs) = (Vec::new(), Vec::new());
    while let Some(slot) = division.last() {
        if job.is_rendered(slot) {
            // What the failure is, the first thread will say.
            let Ok(output) = worker.render(slot) else {
                division.close();
                break;
            };
            if worker.renderer.has_changed_values() {
                division.close();
                break;
            }
            if job.is_manifest(slot) {
                slots.push(slot);
                outputs.push(output);
            }
        }
        from = slot;
    }
    // What it changed, those were to see that this thread had rendered before.
    if !worker.renderer.has_changed_values() {
        let steps = worker.renderer.steps();
        let outputs = slots.into_iter().zip(worker.renderer.finish(outputs));
        *division.share() = Some(Share {
            from,
            outputs: outputs.collect(),
            steps,
        });
    }
}

#[cfg(test)]
mod tests {
    use cairn_spec::{Node, Origins, Sources};

    use crate::{ChartFile, ManifestOptions, RenderOptions, load, render, values::Overrides};

    /// Which thread renders what is another matter each time.
    const ROUNDS: usize = 5;
    const TEMPLATES: usize = 12;

    /// The chart's manifest, or Helm's message.
    fn outcome(templates: &[String], options: &RenderOptions<'_>) -> String {
        let long = format!("{{{{/* {} */}}}}", "x".repeat(60 << 10));
        let mut files = vec![
            ChartFile::new("Chart.yaml", "{apiVersion: v2, name: web, version: 1.2.3}"),
            ChartFile::new("values.yaml", "{count: 0, map: {}}"),
            ChartFile::new("templates/_long.tpl", long),
        ];
        for (number, text) in templates.iter().enumerate() {
            // Helm renders the last first.
            let path = format!("templates/{:02}.yaml", templates.len() - number);
            files.push(ChartFile::new(path, text.clone()));
        }
        let (mut sources, mut origins) = (Sources::new(), Origins::new());
        let chart = load(files, "web", &mut sources, &mut origins).unwrap();
        let values: Node = Overrides::default()
            .merge(options.dialect, &mut sources, &mut origins, &mut |_| {
                unreachable!("no file is named")
            })
            .unwrap();
        match render(chart, &values, options, &mut sources, &mut origins) {
            Ok(release) => {
                let manifest = release.manifest(&ManifestOptions::default()).unwrap();
                String::from_utf8(manifest).unwrap()
            }
            Err(error) => error.helm_message().to_owned(),
        }
    }

    /// Two threads make of it what one does.
    fn assert_same(templates: &[String], options: &RenderOptions<'_>) -> String {
        let alone = RenderOptions {
            provenance: true,
            ..options.clone()
        };
        let expected = outcome(templates, &alone);
        for _ in 0..ROUNDS {
            assert_eq!(outcome(templates, options), expected);
        }
        expected
    }

    fn options() -> RenderOptions<'static> {
        RenderOptions {
            provenance: false,
            ..RenderOptions::new("demo")
        }
    }

    /// Each says what it sees, and takes a while.
    fn plain() -> Vec<String> {
        let see = "a: {{ .Template.Name }}\nn: {{ .Values.count }}\nm: {{ .Values.map }}\n";
        let busy = "{{ range until 300 }}{{ $_ := add . 1 }}{{ end }}";
        vec![format!("{see}{busy}"); TEMPLATES]
    }

    #[test]
    fn all_is_rendered_once() {
        let manifest = assert_same(&plain(), &options());
        assert_eq!(manifest.matches("n: 0").count(), TEMPLATES);
    }

    #[test]
    fn what_one_changes_those_after_it_see() {
        for change in [
            r#"set .Values "count" 1"#,
            r#"unset .Values "count""#,
            r#"set .Values.map "k" (dict)"#,
            r#"mergeOverwrite .Values (dict "count" 2)"#,
            r#"set . "Values" (dict "count" 3)"#,
        ] {
            for number in 0..TEMPLATES {
                let mut templates = plain();
                templates[number] = format!("{}{{{{ $_ := {change} }}}}", templates[number]);
                let manifest = assert_same(&templates, &options());
                assert_eq!(
                    manifest.matches("n: 0\nm: map[]\n").count(),
                    number + 1,
                    "{change}"
                );
            }
        }
    }

    #[test]
    fn the_first_failure_is_told() {
        for number in 0..TEMPLATES - 1 {
            let mut templates = plain();
            templates[number].push_str(r#"{{ fail "this" }}"#);
            templates[TEMPLATES - 1].push_str(r#"{{ fail "that" }}"#);
            assert!(assert_same(&templates, &options()).contains("this"));
        }
    }

    #[test]
    fn all_templates_share_one_budget() {
        let mut options = options();
        options.limits.steps = 12_000;
        let told = assert_same(&plain(), &options);
        assert!(told.contains("more than 12000 evaluation steps"), "{told}");
    }

    #[test]
    fn what_needs_much_is_rendered_all_the_same() {
        let mut options = options();
        options.limits.memory_bytes = 16 << 20;
        let mut templates = plain();
        for template in &mut templates {
            template.push_str("\nheld: {{ $held := until 100000 }}{{ len $held }}\n");
        }
        let manifest = assert_same(&templates, &options);
        assert_eq!(manifest.matches("100000").count(), TEMPLATES, "{manifest}");
    }
}
