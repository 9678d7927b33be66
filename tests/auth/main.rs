//! Who may use a registry: the commands that say so, and what they mean to clients.

mod commands;
mod guarded;
mod logins;
mod tls;
