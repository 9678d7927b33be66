//! What a render may cost: every template is foreign input.

/// The limits of one render: of one Handlebars template, or of all Go templates of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest output, and the longest text a helper may make, in bytes.
    pub output_bytes: usize,
    /// How many tags, loop rounds, helper calls and copied values a render may evaluate.
    pub steps: u64,
    /// How deep partials may include partials; how often a Go template may be included by
    /// itself.
    pub partial_depth: usize,
    /// How much of the thread's stack Go templates may use, in bytes. Inclusion that goes deeper
    /// ends in the same error as at [`Self::partial_depth`].
    pub stack_bytes: usize,
    /// How much the values and texts of a render may hold at a time, in bytes. It is looked at
    /// now and then, so some megabytes more may be held for a moment.
    pub memory_bytes: usize,
}

/// 16 MiB: far above the 1.5 MiB that Kubernetes accepts for one object.
pub const DEFAULT_OUTPUT_BYTES: usize = 16 * 1024 * 1024;
/// About a second of work.
pub const DEFAULT_STEPS: u64 = 10_000_000;
/// Deeper inclusion is a loop.
pub const DEFAULT_PARTIAL_DEPTH: usize = 64;

/// Helm's limit.
pub const DEFAULT_INCLUDE_DEPTH: usize = 1000;
/// Some seconds of work, and at most some hundreds of megabytes of values: of a thousand public
/// charts the one that takes most takes three million.
pub const DEFAULT_GO_STEPS: u64 = 50_000_000;
/// Half of what the threads of Rust's standard library have; in release builds enough for some
/// hundreds of nested inclusions.
pub const DEFAULT_STACK_BYTES: usize = 1024 * 1024;

/// 512 MiB: the largest charts hold some dozens.
pub const DEFAULT_MEMORY_BYTES: usize = 512 * 1024 * 1024;
/// How often it is looked at how much a render holds.
pub(crate) const STEPS_BETWEEN_CHECKS: u64 = 4096;

/// How deep blocks, partials and calls may nest altogether while rendering: keeps the stack of
/// a thread with 2 MiB safe.
pub(crate) const MAX_NESTING: usize = 256;
/// How deep values may nest when written, as deep as the YAML reader reads.
pub(crate) const MAX_VALUE_DEPTH: usize = 128;
/// How deep blocks and parentheses of a Go template may nest: keeps the stack of a thread with
/// 2 MiB safe while parsing.
pub(crate) const MAX_SYNTAX_DEPTH: usize = 200;
/// How many numbers `until` and its like may count: some dozens of megabytes.
pub(crate) const MAX_COUNTED_NUMBERS: usize = 1_000_000;
/// In how many runs of bytes with another source each a text may be: some dozens of megabytes.
pub(crate) const MAX_RUNS: usize = 2_000_000;
/// This many bytes of text, or of memory, cost one step.
pub(crate) const BYTES_PER_STEP: usize = 16;
/// What a value in a list takes of memory.
pub(crate) const ITEM_STEPS: usize = 4;
/// What a text in a list takes of memory, besides its bytes.
pub(crate) const TEXT_STEPS: usize = 16;
/// What a map takes of memory, besides its entries.
pub(crate) const MAP_STEPS: usize = 48;
/// What an entry of a map takes of memory.
pub(crate) const ENTRY_STEPS: usize = 8;

impl Default for Limits {
    fn default() -> Self {
        Self {
            output_bytes: DEFAULT_OUTPUT_BYTES,
            steps: DEFAULT_STEPS,
            partial_depth: DEFAULT_PARTIAL_DEPTH,
            stack_bytes: DEFAULT_STACK_BYTES,
            memory_bytes: DEFAULT_MEMORY_BYTES,
        }
    }
}

impl Limits {
    /// The defaults for Go templates.
    pub const GO: Self = Self {
        output_bytes: DEFAULT_OUTPUT_BYTES,
        steps: DEFAULT_GO_STEPS,
        partial_depth: DEFAULT_INCLUDE_DEPTH,
        stack_bytes: DEFAULT_STACK_BYTES,
        memory_bytes: DEFAULT_MEMORY_BYTES,
    };
}
