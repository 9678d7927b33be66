//! The stack that charts are rendered on.

use anyhow::Context as _;
use cairn_chart::{DEEP_STACK_BYTES, on_deep_stack};

use crate::exit::Failure;

/// Does the work on a stack that holds what templates may use: on the one of the process where it
/// may grow so far, for a thread has to be made and has a heap of its own, which grows by single
/// pages.
pub(crate) fn with_template_stack(
    work: impl FnOnce() -> Result<(), Failure> + Send,
) -> Result<(), Failure> {
    if main_stack_grows_to(DEEP_STACK_BYTES) {
        return work();
    }
    on_deep_stack(work).context("failed to start a thread")?
}

/// Whether this is the main thread's stack, and the system lets it grow to `bytes` from now on.
///
/// Linux keeps at least 128 MiB free below it, whatever the limit was when the process began, and
/// asks for the limit anew each time the stack grows.
#[cfg(target_os = "linux")]
fn main_stack_grows_to(bytes: usize) -> bool {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let is_main = rustix::thread::gettid() == rustix::process::getpid();
    let limit = getrlimit(Resource::Stack);
    let bytes = bytes as u64;
    let is_enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= bytes);
    is_main
        && (is_enough(limit.current)
            || is_enough(limit.maximum)
                && setrlimit(
                    Resource::Stack,
                    Rlimit {
                        current: Some(bytes),
                        maximum: limit.maximum,
                    },
                )
                .is_ok())
}

#[cfg(not(target_os = "linux"))]
fn main_stack_grows_to(_bytes: usize) -> bool {
    false
}
