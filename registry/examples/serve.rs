//! A registry on a loopback port, for trying things out:
//! `cargo run -p cairn-registry --example serve -- DIRECTORY [PORT]`.

use std::{error::Error, path::PathBuf};

use cairn_registry::{Config, StorageConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO)
        .init();
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("expected a directory")?;
    let port = arguments.next().map_or(Ok(5000), |port| port.parse())?;
    let config = Config {
        storage: StorageConfig::Directory(PathBuf::from(directory)),
        ..Config::default()
    };
    let app = config.build().await?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let shutdown = CancellationToken::new();
    let interrupted = async {
        tokio::signal::ctrl_c().await?;
        shutdown.cancel();
        Ok::<_, Box<dyn Error>>(())
    };
    let (served, interrupted) = tokio::join!(app.run(listener, shutdown.clone()), interrupted);
    interrupted?;
    Ok(served?)
}
