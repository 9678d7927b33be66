//! Go's `fmt` and `strconv`: how values print.

mod float;
mod integer;
mod printf;
mod quote;
mod verb;

pub use integer::print_bytes;
pub(crate) use printf::{Segment, printf};
pub(crate) use quote::{can_backquote, escaped};
pub use quote::{is_print, quote, quote_char};
pub(crate) use verb::{Flags, Printer};

use crate::value::{Source, Value};

/// A value of a tree as a verb such as `%v` prints it, in messages.
pub fn show(value: &cairn_spec::Value, verb: char) -> String {
    let value = Value::from_tree(value, Source::TEMPLATE);
    let mut out = Vec::new();
    Printer::new(&mut out, Flags::default()).argument(&value, verb);
    String::from_utf8_lossy(&out).into_owned()
}

/// The value as `%v` prints it.
pub(crate) fn print(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    print_into(value, &mut out);
    out
}

pub(crate) fn print_into(value: &Value, out: &mut Vec<u8>) {
    Printer::new(out, Flags::default()).argument(value, 'v');
}
