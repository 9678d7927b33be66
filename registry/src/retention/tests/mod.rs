//! The decision alone, in examples and for any facts; and passes over a store.

mod decisions;
mod passes;
mod properties;

use cairn_spec::{Digest, Tag};
use serde_json::Value as Json;

use super::{
    judge::{Facts, ManifestFacts, TagFacts},
    rules::Rule,
};

const DAY_S: u64 = 24 * 60 * 60;
const NOW: u64 = 1_800_000_000;

fn rule(fields: Json) -> Rule {
    let mut fields = fields;
    fields["name"] = "r".into();
    fields["repositories"] = "**".into();
    Rule::new(&serde_json::from_value(fields).unwrap()).unwrap()
}

fn days_ago(days: u64) -> u64 {
    NOW - days * DAY_S
}

/// The digest of a manifest that examples call by a name.
fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

/// A tag on a manifest, pushed some days ago.
fn tag(name: &str, manifest: &str, pushed_days: u64) -> TagFacts {
    TagFacts {
        tag: name.parse::<Tag>().unwrap(),
        digest: digest(manifest),
        pushed_unix_s: days_ago(pushed_days),
        protection: None,
    }
}

/// A manifest that was pushed some days ago, and neither pulled nor asked for since.
fn manifest(name: &str, pushed_days: u64) -> ManifestFacts {
    ManifestFacts {
        digest: digest(name),
        subject: None,
        children: Vec::new(),
        pushed_unix_s: days_ago(pushed_days),
        touched_unix_s: days_ago(pushed_days),
        pulled_unix_s: None,
    }
}

fn facts(tags: Vec<TagFacts>, manifests: Vec<ManifestFacts>) -> Facts {
    Facts {
        tags,
        manifests,
        pulls_since_unix_s: Some(days_ago(1000)),
        now_unix_s: NOW,
        grace_s: DAY_S,
    }
}
