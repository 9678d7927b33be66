//! What a render may cost: every template is foreign input.

/// The limits of one render.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest output, and the longest text a helper may make, in bytes.
    pub output_bytes: usize,
    /// How many tags, loop rounds, helper calls and copied values a render may evaluate.
    pub steps: u64,
    /// How deep partials may include partials.
    pub partial_depth: usize,
}

/// 16 MiB: far above the 1.5 MiB that Kubernetes accepts for one object.
pub const DEFAULT_OUTPUT_BYTES: usize = 16 * 1024 * 1024;
/// About a second of work.
pub const DEFAULT_STEPS: u64 = 10_000_000;
/// Deeper inclusion is a loop.
pub const DEFAULT_PARTIAL_DEPTH: usize = 64;

/// How deep blocks, partials and calls may nest altogether while rendering: keeps the stack of
/// a thread with 2 MiB safe.
pub(crate) const MAX_NESTING: usize = 256;
/// How deep values may nest when written, as deep as the YAML reader reads.
pub(crate) const MAX_VALUE_DEPTH: usize = 128;
/// This many bytes of text cost one step.
pub(crate) const BYTES_PER_STEP: usize = 16;

impl Default for Limits {
    fn default() -> Self {
        Self {
            output_bytes: DEFAULT_OUTPUT_BYTES,
            steps: DEFAULT_STEPS,
            partial_depth: DEFAULT_PARTIAL_DEPTH,
        }
    }
}
