//! A stack that templates may include themselves on as often as Helm lets them.

use std::{io, panic::resume_unwind, thread};

/// How much of such a stack templates may use ([`cairn_template::Limits::stack_bytes`]): Helm lets
/// one include itself a thousand times.
pub const DEEP_TEMPLATE_BYTES: usize = 48 << 20;
/// How large such a stack is, in bytes; what is not used of it costs nothing.
pub const DEEP_STACK_BYTES: usize = 64 << 20;

/// Does the work on a thread that has such a stack.
///
/// ```
/// use cairn_chart::{DEEP_TEMPLATE_BYTES, RenderOptions, on_deep_stack};
///
/// let used = on_deep_stack(|| {
///     let mut options = RenderOptions::new("demo");
///     options.limits.stack_bytes = DEEP_TEMPLATE_BYTES;
///     // Here a chart would be rendered.
///     options.limits.stack_bytes
/// });
/// assert_eq!(used.unwrap(), DEEP_TEMPLATE_BYTES);
/// ```
///
/// # Errors
///
/// The system starts no thread.
pub fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .stack_size(DEEP_STACK_BYTES)
            .spawn_scoped(scope, work)?;
        Ok(thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}
