//! Values: how layers of them become one tree, and how references in them are resolved.

pub(crate) mod interpolate;
mod merge;
mod reference;
mod strategy;

pub(crate) use merge::merge;
