//! A network that fails as it is told: a proxy on loopback between a client and a server, for tests.
//!
//! It knows bytes and connections alone, so whatever speaks TCP goes through it, TLS too.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What is passed on at once, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;
/// How often a slow network passes something on.
const SLOW_STEP: Duration = Duration::from_millis(20);

/// What is wrong with the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Healthy,
    /// Connections end in order, and new ones end at once.
    Cut,
    /// Connections are reset, new ones too.
    Reset,
    /// Connections stay, new ones are made, and nothing passes: as when a cable was pulled out.
    Silent,
    /// What passes is held back to so many bytes a second, each way.
    Slow {
        /// Bytes a second.
        bytes_per_s: u32,
    },
}

/// A proxy in front of a server.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    stop: CancellationToken,
}

impl Proxy {
    /// Stands in front of a server; the network is healthy at first.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (fault, watched) = watch::channel(Fault::Healthy);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        TaskTracker::new().spawn(async move {
            let connections = TaskTracker::new();
            loop {
                let accepted = tokio::select! {
                    () = stopped.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((client, _)) = accepted else { continue };
                let (fault, stopped) = (watched.clone(), stopped.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = stopped.cancelled() => {}
                        () = connect(client, server, fault) => {}
                    }
                });
            }
        });
        Ok(Self {
            address,
            fault,
            stop,
        })
    }

    /// Where clients find the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this is wrong with the network, also for connections that are there.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Passes a connection on until it ends or the network ends it. How it ends is the client's to find out.
async fn connect(client: TcpStream, server: SocketAddr, fault: watch::Receiver<Fault>) {
    let mut opening = fault.clone();
    let upstream = tokio::select! {
        ending = ended(fault.clone()) => {
            if ending == Fault::Reset {
                let _ = client.set_zero_linger();
            }
            return;
        }
        upstream = async {
            wait_while_silent(&mut opening).await;
            TcpStream::connect(server).await
        } => upstream,
    };
    let Ok(upstream) = upstream else { return };
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = upstream.into_split();
    let up = pass(client_in, server_out, fault.clone());
    let down = pass(server_in, client_out, fault);
    let _ = tokio::join!(up, down);
}

/// How the network ends connections, once it does.
async fn ended(mut fault: watch::Receiver<Fault>) -> Fault {
    let ends = |fault: &Fault| matches!(fault, Fault::Cut | Fault::Reset);
    match fault.wait_for(ends).await {
        Ok(ending) => *ending,
        // The proxy is gone.
        Err(_) => Fault::Cut,
    }
}

async fn wait_while_silent(fault: &mut watch::Receiver<Fault>) {
    let _ = fault.wait_for(|fault| *fault != Fault::Silent).await;
}

/// Passes one direction on, as long as the network lets it.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fault: watch::Receiver<Fault>,
) -> io::Result<()> {
    let ending = ended(fault.clone());
    tokio::select! {
        passed = pump(&mut from, &mut to, fault) => passed,
        ending = ending => {
            if ending == Fault::Reset {
                from.as_ref().set_zero_linger()?;
                // Its end in order would come before the reset.
                to.forget();
            }
            Ok(())
        }
    }
}

async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut fault: watch::Receiver<Fault>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut chunk).await?;
        wait_while_silent(&mut fault).await;
        let Some(mut bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await;
        };
        while !bytes.is_empty() {
            wait_while_silent(&mut fault).await;
            let (now, later) = bytes.split_at(step(&fault).min(bytes.len()));
            to.write_all(now).await?;
            bytes = later;
            if !bytes.is_empty() {
                sleep(SLOW_STEP).await;
            }
        }
    }
}

/// How many bytes pass at once.
fn step(fault: &watch::Receiver<Fault>) -> usize {
    match *fault.borrow() {
        Fault::Slow { bytes_per_s } => {
            let step = u128::from(bytes_per_s) * SLOW_STEP.as_millis() / 1_000;
            usize::try_from(step.max(1)).unwrap_or(CHUNK_BYTES)
        }
        _ => CHUNK_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        TaskTracker::new().spawn(async move {
            let connections = TaskTracker::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let (mut from, mut to) = stream.into_split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        address
    }

    async fn echoed(stream: &mut TcpStream, text: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(text).await?;
        let mut back = vec![0; text.len()];
        stream.read_exact(&mut back).await?;
        Ok(back)
    }

    #[tokio::test]
    async fn a_healthy_network_and_a_slow_one_pass_everything() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        for fault in [Fault::Healthy, Fault::Slow { bytes_per_s: 5_000 }] {
            proxy.set(fault);
            let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
            let text = [7; 500];
            assert_eq!(echoed(&mut stream, &text).await.unwrap(), text);
        }
    }

    #[tokio::test]
    async fn connections_end_and_are_reset_and_new_ones_too() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        for (fault, is_reset) in [(Fault::Cut, false), (Fault::Reset, true)] {
            proxy.set(Fault::Healthy);
            let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
            assert_eq!(echoed(&mut stream, b"a").await.unwrap(), b"a");
            proxy.set(fault);
            match stream.read(&mut [0]).await {
                Ok(read) => assert!(read == 0 && !is_reset, "{fault:?}"),
                Err(error) => assert!(is_reset, "{error}"),
            }
            let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
            assert!(echoed(&mut stream, b"a").await.is_err());
        }
    }

    #[tokio::test]
    async fn what_a_silent_network_held_back_comes_when_it_heals() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut old = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(echoed(&mut old, b"a").await.unwrap(), b"a");
        proxy.set(Fault::Silent);
        let mut new = TcpStream::connect(proxy.address()).await.unwrap();
        old.write_all(b"b").await.unwrap();
        new.write_all(b"c").await.unwrap();
        let mut held = [0];
        let waiting = tokio::time::timeout(Duration::from_millis(50), old.read(&mut held));
        assert!(waiting.await.is_err());
        proxy.set(Fault::Healthy);
        for (stream, expected) in [(&mut old, b'b'), (&mut new, b'c')] {
            assert_eq!(stream.read_u8().await.unwrap(), expected);
        }
    }
}
