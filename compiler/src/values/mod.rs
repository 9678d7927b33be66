//! Values: how layers of them become one tree, and how references in them are resolved.

pub(crate) mod interpolate;
mod list;
mod merge;
#[cfg(test)]
mod properties;
mod reference;
mod scope;
mod strategy;

pub(crate) use merge::merge;
