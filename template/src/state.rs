//! What a render carries along, whatever the template language: the tracker of origins, the
//! budget, and which values were read.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use cairn_spec::{Diagnostic, Node, Origins, Span, Value as Tree};

use crate::{
    Limits,
    call::CallSite,
    go_regexp::Patterns,
    host::{Host, NoHost},
    limits::{
        BYTES_PER_STEP, ENTRY_STEPS, ITEM_STEPS, MAP_STEPS, MAX_RUNS, MAX_VALUE_DEPTH,
        STEPS_BETWEEN_CHECKS, TEXT_STEPS,
    },
    memory::held_bytes,
    rereading::Rereading,
    spans::{CauseId, CauseKind, Class, Mark, OriginSet, Tracker},
    value::{Data, Standing, Value},
    writer::Text,
};

/// Why an evaluation has no result.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) diagnostic: Box<Diagnostic>,
    /// A limit was hit, so nothing more can be evaluated.
    pub(crate) fatal: bool,
    /// How Go words the way from the template to the failure; none in Handlebars.
    pub(crate) trace: Option<Box<Trace>>,
}

/// What Go puts before the reason of a failure.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// One for each error that wraps another, the outermost last.
    pub(crate) prefixes: Vec<String>,
    /// The reason is part of the innermost prefix's error, and none that this wraps.
    pub(crate) is_direct: bool,
    /// The reason is a message that the template gave with `fail` or `required`.
    pub(crate) is_message: bool,
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostic: Box::new(diagnostic),
            fatal: false,
            trace: None,
        }
    }
}

impl Failure {
    /// The same with advice.
    pub(crate) fn hint(mut self, hint: &str) -> Self {
        self.diagnostic.hint = Some(hint.to_owned());
        self
    }

    pub(crate) fn limit(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostic: Box::new(diagnostic),
            fatal: true,
            trace: None,
        }
    }

    /// The failure as one that wraps it says it: `prefix` before all that was said so far.
    pub(crate) fn within(mut self, prefix: String) -> Self {
        self.trace.get_or_insert_default().prefixes.push(prefix);
        self
    }
}

/// The state of one render.
pub(crate) struct State<'a> {
    pub(crate) tracker: Tracker,
    pub(crate) origins: &'a Origins,
    /// Why what is evaluated now is evaluated at all.
    pub(crate) cause: CauseId,
    /// The tag that is evaluated now.
    pub(crate) place: Span,
    /// Where all is said to come from when nothing is tracked.
    start: Span,
    pub(crate) limits: Limits,
    /// Answers what a render may not find out by itself.
    pub(crate) host: &'a dyn Host,
    /// The regular expressions that were used, compiled.
    pub(crate) patterns: Patterns,
    pub(crate) rereading: Rereading,
    /// How often each call site asked for a generated value.
    pub(crate) generated: HashMap<CallSite, u32>,
    /// The template that is being rendered.
    pub(crate) rendering: Arc<str>,
    steps: u64,
    /// At how many steps it is looked at again what was spent.
    checkpoint: u64,
    /// What the values of other renders of this thread hold, in bytes.
    held_before: usize,
    /// How many nodes of contexts were thawed.
    nodes: u32,
    /// A bit for each of them: it was read, whole.
    read: Vec<u64>,
}

impl<'a> State<'a> {
    pub(crate) fn new(origins: &'a Origins, limits: &Limits, place: Span) -> Self {
        Self {
            tracker: Tracker::new(),
            origins,
            cause: CauseId::default(),
            place,
            start: place,
            limits: Limits {
                output_bytes: limits.output_bytes.min(u32::MAX as usize),
                ..*limits
            },
            host: &NoHost,
            patterns: Patterns::default(),
            rereading: Rereading::default(),
            generated: HashMap::new(),
            rendering: Arc::default(),
            steps: 0,
            checkpoint: 0,
            held_before: held_bytes(),
            nodes: 0,
            read: Vec::new(),
        }
    }

    /// How much work was counted.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// Counts work against the budget.
    pub(crate) fn step(&mut self, steps: usize) -> Outcome<()> {
        self.charge(steps);
        if self.steps <= self.checkpoint {
            return Ok(());
        }
        self.check_spent()
    }

    /// Whether more was spent than may be.
    fn check_spent(&mut self) -> Outcome<()> {
        let limits = self.limits;
        if self.steps > limits.steps {
            let message = format!(
                "rendering takes more than {} evaluation steps",
                limits.steps
            );
            return Err(self.over_limit(message, "loop over less, or split the template"));
        }
        if held_bytes().saturating_sub(self.held_before) > limits.memory_bytes {
            let message = format!(
                "rendering holds more than {} bytes of values and texts",
                limits.memory_bytes
            );
            return Err(self.over_limit(message, "keep less in lists, maps and variables"));
        }
        let next = self.steps.saturating_add(STEPS_BETWEEN_CHECKS);
        self.checkpoint = next.min(limits.steps);
        Ok(())
    }

    fn over_limit(&self, message: String, hint: &str) -> Failure {
        Failure::limit(
            Diagnostic::error("template-limit", message)
                .label(self.place, "the limit was reached here")
                .hint(hint),
        )
    }

    /// Counts work where there is no way to stop; the next step will.
    pub(crate) fn charge(&mut self, steps: usize) {
        self.steps = self
            .steps
            .saturating_add(u64::try_from(steps).unwrap_or(u64::MAX));
    }

    /// Counts the making of a list.
    pub(crate) fn make_items(&mut self, count: usize) -> Outcome<()> {
        self.step(count.saturating_mul(ITEM_STEPS))
    }

    /// Counts the making of a list of texts.
    pub(crate) fn make_texts(&mut self, count: usize) -> Outcome<()> {
        self.step(count.saturating_mul(ITEM_STEPS + TEXT_STEPS))
    }

    /// Counts the making of a map.
    pub(crate) fn make_map(&mut self, count: usize) -> Outcome<()> {
        self.step(MAP_STEPS.saturating_add(count.saturating_mul(ENTRY_STEPS)))
    }

    /// Refuses a text that is longer than any output may be, and counts the work of making it.
    pub(crate) fn check_length(&mut self, length: usize) -> Outcome<()> {
        if length > self.limits.output_bytes {
            let message = format!("the text is longer than {} bytes", self.limits.output_bytes);
            return Err(Failure::limit(
                Diagnostic::error("template-limit", message)
                    .label(self.place, "the limit was reached here"),
            ));
        }
        self.step(length / BYTES_PER_STEP)
    }

    /// As [`Self::check_length`]; and refuses a text that came from more places than can be kept.
    pub(crate) fn check_text(&mut self, text: &Text) -> Outcome<()> {
        self.check_length(text.len())?;
        self.check_runs(text)
    }

    pub(crate) fn check_runs(&self, text: &Text) -> Outcome<()> {
        if text.run_count() <= MAX_RUNS {
            return Ok(());
        }
        let message = format!("the text came from more than {MAX_RUNS} places");
        Err(Failure::limit(
            Diagnostic::error("template-limit", message)
                .label(self.place, "the limit was reached here"),
        ))
    }

    /// Refuses values that nest deeper than YAML may.
    pub(crate) fn check_depth(&self, depth: usize) -> Outcome<()> {
        if depth <= MAX_VALUE_DEPTH {
            return Ok(());
        }
        let message = format!("values are nested more than {MAX_VALUE_DEPTH} levels deep");
        Err(Failure::limit(
            Diagnostic::error("template-limit", message).at(self.place),
        ))
    }

    /// A mark for bytes that are written now.
    pub(crate) fn mark(&self, place: Span, class: Class, origins: OriginSet) -> Mark {
        if self.tracker.is_off() {
            return Mark {
                place: self.start,
                class: Class::Template,
                origins: OriginSet::EMPTY,
                cause: CauseId::default(),
            };
        }
        Mark {
            place,
            class,
            origins,
            cause: self.cause,
        }
    }

    /// The current cause, and below it the choice that `origins` decided, if there was one.
    pub(crate) fn cause_of(&mut self, origins: OriginSet, place: Span) -> CauseId {
        if origins == OriginSet::EMPTY {
            return self.cause;
        }
        self.tracker
            .add_cause(CauseKind::Choice, place, origins, self.cause)
    }

    /// Enters a region of the output that is there because of `origins`; gives what to set
    /// [`Self::cause`] back to.
    pub(crate) fn enter(&mut self, kind: CauseKind, place: Span, origins: OriginSet) -> CauseId {
        let outer = self.cause;
        self.cause = self.tracker.add_cause(kind, place, origins, outer);
        outer
    }

    /// The number of a further node of a context.
    pub(crate) fn next_node(&mut self) -> u32 {
        self.nodes = (self.nodes + 1).min(Standing::MAX_NODE);
        self.nodes
    }

    /// Remembers that a value of the context was read with all that is in it.
    pub(crate) fn read_whole(&mut self, value: &Value) {
        let number = value.standing.node() as usize;
        if number == 0 {
            return;
        }
        let word = number / 64;
        if self.read.len() <= word {
            self.read.resize(self.nodes as usize / 64 + 1, 0);
        }
        self.read[word] |= 1 << (number % 64);
    }

    /// Remembers that it was asked what a value of the context is, but not what is in it.
    pub(crate) fn read_shallow(&mut self, value: &Value) {
        let has_children = match &value.data {
            Data::List(list) => !list.items().is_empty(),
            Data::Map(map) => !map.is_empty(),
            _ => false,
        };
        if !has_children {
            self.read_whole(value);
        }
    }

    /// The JSON Pointers of everything that was read in `context`, which was thawed as `value`.
    pub(crate) fn read_paths(&self, context: &Node, value: &Value) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        let mut number = value.standing.node();
        self.collect_read(context, &mut number, &mut String::new(), &mut paths);
        paths
    }

    /// Counts the nodes as they were thawed.
    fn collect_read(
        &self,
        node: &Node,
        number: &mut u32,
        path: &mut String,
        paths: &mut BTreeSet<String>,
    ) {
        let index = *number as usize;
        let is_read = self
            .read
            .get(index / 64)
            .is_some_and(|word| word & (1 << (index % 64)) != 0);
        if is_read {
            paths.insert(path.clone());
            node.walk(&mut |_| *number += 1);
            return;
        }
        *number += 1;
        let length = path.len();
        match &node.value {
            Tree::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push('/');
                    path.push_str(&index.to_string());
                    self.collect_read(item, number, path, paths);
                    path.truncate(length);
                }
            }
            Tree::Map(map) => {
                for (key, item) in map.iter() {
                    path.push('/');
                    path.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    self.collect_read(item, number, path, paths);
                    path.truncate(length);
                }
            }
            _ => {}
        }
    }
}
