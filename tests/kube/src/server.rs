//! Starting a cluster, or finding the one that other tests have started.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{connection::Connection, peer};

/// How long the shared cluster waits for the next test.
const LINGER: &str = "20s";

/// A cluster, which is there for as long as this value is.
#[derive(Debug)]
pub struct KubeServer {
    connection: Mutex<Connection>,
    kubeconfig: PathBuf,
    folder: PathBuf,
    /// Of a cluster that is nobody else's; removed with it.
    _private: Option<TempDir>,
}

/// A program of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The store of the API server.
    Etcd,
    /// `kube-apiserver`.
    ApiServer,
    /// `kube-controller-manager`.
    ControllerManager,
    /// `kube-scheduler`.
    Scheduler,
    /// What pretends to be all nodes, the storage and the load balancers.
    Kubelet,
}

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// With an HTTP status; 429 asks to come back in a second.
    Status(u16),
    /// The connection is cut.
    Reset,
    /// No answer comes.
    Hang,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
        }
    }
}

impl KubeServer {
    /// The cluster that all tests of this user share, started if it is not there.
    pub fn shared() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("cairn-kube-{:016x}", key()?));
        // Who comes second waits until the first one has a cluster.
        let lock = File::create(folder.with_extension("lock"))?;
        lock.lock()?;
        for _ in 0..3 {
            if let Some(mut connection) = Connection::open(&folder) {
                if let Some(kubeconfig) = connection.greeting()? {
                    return Ok(Self::new(connection, kubeconfig, folder, None));
                }
                // It has just ended, since its last test was over, or is about to.
                continue;
            }
            // What a cluster leaves that was killed.
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            spawn(&folder, LINGER)?;
        }
        bail!("the shared cluster in {} does not start", folder.display())
    }

    /// A cluster of its own for a test that stops or kills parts of it.
    pub fn private() -> Result<Self> {
        let private = TempDir::new()?;
        let folder = private.path().join("kube");
        spawn(&folder, "0s")?;
        let mut connection = Connection::open(&folder).context("the cluster has ended")?;
        let kubeconfig = connection.greeting()?.context("the cluster has ended")?;
        Ok(Self::new(connection, kubeconfig, folder, Some(private)))
    }

    fn new(
        connection: Connection,
        kubeconfig: PathBuf,
        folder: PathBuf,
        private: Option<TempDir>,
    ) -> Self {
        Self {
            connection: Mutex::new(connection),
            kubeconfig,
            folder,
            _private: private,
        }
    }

    /// The kubeconfig of an administrator, with certificates and keys inside.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Each request that the API server has answered, as lines of JSON (`audit.k8s.io/v1`).
    pub fn audit_log(&self) -> Result<String> {
        let path = self.folder.join("audit.log");
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
    }

    /// `kubectl` for this cluster, ready to be given arguments.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(peer("kubectl"));
        command
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", &self.folder)
            .stdin(Stdio::null());
        command
    }

    /// Ends a program at once (SIGKILL). Connections to the API server are refused from then on.
    pub fn kill(&self, program: Program) -> Result<()> {
        self.order("kill", program)
    }

    /// Starts a program that was killed, and waits until it does its work, at the old address.
    pub fn start(&self, program: Program) -> Result<()> {
        self.order("start", program)
    }

    /// Halts a program (SIGSTOP): connections to it are accepted, and nothing answers.
    pub fn halt(&self, program: Program) -> Result<()> {
        self.order("stop", program)
    }

    /// Lets a program that was halted go on (SIGCONT).
    pub fn resume(&self, program: Program) -> Result<()> {
        self.order("continue", program)
    }

    /// A kubeconfig that leads through something that makes faults, see [`KubeServer::fault`].
    pub fn faulty_kubeconfig(&self) -> PathBuf {
        self.folder.join("faults.kubeconfig")
    }

    /// Lets the next requests through the faulty kubeconfig fail.
    pub fn fault(&self, fault: Fault, requests: u32) -> Result<()> {
        let kind = match fault {
            Fault::Status(status) => status.to_string(),
            Fault::Reset => "reset".to_owned(),
            Fault::Hang => "hang".to_owned(),
        };
        self.say(&format!("fault {kind} {requests}"))
    }

    fn order(&self, action: &str, program: Program) -> Result<()> {
        self.say(&format!("{action} {}", program.name()))
    }

    fn say(&self, order: &str) -> Result<()> {
        let connection = self.connection.lock();
        let mut connection = connection.unwrap_or_else(PoisonError::into_inner);
        connection.order(order)
    }
}

/// Another program for another build of the cluster: what two trees share is the same in both.
fn key() -> Result<u64> {
    let program = which()?;
    let mut hasher = DefaultHasher::new();
    program.hash(&mut hasher);
    fs::metadata(&program)?.modified()?.hash(&mut hasher);
    Ok(hasher.finish())
}

fn which() -> Result<PathBuf> {
    let program = peer("kube");
    fs::canonicalize(&program).with_context(|| {
        format!(
            "there is no program `{}`: run `tests/peers/install kube`, and set CAIRN_PEERS to what it prints",
            program.display()
        )
    })
}

/// Starts the program and waits until it listens on its socket, which is before the cluster is ready.
fn spawn(folder: &Path, linger: &str) -> Result<()> {
    let mut child = Command::new(which()?)
        .args(["serve", "--linger", linger, "--folder"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // It outlives the test that has started it.
        .process_group(0)
        .spawn()
        .context("failed to start the cluster")?;
    let stdout = child.stdout.take().context("the cluster has no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    if line.trim_end() != "listening" {
        let status = child.wait()?;
        bail!("the cluster ended with {status} before it listened: {line}");
    }
    Ok(())
}
