//! Complex numbers, which templates may write and print.

use std::any::Any;

use crate::value::{Object, Value};

/// Go's `complex128`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Complex {
    pub(super) real: f64,
    pub(super) imaginary: f64,
}

impl Object for Complex {
    fn type_name(&self) -> &'static str {
        "complex128"
    }

    fn kind_name(&self) -> &'static str {
        "complex128"
    }

    fn print(&self) -> String {
        let (real, imaginary) = (Value::from(self.real), Value::from(self.imaginary));
        let imaginary = imaginary.to_string();
        let sign = if imaginary.starts_with('-') { "" } else { "+" };
        format!("({real}{sign}{imaginary}i)")
    }

    /// JSON has no such number.
    fn to_value(&self) -> Value {
        Value::from(f64::NAN)
    }

    fn is_true(&self) -> bool {
        self.real != 0.0 || self.imaginary != 0.0
    }

    fn is_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
