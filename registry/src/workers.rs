//! Work that goes on beside the requests, from the server's start until it is told to stop.

use std::fmt;

use futures_util::{FutureExt, future::BoxFuture};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

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
    ) {
        for (name, start) in self.waiting.drain(..) {
            let work = start(stop.clone()).instrument(tracing::info_span!("worker", name));
            let abort = abort.clone();
            tracker.spawn(async move {
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
        workers.start(&tracker, &stop, &abort);
        tracker.close();
        assert_eq!(tracker.len(), 2);
        stop.cancel();
        while tracker.len() > 1 {
            tokio::task::yield_now().await;
        }
        abort.cancel();
        tracker.wait().await;
    }
}
