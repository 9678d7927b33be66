//! `cairn plan`, `apply`, `status` and `uninstall` against a real API server, as their users see them.

mod agent;
mod changes;
mod example;
mod rights;
mod verdicts;
mod world;
