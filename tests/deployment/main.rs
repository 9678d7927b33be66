//! What `deploy/` and the packs of Cairn itself tell its commands: they have to understand all of it.
//!
//! Whether other programs understand them is shown by `tests/peers/`.

mod agent;
mod compose;
mod mounted;
mod pack;
mod systemd;
