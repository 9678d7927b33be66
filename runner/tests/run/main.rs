//! Runs against a real API server: what people do with bundles, and what goes wrong.

mod alone;
mod crash;
mod deletion;
mod drift;
mod gate;
mod lifecycle;
mod ownership;
mod rollback;
mod store;
mod world;
