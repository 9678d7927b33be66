//! The `cairn-agent` command.

use cairn_agent::{config::Environment, log};
use clap::Parser;

/// Keeps one cluster in its desired state
#[derive(Debug, Parser)]
#[command(name = "cairn-agent", version)]
struct Agent {}

fn main() {
    let Agent {} = Agent::parse();
    let environment = Environment::read();
    log::init(environment.log.as_deref());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "this is Cairn's agent");
}
