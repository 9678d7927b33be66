//! Health: what an object's own fields say about it.
//!
//! `kstatus` decides as <https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus> does, to the
//! message; `assess` adds what waiting for a layer needs besides, and rules of packs judge kinds that say it in
//! their own way. Nothing here asks a cluster or a
//! clock: objects and the time come in, a verdict goes out.

mod assess;
mod data;
mod fields;
mod kstatus;
mod pods;
mod revision;
mod rules;
mod workloads;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use assess::{Facts, assess, missing};
pub use data::holds_only_data;
pub use kstatus::kstatus;
pub use pods::{PodFailure, pod_failure, with_pods};
pub use revision::{PodLabel, newest_pods};
pub use rules::{by_rule, rule_for};

/// How far an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// On its way to what was asked for.
    InProgress,
    /// It will not get there by waiting.
    Failed,
    /// As it was asked for.
    Current,
    /// Being deleted.
    Terminating,
    /// Not there.
    NotFound,
    /// Its fields make no sense.
    Unknown,
}

/// A status and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The status.
    pub status: Status,
    /// One word in camel case; empty when there is nothing to say.
    pub reason: Cow<'static, str>,
    /// A sentence.
    pub message: String,
}

impl Verdict {
    pub(crate) fn current(message: impl Into<String>) -> Self {
        Self::new(Status::Current, "", message)
    }

    pub(crate) fn in_progress(
        reason: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(Status::InProgress, reason, message)
    }

    pub(crate) fn failed(reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(Status::Failed, reason, message)
    }

    fn new(
        status: Status,
        reason: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            reason: reason.into(),
            message: message.into(),
        }
    }
}
