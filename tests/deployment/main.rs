//! What `deploy/` and the pack `cairn-registry` tell the command: it has to understand all of it.
//!
//! Whether other programs understand them is shown by `tests/peers/`.

mod compose;
mod mounted;
mod pack;
mod systemd;
