//! The `cairn` command: one file a subcommand under `command/`, which parses, calls and prints.

mod args;
mod bundles;
mod chart_folder;
mod chart_mirrors;
mod chart_source;
mod charts;
mod client;
mod cluster;
mod command;
mod config;
mod diagnostics;
mod embedded;
mod envelopes;
mod exit;
mod explanation;
mod files;
mod generated;
mod output;
mod packs;
mod picture;
mod run_view;
mod secrets;
mod signing;
mod stack;
mod storage;

use std::process::ExitCode;

use cairn_heap::Heap;

use crate::{
    args::{Agent, Cairn, Command},
    config::Environment,
    output::Output,
};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    if args::may_render_charts() {
        Heap::begin();
    }
    let arguments = Cairn::read();
    let environment = Environment::read();
    let output = Output::new(&arguments.output, &environment);
    let renders_charts = matches!(arguments.command, Command::Chart(_));
    // What renders charts uses no network and logs nothing, and each start counts for it.
    if !renders_charts {
        // One TLS provider for the whole process; a second call would only say that it is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let goes_on = matches!(arguments.command, Command::Agent(Agent::Run(_)));
        output::init_logging(&arguments.output, &environment, goes_on);
    }
    let run = || command::run(arguments.command, &environment, &output);
    let outcome = if renders_charts {
        stack::with_template_stack(run)
    } else {
        run()
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.code.into()
        }
    }
}
