//! Runs against a real API server: what people do with bundles, and what goes wrong.

mod drift;
mod lifecycle;
mod ownership;
mod store;
mod world;
