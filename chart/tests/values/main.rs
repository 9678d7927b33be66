//! What Helm makes of the values of charts, of the charts in them, and of the command line.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod charts;
mod helm3;
mod hostile;
mod live;
mod properties;
mod provenance;
mod vectors;
mod warnings;
