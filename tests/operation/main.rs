//! Running a registry: what the command and its process do for whoever operates them.

mod dead_letters;
mod logs;
mod readiness;
mod reload;
mod secrets;
