//! The stack that charts are rendered on.

use std::{panic::resume_unwind, thread};

use anyhow::Context as _;

use crate::exit::Failure;

/// How much of the stack templates may use, in bytes: Helm lets a template include itself a
/// thousand times.
pub(crate) const TEMPLATE_STACK_BYTES: usize = 48 << 20;
/// What the thread has, in bytes; what is not used of it costs nothing.
const THREAD_STACK_BYTES: usize = 64 << 20;

/// Does the work on a thread whose stack holds what templates may use.
pub(crate) fn with_template_stack(
    work: impl FnOnce() -> Result<(), Failure> + Send,
) -> Result<(), Failure> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .stack_size(THREAD_STACK_BYTES)
            .spawn_scoped(scope, work)
            .context("failed to start a thread")?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
