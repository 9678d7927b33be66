//! A Kubernetes cluster for tests: the real API server, controller manager, scheduler and etcd, and
//! nodes that only pretend to run pods. `tests/peers/install kube` builds the program from `server/`.
//!
//! A test uses the cluster that all tests share ([`KubeServer::shared`]), in namespaces and with
//! names of its own ([`unique`]), or, if it is going to stop or kill parts of it, one of its own
//! ([`KubeServer::private`]). A cluster ends when nobody is connected to it any more; the kernel
//! sees to that when a test dies.
//!
//! What a container does is the end of its image's tag: `app:2.0-pull-fails`, `-crashes`,
//! `-out-of-memory`, `-recovers`, `-never-ready`, `-slow`, `-runs`; any other image is there, is
//! ready at once, and ends well where a pod is not to be restarted.

mod connection;
mod server;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::SystemTime,
};

pub use server::{Fault, KubeServer, Program};

/// A name for something in the shared cluster that no other test has.
pub fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now_ms = now.map_or(0, |since| since.as_millis() % 1_000_000_000);
    format!("{name}-{}-{now_ms}-{count}", process::id())
}

/// Where a program is: in `CAIRN_PEERS`, or else on the path.
pub fn peer(name: impl AsRef<OsStr>) -> PathBuf {
    let name = name.as_ref();
    std::env::var_os("CAIRN_PEERS")
        .map(|folder| Path::new(&folder).join(name))
        .filter(|path| path.exists())
        .unwrap_or_else(|| name.into())
}
