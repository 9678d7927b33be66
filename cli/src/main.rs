//! The `cairn` command.

use std::process::ExitCode;

use cairn_heap::Heap;

#[global_allocator]
static HEAP: Heap = Heap;

fn main() -> ExitCode {
    cairn::main()
}
