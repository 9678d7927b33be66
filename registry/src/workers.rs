//! Work that goes on beside the requests, from the server's start until it is told to stop.

use std::{fmt, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::operations::metrics::{Metrics, Running};

/// A worker is given the token that tells it to stop, and returns soon after that was cancelled.
type Start = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// Workers that wait to be started.
#[derive(Default)]
pub(crate) struct Workers {
    waiting: Vec<(&'static str, Start)>,
}

impl Workers {
    /// Adds a worker; its name stands in the log.
    pub(crate) fn add<F>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(CancellationToken) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let start: Start = Box::new(move |stop| work(stop).boxed());
        self.waiting.push((name, start));
    }

    /// Starts all workers on a tracker. They end when `stop` asks them to, or at once on `abort`.
    pub(crate) fn start(
        &mut self,
        tracker: &TaskTracker,
        stop: &CancellationToken,
        abort: &CancellationToken,
        metrics: &Arc<Metrics>,
    ) {
        for (name, start) in self.waiting.drain(..) {
            let running = Running::new(metrics, name);
            let work = start(stop.clone()).instrument(tracing::info_span!("worker", name));
            let abort = abort.clone();
            tracker.spawn(async move {
                let _running = running;
                tokio::select! {
                    () = work => {}
                    () = abort.cancelled() => {}
                }
            });
        }
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.waiting.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::metrics::State;

    #[tokio::test]
    async fn workers_run_until_they_are_told_to_stop() {
        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let tracker = TaskTracker::new();
        let mut workers = Workers::default();
        workers.add("polite", async |stop: CancellationToken| {
            stop.cancelled().await;
        });
        workers.add("deaf", async |_| std::future::pending().await);
        assert_eq!(format!("{workers:?}"), r#"["polite", "deaf"]"#);
        let metrics = Arc::default();
        workers.start(&tracker, &stop, &abort, &metrics);
        let running = |line: &str| {
            let text = metrics.exposition(State::default()).unwrap();
            text.lines()
                .any(|found| found == format!("cairn_registry_workers{{worker={line}"))
        };
        assert!(running("\"polite\"} 1") && running("\"deaf\"} 1"));
        tracker.close();
        assert_eq!(tracker.len(), 2);
        stop.cancel();
        while tracker.len() > 1 {
            tokio::task::yield_now().await;
        }
        assert!(running("\"polite\"} 0") && running("\"deaf\"} 1"));
        abort.cancel();
        tracker.wait().await;
    }
}
