//! Builds of small profiles, from texts to texts: one file a question.

mod constraints;
mod lints;
mod objects;
mod output;
mod references;
mod resolution;
mod values;
mod variables;
mod world;
