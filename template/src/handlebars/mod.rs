//! Handlebars: parsed with the `handlebars` crate's grammar, executed here, so that every
//! output byte knows where it came from. `spec/pack.md` §4 says what is supported.

mod ast;
mod evaluate;
mod expressions;
mod lower;
mod parse;
mod path;
mod problem;
mod scope;
mod space;
mod tags;
mod words;

pub(crate) use ast::Program;
pub(crate) use evaluate::{Evaluator, unknown_partial};
pub(crate) use parse::parse;
