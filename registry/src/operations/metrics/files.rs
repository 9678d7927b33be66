//! Files that are read again when they change, by the setting that names them.

use std::fmt;

use prometheus_client::metrics::MetricType;

use super::{Counter, Gauge, Unlabelled, Writer, requests::label};

label! {
    /// What a file is for: the setting that names it.
    WatchedFile {
        AccessPolicy = "auth.policy",
        Passwords = "auth.htpasswd",
        Tokens = "auth.tokens",
        OidcKeys = "auth.oidc.jwks.file",
        Tls = "tls",
        Trust = "trust.policy",
        WebhookSecret = "webhooks.secretFile",
    }
}

/// Readings of files that may change.
#[derive(Debug, Default)]
pub(crate) struct Files([File; WatchedFile::ALL.len()]);

#[derive(Debug, Default)]
struct File {
    read: Counter,
    refused: Counter,
    unusable: Gauge,
}

impl Files {
    /// What the files say is in force.
    pub(crate) fn read(&self, what: WatchedFile) {
        self.0[what as usize].read.add(1);
    }

    /// What they say cannot be used.
    pub(crate) fn refused(&self, what: WatchedFile) {
        self.0[what as usize].refused.add(1);
    }

    /// More of them are unusable than before, or fewer.
    pub(crate) fn unusable(&self, what: WatchedFile, change: i64) {
        self.0[what as usize].unusable.add(change);
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let configured = || {
            let files = WatchedFile::ALL.iter().zip(&self.0);
            files.filter(|(_, file)| file.read.get() > 0)
        };
        let help = "Readings of files that may change, the first included";
        let mut metric =
            writer
                .0
                .encode_descriptor("file_reads", help, None, MetricType::Counter)?;
        for (what, file) in configured() {
            for (outcome, counter) in [("ok", &file.read), ("unusable", &file.refused)] {
                let labels = [("setting", what.as_str()), ("outcome", outcome)];
                metric
                    .encode_family(&labels)?
                    .encode_counter::<Unlabelled, _, u64>(&counter.get(), None)?;
            }
        }
        let help = "Files whose present content is unusable, so that the last good one is in force";
        let rows = configured().map(|(what, file)| (what.as_str(), file.unusable.get()));
        writer.gauges("file_unusable", help, "setting", rows)
    }
}
