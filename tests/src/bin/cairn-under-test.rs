//! The `cairn` command as the tests run it.

use std::process::ExitCode;

fn main() -> ExitCode {
    cairn::main()
}
