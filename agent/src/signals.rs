//! How an agent is told to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Waits until the process is told to end, by Kubernetes or at a terminal.
pub async fn told_to_stop() -> std::io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminated.recv() => tracing::info!("told to stop (SIGTERM)"),
        _ = interrupted.recv() => tracing::info!("told to stop (SIGINT)"),
    }
    Ok(())
}
