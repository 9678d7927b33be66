//! Retention: which tags and manifests leave their repositories by themselves.
//!
//! What goes is decided by a pure function ([`judge`]) of a rule and of what is known of one
//! repository ([`facts`]). A pass ([`pass`]) removes it as a client would, each time only if it is
//! still what was judged. Nothing is removed while the clock is in doubt ([`trusted_time`]).
//!
//! When manifests were pulled is remembered only where a rule asks for it ([`pulls`]).

mod facts;
mod judge;
mod pass;
mod pulls;
mod rules;
mod trusted_time;

#[cfg(test)]
mod tests;

pub use judge::{Decision, Verdict};
pub(crate) use pass::{Listeners, Mode, retain_until, sweep};
pub use pass::{RepositoryVerdicts, RetentionOptions, RetentionReport};
pub(crate) use pulls::{Pulls, flush_pulls, flush_pulls_until};
pub(crate) use rules::Rules;
