//! `cairn plan`, `apply`, `status` and `uninstall` against a real API server, as their users see them.

mod changes;
mod example;
mod rights;
mod verdicts;
mod world;
