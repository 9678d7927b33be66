//! The `cairn-agent` command.

use std::process::ExitCode;

use cairn_agent::{command::Run, config::Environment, enforce::causes, log};
use clap::{Parser, Subcommand};
use tokio::runtime;

/// Keeps one cluster in its desired state
#[derive(Debug, Parser)]
#[command(name = "cairn-agent", version)]
struct Agent {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<Run>),
}

fn main() -> ExitCode {
    // One TLS provider for the whole process; a second call would only say that it is there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Agent {
        command: Command::Run(run),
    } = Agent::parse();
    let environment = Environment::read();
    log::init(environment.log.as_deref());
    // One thread: memory counts for more here than time.
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run.run_to_the_end(&environment)),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(()) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let error = causes(error.as_ref());
            tracing::error!(error, "the agent cannot run");
            ExitCode::FAILURE
        }
    }
}
