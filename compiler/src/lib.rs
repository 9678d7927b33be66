//! compiler

pub mod patch;
