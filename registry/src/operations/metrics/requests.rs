//! Requests by what they ask for, how, and how they end.

use std::{fmt, time::Duration};

use prometheus_client::{metrics::MetricType, registry::Unit};

use super::{Counter, Gauge, Writer, histogram::Histogram};

macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($variant,)* }

        impl $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

pub(super) use label;

label! {
    /// What a request asks for.
    RouteClass {
        Base = "base",
        Blob = "blob",
        Upload = "upload",
        Manifest = "manifest",
        Tags = "tags",
        Referrers = "referrers",
        Catalog = "catalog",
        Token = "token",
        Health = "health",
        Other = "other",
    }
}

label! {
    /// How it asks.
    MethodClass {
        Get = "GET",
        Head = "HEAD",
        Post = "POST",
        Put = "PUT",
        Patch = "PATCH",
        Delete = "DELETE",
        Other = "other",
    }
}

/// The statuses with a counter of their own; all others share the last counter.
const STATUSES: [&str; 24] = [
    "200", "201", "202", "204", "206", "304", "307", "400", "401", "403", "404", "405", "408",
    "409", "413", "414", "416", "429", "431", "500", "503", "507", "301", "other",
];
const ROUTES: usize = RouteClass::ALL.len();
const METHODS: usize = MethodClass::ALL.len();

/// What is known of one kind of request.
#[derive(Debug, Default)]
struct Series {
    statuses: [Counter; STATUSES.len()],
    durations: Histogram,
}

/// Requests, counted when their response begins.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    pub(crate) under_way: Gauge,
    series: [[Series; METHODS]; ROUTES],
}

impl Requests {
    pub(crate) fn ended(
        &self,
        route: RouteClass,
        method: MethodClass,
        status: u16,
        duration: Duration,
    ) {
        let series = &self.series[route as usize][method as usize];
        series.statuses[status_index(status)].add(1);
        series.durations.observe(duration);
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.gauge(
            "http_requests_under_way",
            "Requests whose response has not begun",
            self.under_way.get(),
        )?;
        let name = "http_requests";
        let help = "Requests whose response has begun";
        let mut metric = writer
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (route, method, series) in self.seen() {
            for (status, counter) in STATUSES.iter().zip(&series.statuses) {
                let count = counter.get();
                if count > 0 {
                    let labels = [
                        ("route", route.as_str()),
                        ("method", method.as_str()),
                        ("status", *status),
                    ];
                    metric
                        .encode_family(&labels)?
                        .encode_counter::<super::Unlabelled, _, u64>(&count, None)?;
                }
            }
        }
        let name = "http_request_duration";
        let help = "Time until the response begins";
        let mut metric =
            writer
                .0
                .encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (route, method, series) in self.seen() {
            let labels = [("route", route.as_str()), ("method", method.as_str())];
            series.durations.write(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// What was asked for at least once.
    fn seen(&self) -> impl Iterator<Item = (RouteClass, MethodClass, &Series)> {
        RouteClass::ALL
            .iter()
            .zip(&self.series)
            .flat_map(|(route, methods)| {
                MethodClass::ALL
                    .iter()
                    .zip(methods)
                    .filter(|(_, series)| !series.durations.is_empty())
                    .map(|(method, series)| (*route, *method, series))
            })
    }
}

fn status_index(status: u16) -> usize {
    let digits = [
        b'0' + u8::try_from(status / 100 % 10).unwrap_or(0),
        b'0' + u8::try_from(status / 10 % 10).unwrap_or(0),
        b'0' + u8::try_from(status % 10).unwrap_or(0),
    ];
    STATUSES
        .iter()
        .position(|known| known.as_bytes() == digits)
        .unwrap_or(STATUSES.len() - 1)
}
