//! A network that fails as it is told: a proxy on loopback between a client and a server, for tests.
//!
//! It knows bytes and connections alone, so whatever speaks TCP goes through it, TLS too.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

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
    /// In front of a server of plain HTTP: connections end in order, and the first request of a new one is answered so.
    Answer(&'static str),
    /// Each connection is reset when so many bytes have come from the server.
    ResetAfter {
        /// The bytes.
        bytes: u64,
    },
    /// One byte is another in whatever comes from the server at once, if that is large enough.
    Altered {
        /// How many bytes are large enough.
        from_bytes: usize,
    },
}

/// A proxy in front of a server.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    counts: Arc<Counts>,
    stop: CancellationToken,
}

/// What has passed, and what has not.
#[derive(Debug, Default)]
struct Counts {
    strikes: AtomicU64,
    from_server_bytes: AtomicU64,
}

/// A connection through the proxy.
#[derive(Debug, Clone)]
struct Connection {
    fault: watch::Receiver<Fault>,
    counts: Arc<Counts>,
    /// This connection alone is reset.
    broken: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    FromServer,
}

impl Proxy {
    /// Stands in front of a server; the network is healthy at first.
    pub async fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (fault, watched) = watch::channel(Fault::Healthy);
        let stop = CancellationToken::new();
        let counts = Arc::new(Counts::default());
        let (stopped, counted) = (stop.clone(), Arc::clone(&counts));
        TaskTracker::new().spawn(async move {
            let connections = TaskTracker::new();
            loop {
                let accepted = tokio::select! {
                    () = stopped.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((client, _)) = accepted else { continue };
                let connection = Connection {
                    fault: watched.clone(),
                    counts: Arc::clone(&counted),
                    broken: CancellationToken::new(),
                };
                let stopped = stopped.clone();
                connections.spawn(async move {
                    tokio::select! {
                        () = stopped.cancelled() => {}
                        () = connect(client, server, connection) => {}
                    }
                });
            }
        });
        Ok(Self {
            address,
            fault,
            counts,
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

    /// How often a fault has struck: connections that it ended, parts that it held up or altered.
    pub fn strikes(&self) -> u64 {
        self.counts.strikes.load(Ordering::Relaxed)
    }

    /// The bytes that have come from the server and were passed on.
    pub fn from_server_bytes(&self) -> u64 {
        self.counts.from_server_bytes.load(Ordering::Relaxed)
    }
}

impl Connection {
    fn now(&self) -> Fault {
        *self.fault.borrow()
    }

    fn strike(&self) {
        self.counts.strikes.fetch_add(1, Ordering::Relaxed);
    }

    /// How the network ends the connection, once it does.
    async fn ended(mut self) -> Fault {
        let ends = |fault: &Fault| matches!(fault, Fault::Cut | Fault::Reset | Fault::Answer(_));
        let ending = tokio::select! {
            ending = self.fault.wait_for(ends) => match ending {
                Ok(ending) => *ending,
                // The proxy is gone.
                Err(_) => Fault::Cut,
            },
            () = self.broken.cancelled() => Fault::Reset,
        };
        self.strike();
        ending
    }

    async fn wait_while_silent(&mut self) {
        if self.now() == Fault::Silent {
            self.strike();
        }
        let _ = self.fault.wait_for(|fault| *fault != Fault::Silent).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Passes a connection on until it ends or the network ends it. How it ends is the client's to find out.
async fn connect(mut client: TcpStream, server: SocketAddr, connection: Connection) {
    if let Fault::Answer(text) = connection.now() {
        connection.strike();
        let _ = answer(&mut client, text).await;
        return;
    }
    let mut opening = connection.clone();
    let upstream = tokio::select! {
        ending = connection.clone().ended() => {
            if ending == Fault::Reset {
                let _ = client.set_zero_linger();
            }
            return;
        }
        upstream = async {
            opening.wait_while_silent().await;
            TcpStream::connect(server).await
        } => upstream,
    };
    let Ok(upstream) = upstream else { return };
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = upstream.into_split();
    let up = pass(
        client_in,
        server_out,
        connection.clone(),
        Direction::ToServer,
    );
    let down = pass(server_in, client_out, connection, Direction::FromServer);
    let _ = tokio::join!(up, down);
}

/// Reads the head of a request, and answers it.
async fn answer(client: &mut TcpStream, text: &str) -> io::Result<()> {
    let (mut head, mut chunk) = (Vec::new(), vec![0; CHUNK_BYTES]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < CHUNK_BYTES {
        match client.read(&mut chunk).await? {
            0 => return Ok(()),
            read => head.extend_from_slice(chunk.get(..read).unwrap_or_default()),
        }
    }
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await
}

/// Passes one direction on, as long as the network lets it.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    connection: Connection,
    direction: Direction,
) -> io::Result<()> {
    let ending = connection.clone().ended();
    tokio::select! {
        passed = pump(&mut from, &mut to, connection, direction) => passed,
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
    mut connection: Connection,
    direction: Direction,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut passed = 0;
    loop {
        let read = from.read(&mut chunk).await?;
        connection.wait_while_silent().await;
        if direction == Direction::FromServer {
            alter(&connection, chunk.get_mut(..read).unwrap_or_default());
        }
        let Some(mut bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await;
        };
        while !bytes.is_empty() {
            connection.wait_while_silent().await;
            let mut step = step(connection.now());
            let is_limited = direction == Direction::FromServer;
            if let (true, Fault::ResetAfter { bytes: most }) = (is_limited, connection.now()) {
                let left = most.saturating_sub(passed);
                if left == 0 {
                    connection.broken.cancel();
                    return std::future::pending().await;
                }
                step = step.min(usize::try_from(left).unwrap_or(step));
            }
            let (now, later) = bytes.split_at(step.min(bytes.len()));
            to.write_all(now).await?;
            if direction == Direction::FromServer {
                passed += now.len() as u64;
                let counted = &connection.counts.from_server_bytes;
                counted.fetch_add(now.len() as u64, Ordering::Relaxed);
            }
            bytes = later;
            if !bytes.is_empty() && matches!(connection.now(), Fault::Slow { .. }) {
                connection.strike();
                sleep(SLOW_STEP).await;
            }
        }
    }
}

/// Changes one byte, if the network does that to so many.
fn alter(connection: &Connection, bytes: &mut [u8]) {
    let Fault::Altered { from_bytes } = connection.now() else {
        return;
    };
    let middle = bytes.len() / 2;
    if bytes.len() >= from_bytes
        && let Some(byte) = bytes.get_mut(middle)
    {
        *byte ^= 1;
        connection.strike();
    }
}

/// How many bytes pass at once.
fn step(fault: Fault) -> usize {
    match fault {
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

    #[tokio::test]
    async fn what_is_large_is_altered_and_what_is_small_is_not() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        proxy.set(Fault::Altered { from_bytes: 100 });
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(echoed(&mut stream, &[7; 10]).await.unwrap(), [7; 10]);
        assert_eq!(proxy.strikes(), 0);
        assert_ne!(echoed(&mut stream, &[7; 200]).await.unwrap(), [7; 200]);
        assert_eq!((proxy.strikes(), proxy.from_server_bytes()), (1, 210));
    }

    #[tokio::test]
    async fn a_connection_is_reset_in_the_middle_of_an_answer() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        proxy.set(Fault::ResetAfter { bytes: 50 });
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(echoed(&mut stream, &[7; 40]).await.unwrap(), [7; 40]);
        assert!(echoed(&mut stream, &[7; 40]).await.is_err());
        assert_eq!(proxy.from_server_bytes(), 50);
        assert!(proxy.strikes() > 0);
        // The next one has as many.
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(echoed(&mut stream, &[7; 40]).await.unwrap(), [7; 40]);
    }

    #[tokio::test]
    async fn somebody_else_answers() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        proxy.set(Fault::Answer("HTTP/1.1 503 Service Unavailable\r\n\r\n"));
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        stream.write_all(b"Host: a\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "HTTP/1.1 503 Service Unavailable\r\n\r\n");
        assert_eq!(proxy.strikes(), 1);
    }
}
