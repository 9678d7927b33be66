//! Builds of small profiles, from texts to texts: one file a question.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod charts;
mod constraints;
mod explain;
mod lints;
mod objects;
mod output;
mod references;
mod resolution;
mod values;
mod variables;
mod world;
