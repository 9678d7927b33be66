//! How much of each quota is used. Their names are the configuration's.

use std::fmt;

use prometheus_client::{metrics::MetricType, registry::Unit};

use super::Writer;
use crate::quota::Measure;

/// Writes nothing without quotas.
pub(super) fn write(quotas: &[Measure], writer: &mut Writer<'_>) -> fmt::Result {
    if quotas.is_empty() {
        return Ok(());
    }
    for (name, help, bytes) in [
        (
            "quota_used",
            "What the repositories of a quota hold together, as far as this process knows",
            (|quota: &Measure| quota.used_bytes) as fn(&Measure) -> Option<u64>,
        ),
        (
            "quota_max",
            "What the repositories of a quota may hold together",
            |quota| quota.max_bytes,
        ),
    ] {
        let mut metric =
            writer
                .0
                .encode_descriptor(name, help, Some(&Unit::Bytes), MetricType::Gauge)?;
        for quota in quotas {
            if let Some(bytes) = bytes(quota) {
                let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
                metric
                    .encode_family(&[("quota", quota.name.as_str())])?
                    .encode_gauge(&bytes)?;
            }
        }
    }
    let help = "Requests that a quota refused";
    let mut metric =
        writer
            .0
            .encode_descriptor("quota_refusals", help, None, MetricType::Counter)?;
    for quota in quotas {
        metric
            .encode_family(&[("quota", quota.name.as_str())])?
            .encode_counter::<[(&str, &str); 0], _, u64>(&quota.refusals, None)?;
    }
    Ok(())
}
