//! `cairn completion`: the completion script of a shell.

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use crate::{args::Cairn, output::Output};

/// Print the completion script of a shell
///
/// For instance: `source <(cairn completion bash)`.
#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    pub(crate) fn run(self, output: &Output) {
        let mut script = Vec::new();
        generate(self.shell, &mut Cairn::command(), "cairn", &mut script);
        output.data(&String::from_utf8_lossy(&script));
    }
}
