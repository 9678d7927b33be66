//! When garbage is collected, and what counts as garbage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Limits;
use crate::{Error, Result};

/// Garbage collection. How long unreferenced content is kept is [`Limits::grace_s`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GcConfig {
    /// The server collects garbage beside its requests.
    pub enabled: bool,
    /// How long it waits between two passes over what is due.
    pub interval_s: u64,
    /// How long an upload may rest before it counts as abandoned; at least the grace period.
    pub upload_ttl_s: u64,
    /// What happens to manifests without a tag that no index refers to.
    pub untagged_manifests: UntaggedManifests,
    /// How long what was pulled through from an upstream is kept without being asked for; at least
    /// the grace period.
    pub upstream_ttl_s: u64,
}

/// What happens to manifests without a tag that no index refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UntaggedManifests {
    /// They stay until somebody deletes them, for clients may know them by their digest.
    #[default]
    Keep,
    /// They are collected after the grace period, unless their subject exists: referrers, such as
    /// signatures, live as long as what they refer to.
    Collect,
}

impl Default for GcConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            interval_s: 300,
            // As long as distribution keeps its uploads.
            upload_ttl_s: 7 * 24 * 60 * 60,
            untagged_manifests: UntaggedManifests::Keep,
            upstream_ttl_s: 30 * 24 * 60 * 60,
        }
    }
}

/// Requests take seconds, clocks of replicas differ by seconds, and a quarter of the grace period
/// has to cover both.
const MIN_GRACE_S: u64 = 60;

impl GcConfig {
    /// Refuses what would be unsafe, or would never rest.
    pub(super) fn validate(&self, limits: &Limits) -> Result<()> {
        let refuse = |setting, value: u64, reason: String| {
            Err(Error::Config {
                setting,
                value: value.to_string(),
                source: reason.into(),
            })
        };
        if !self.enabled {
            return Ok(());
        }
        if limits.grace_s < MIN_GRACE_S {
            let reason = format!("the shortest grace period is {MIN_GRACE_S} seconds");
            return refuse("limits.graceS", limits.grace_s, reason);
        }
        if self.interval_s == 0 {
            let reason = "it has to be at least 1 second".to_owned();
            return refuse("gc.intervalS", self.interval_s, reason);
        }
        if self.upload_ttl_s < limits.grace_s {
            let reason = format!("it is shorter than `limits.graceS`, {}", limits.grace_s);
            return refuse("gc.uploadTtlS", self.upload_ttl_s, reason);
        }
        if self.upstream_ttl_s < limits.grace_s {
            let reason = format!("it is shorter than `limits.graceS`, {}", limits.grace_s);
            return refuse("gc.upstreamTtlS", self.upstream_ttl_s, reason);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut GcConfig, &mut Limits)) -> Option<&'static str> {
        let (mut gc, mut limits) = (GcConfig::default(), Limits::default());
        change(&mut gc, &mut limits);
        match gc.validate(&limits) {
            Err(Error::Config { setting, .. }) => Some(setting),
            _ => None,
        }
    }

    #[test]
    fn what_is_unsafe_is_refused() {
        assert_eq!(refused(|_, _| {}), None);
        assert_eq!(
            refused(|_, limits| limits.grace_s = 59),
            Some("limits.graceS")
        );
        assert_eq!(refused(|gc, _| gc.interval_s = 0), Some("gc.intervalS"));
        assert_eq!(
            refused(|gc, limits| gc.upload_ttl_s = limits.grace_s - 1),
            Some("gc.uploadTtlS")
        );
        assert_eq!(
            refused(|gc, limits| gc.upstream_ttl_s = limits.grace_s - 1),
            Some("gc.upstreamTtlS")
        );
        let off = |gc: &mut GcConfig, limits: &mut Limits| {
            gc.enabled = false;
            limits.grace_s = 0;
        };
        assert_eq!(refused(off), None);
    }
}
