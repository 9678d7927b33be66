//! The process itself: what it is and what it takes.

use std::{fmt, fs, sync::OnceLock, time::SystemTime};

use prometheus_client::{metrics::MetricType, registry::Unit};

use super::Writer;

/// The page size of every system that this is built for, in bytes.
const PAGE_BYTES: i64 = 4096;

pub(super) fn write(writer: &mut Writer<'_>) -> fmt::Result {
    let labels = [("version", env!("CARGO_PKG_VERSION"))];
    let mut metric =
        writer
            .0
            .encode_descriptor("build", "What was built", None, MetricType::Info)?;
    metric.encode_info(&labels)?;
    let help = "When the process started counting, in seconds since 1970";
    writer.seconds("process_start_time", help, started_unix_s())?;
    if let Some(resident_bytes) = resident_bytes() {
        let help = "Memory of the process that is in RAM";
        let mut metric = writer.0.encode_descriptor(
            "process_resident_memory",
            help,
            Some(&Unit::Bytes),
            MetricType::Gauge,
        )?;
        metric.encode_gauge(&resident_bytes)?;
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        let count = i64::try_from(descriptors.count()).unwrap_or(i64::MAX);
        writer.gauge(
            "process_open_fds",
            "Files and sockets that the process has open",
            count,
        )?;
    }
    Ok(())
}

/// The second field of `statm`; systems without it have no such metric.
fn resident_bytes() -> Option<i64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

fn started_unix_s() -> i64 {
    static STARTED: OnceLock<i64> = OnceLock::new();
    *STARTED.get_or_init(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
    })
}
