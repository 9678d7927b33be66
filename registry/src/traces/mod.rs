//! Traces: which request made which calls of the stores, and how long each took.
//!
//! The trace that a task works for goes along with it as a value of the task; what measures a part
//! of the work asks for it, and does nothing if there is none or it is not sampled. Spans that ended
//! go into a bounded queue and from there to a collector ([`exporter`]). A full queue drops spans and
//! counts them: no request ever waits for a collector.

mod context;
mod exporter;
mod otlp;
mod span;

use std::{borrow::Cow, fmt::Display, sync::Arc};

use tokio::sync::mpsc;

pub(crate) use context::TraceContext;
pub(crate) use exporter::{Deliver, Exporter, Undelivered};
pub(crate) use span::{Kind, Span, Value};

use crate::{config::TracesConfig, operations::metrics::Metrics};

tokio::task_local! {
    static CURRENT: Option<Current>;
}

/// The trace that a task works for.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) context: TraceContext,
    /// Where spans go; none if they are not wanted.
    tracer: Option<Arc<Tracer>>,
}

/// Decides which traces are sampled, and takes their spans.
#[derive(Debug)]
pub(crate) struct Tracer {
    sample_parts: u32,
    follow_parent: bool,
    queue: mpsc::Sender<Span>,
    metrics: Arc<Metrics>,
}

/// What [`TracesConfig::sample_ratio`] is counted in.
const WHOLE_PARTS: u32 = 1_000_000;

impl Tracer {
    /// A tracer, and what its spans come out of.
    pub(crate) fn new(
        config: &TracesConfig,
        metrics: &Arc<Metrics>,
    ) -> (Arc<Self>, mpsc::Receiver<Span>) {
        let (queue, spans) = mpsc::channel(config.queue_spans);
        let tracer = Self {
            sample_parts: config.sample_ratio.parts_per_million(),
            follow_parent: config.follow_parent,
            queue,
            metrics: Arc::clone(metrics),
        };
        (Arc::new(tracer), spans)
    }

    /// The trace of something that begins here, or goes on here.
    pub(crate) fn trace(self: &Arc<Self>, parent: Option<&TraceContext>) -> Current {
        let mut context = parent.map_or_else(TraceContext::random, TraceContext::child);
        context.is_sampled = match parent {
            Some(parent) if self.follow_parent => parent.is_sampled,
            _ => self.samples(&context.trace_id),
        };
        let tracer = context.is_sampled.then(|| Arc::clone(self));
        Current { context, tracer }
    }

    /// Goes by the identifier, so that every server decides alike.
    /// <https://opentelemetry.io/docs/specs/otel/trace/sdk/#traceidratiobased>
    fn samples(&self, trace_id: &[u8; 16]) -> bool {
        let number = (u128::from_be_bytes(*trace_id) & u128::from(u64::MAX)) >> 1;
        number < (u128::from(self.sample_parts) << 63) / u128::from(WHOLE_PARTS)
    }

    fn take(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.metrics.traces.dropped.add(1);
        }
    }
}

impl Current {
    /// A trace that goes on elsewhere and is only handed on here.
    pub(crate) fn passing(context: TraceContext) -> Self {
        let tracer = None;
        Self { context, tracer }
    }

    /// A span of this very context, which ends when it is dropped; none if nobody wants it.
    pub(crate) fn span(
        &self,
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        parent: Option<&TraceContext>,
    ) -> Option<OpenSpan> {
        let tracer = Arc::clone(self.tracer.as_ref()?);
        let parent = parent.map(|parent| parent.span_id);
        let span = Span::new(name.into(), kind, &self.context, parent);
        Some(OpenSpan {
            tracer,
            span: Some(span),
        })
    }

    fn child(&self) -> Self {
        Self {
            context: self.context.child(),
            tracer: self.tracer.clone(),
        }
    }
}

/// A span that goes on.
#[derive(Debug)]
pub(crate) struct OpenSpan {
    tracer: Arc<Tracer>,
    /// Taken when it ends.
    span: Option<Span>,
}

impl OpenSpan {
    pub(crate) fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.span {
            span.attributes.push((key, value.into()));
        }
    }

    /// Says that what it measures failed.
    pub(crate) fn fail(&mut self, why: &dyn Display) {
        if let Some(span) = &mut self.span {
            span.failure = Some(why.to_string());
        }
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if let Some(mut span) = self.span.take() {
            span.end();
            self.tracer.take(span);
        }
    }
}

/// The trace that the present task works for.
pub(crate) fn current() -> Option<Current> {
    CURRENT.try_with(Option::clone).ok().flatten()
}

/// Does work for a trace. A task that it spawns is not meant: hand the trace on.
pub(crate) fn within<F: Future>(
    current: Option<Current>,
    work: F,
) -> impl Future<Output = F::Output> {
    CURRENT.scope(current, work)
}

/// Does work as a part of the present trace, within which further parts have this one above them.
pub(crate) async fn part<T, E: Display>(
    name: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let Some(above) = current().filter(|current| current.tracer.is_some()) else {
        return work.await;
    };
    let part = above.child();
    let mut span = part.span(name, Kind::Internal, Some(&above.context));
    let done = Box::pin(within(Some(part), work)).await;
    if let (Some(span), Err(error)) = (&mut span, &done) {
        span.fail(error);
    }
    done
}

/// A part of the present trace without parts of its own; none if nobody wants it.
pub(crate) fn leaf(name: impl FnOnce() -> Cow<'static, str>) -> Option<OpenSpan> {
    let above = current().filter(|current| current.tracer.is_some())?;
    let part = above.child();
    part.span(name(), Kind::Client, Some(&above.context))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracer(change: impl FnOnce(&mut TracesConfig)) -> (Arc<Tracer>, mpsc::Receiver<Span>) {
        let mut config = TracesConfig::default();
        change(&mut config);
        Tracer::new(&config, &Arc::default())
    }

    fn is_sampled(tracer: &Arc<Tracer>, parent: Option<&str>) -> bool {
        let parent = parent.map(|text| TraceContext::parse(text).unwrap());
        tracer.trace(parent.as_ref()).context.is_sampled
    }

    const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    #[test]
    fn a_ratio_of_traces_is_sampled() {
        let (all, _spans) = tracer(|_| {});
        let (none, _spans) = tracer(|config| config.sample_ratio = 0.0.try_into().unwrap());
        let (some, _spans) = tracer(|config| config.sample_ratio = 0.25.try_into().unwrap());
        let count = |tracer: &Arc<Tracer>| (0..4000).filter(|_| is_sampled(tracer, None)).count();
        assert_eq!((count(&all), count(&none)), (4000, 0));
        // Eight standard deviations.
        assert!((780..1220).contains(&count(&some)), "{}", count(&some));
        // Who began the trace has decided.
        assert!(is_sampled(&none, Some(SAMPLED)));
        assert!(!is_sampled(&all, Some(UNSAMPLED)));
        let (own, _spans) = tracer(|config| config.follow_parent = false);
        assert!(is_sampled(&own, Some(UNSAMPLED)));
    }

    #[tokio::test]
    async fn parts_hang_together() {
        let (tracer, mut spans) = tracer(|_| {});
        let parent = TraceContext::parse(SAMPLED).unwrap();
        let trace = tracer.trace(Some(&parent));
        let request = trace.span("request", Kind::Server, Some(&parent));
        let work = async {
            let _ = part("outer", async {
                drop(leaf(|| "inner".into()));
                Err::<(), _>("no")
            })
            .await;
        };
        within(Some(trace.clone()), work).await;
        drop(request);
        let [inner, outer, request] = std::array::from_fn(|_| spans.try_recv().unwrap());
        assert_eq!(inner.name, "inner");
        assert_eq!(inner.parent, Some(outer.context.span_id));
        assert_eq!(outer.parent, Some(request.context.span_id));
        assert_eq!(request.parent, Some(parent.span_id));
        assert_eq!(outer.failure.as_deref(), Some("no"));
        for span in [&inner, &outer, &request] {
            assert_eq!(span.context.trace_id, parent.trace_id);
            assert!(span.ended_unix_ns >= span.started_unix_ns);
        }
        // Beside a trace, nothing is measured.
        assert!(leaf(|| unreachable!()).is_none());
    }

    #[tokio::test]
    async fn a_full_queue_drops_spans_and_counts_them() {
        let (tracer, _spans) = tracer(|config| config.queue_spans = 2);
        for _ in 0..5 {
            drop(tracer.trace(None).span("request", Kind::Server, None));
        }
        assert_eq!(tracer.metrics.traces.dropped.get(), 3);
    }
}
