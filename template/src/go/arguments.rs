//! Evaluates the arguments of calls and checks them against what is declared, as Go does.

use super::{
    ast::{Kind, NodeId},
    evaluate::Calling,
    frame::Frame,
    render::Renderer,
};
use crate::{
    Method, Parameter,
    functions::Function,
    state::Outcome,
    value::{Data, ElementType, IntKind, MapType, Value},
};

/// What a function or method takes.
#[derive(Clone, Copy)]
pub(super) struct Signature {
    fixed: &'static [Parameter],
    variadic: Option<Parameter>,
}

impl From<&'static Function> for Signature {
    fn from(function: &'static Function) -> Self {
        Self {
            fixed: function.parameters,
            variadic: function.variadic,
        }
    }
}

impl From<&Method> for Signature {
    fn from(method: &Method) -> Self {
        Self {
            fixed: method.parameters,
            variadic: None,
        }
    }
}

impl Signature {
    /// Refuses a call with the wrong number of arguments.
    pub(super) fn check_count(&self, frame: &Frame<'_>, calling: &Calling<'_>) -> Outcome<()> {
        let words = calling.arguments.length as usize;
        let given = words + usize::from(calling.last.is_some());
        let wanted = self.fixed.len();
        let name = calling.name;
        if self.variadic.is_some() {
            if given < wanted {
                return Err(frame.failure(format!(
                    "wrong number of args for {name}: want at least {wanted} got {words}"
                )));
            }
        } else if given != wanted {
            return Err(frame.failure(format!(
                "wrong number of args for {name}: want {wanted} got {given}"
            )));
        }
        Ok(())
    }

    fn parameter(&self, index: usize) -> Parameter {
        self.fixed
            .get(index)
            .copied()
            .or(self.variadic)
            .unwrap_or(Parameter::Any)
    }
}

impl Parameter {
    /// The name of its Go type.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::String => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Float => "float64",
            Self::Map => "map[string]interface {}",
            Self::List => "[]interface {}",
            Self::Strings => "[]string",
            Self::Certificate => "sprig.certificate",
            Self::Duration => "time.Duration",
            Self::Time => "time.Time",
            Self::Object(name) => name,
        }
    }

    /// Nil is a value of the type.
    fn can_be_nil(self) -> bool {
        match self {
            Self::Any | Self::Map | Self::List | Self::Strings => true,
            Self::Object(name) => name.starts_with('*'),
            _ => false,
        }
    }

    fn takes(self, value: &Value) -> bool {
        match (self, &value.data) {
            (Self::Any, _)
            | (Self::String, Data::Str(_) | Data::Text(_))
            | (Self::Bool, Data::Bool(_))
            | (Self::Int, Data::Int(_, IntKind::Int))
            | (Self::Int64, Data::Int(_, IntKind::Int64))
            | (Self::Duration, Data::Int(_, IntKind::Duration))
            | (Self::Float, Data::Float(_)) => true,
            (Self::Map, Data::Map(map)) => map.of != MapType::String,
            (Self::List, Data::List(list)) => list.of == ElementType::Any,
            (Self::Strings, Data::List(list)) => list.of == ElementType::String,
            (Self::Certificate | Self::Time | Self::Object(_), Data::Object(object)) => {
                object.type_name() == self.type_name()
            }
            _ => false,
        }
    }
}

/// The value as a function gets it: structs are copied.
fn passed(value: Value) -> Value {
    match &value.data {
        Data::Object(object) => match object.copied() {
            Some(copy) => Value {
                data: copy.data,
                ..value
            },
            None => value,
        },
        _ => value,
    }
}

impl Renderer<'_> {
    /// Evaluates the arguments one after the other and puts them on the renderer's list.
    pub(super) fn evaluate_arguments(
        &mut self,
        frame: &mut Frame<'_>,
        signature: &Signature,
        calling: Calling<'_>,
    ) -> Outcome<()> {
        let count = calling.arguments.length as usize;
        for index in 0..count {
            let word = frame.program.children(calling.arguments)[index];
            let value = self.argument(frame, word, signature.parameter(index))?;
            self.arguments.push(passed(value));
        }
        if let Some(last) = calling.last {
            let value = self.checked(frame, last, signature.parameter(count))?;
            self.arguments.push(passed(value));
        }
        Ok(())
    }

    /// Evaluates one argument.
    pub(super) fn argument(
        &mut self,
        frame: &mut Frame<'_>,
        id: NodeId,
        parameter: Parameter,
    ) -> Outcome<Value> {
        frame.at = id;
        let kind = frame.program.node(id).kind;
        let value = match kind {
            Kind::Dot => frame.dot.clone(),
            Kind::Nil if parameter.can_be_nil() => return Ok(Value::missing()),
            Kind::Nil => {
                let type_name = parameter.type_name();
                return Err(frame.failure(format!("cannot assign nil to {type_name}")));
            }
            Kind::Variable(_, names) if names.length == 1 => self.constant(frame, id)?,
            Kind::Field(_) | Kind::Variable(..) | Kind::Chain(..) => self.path(frame, id, None)?,
            Kind::Pipe(_) => self.nested_pipeline(frame, id)?,
            Kind::Function(function) => {
                let function = function.function();
                let calling = Calling {
                    node: id,
                    name: function.name,
                    arguments: super::ast::List::default(),
                    last: None,
                };
                self.call(frame, function, calling)?
            }
            _ => return self.literal_argument(frame, id, parameter),
        };
        self.checked(frame, value, parameter)
    }

    /// A literal, which takes the type of the parameter.
    fn literal_argument(
        &mut self,
        frame: &mut Frame<'_>,
        id: NodeId,
        parameter: Parameter,
    ) -> Outcome<Value> {
        let kind = frame.program.node(id).kind;
        let expected = match (parameter, kind) {
            (Parameter::Any, _)
            | (Parameter::Bool, Kind::Bool(_))
            | (Parameter::String, Kind::String(_)) => return self.constant(frame, id),
            (Parameter::Int | Parameter::Int64 | Parameter::Duration, Kind::Number(number)) => {
                if let Some(int) = frame.program.number(number).int {
                    let kind = match parameter {
                        Parameter::Int => IntKind::Int,
                        Parameter::Duration => IntKind::Duration,
                        _ => IntKind::Int64,
                    };
                    return Ok(Data::Int(int, kind).into());
                }
                "integer"
            }
            (Parameter::Uint32, Kind::Number(number)) => {
                if let Some(int) = frame.program.number(number).int.filter(|&int| int >= 0) {
                    return Ok(int.into());
                }
                "unsigned integer"
            }
            (Parameter::Float, Kind::Number(number)) => {
                let number = frame.program.number(number);
                if number.imaginary.is_none_or(|imaginary| imaginary == 0.0) {
                    return Ok(number.float.into());
                }
                "float"
            }
            (Parameter::Bool, _) => "bool",
            (Parameter::String, _) => "string",
            (Parameter::Int | Parameter::Int64 | Parameter::Duration, _) => "integer",
            (Parameter::Uint32, _) => "unsigned integer",
            (Parameter::Float, _) => "float",
            _ => {
                let shown = frame.program.shown_argument(id);
                let type_name = parameter.type_name();
                return Err(
                    frame.failure(format!("can't handle {shown} for arg of type {type_name}"))
                );
            }
        };
        let shown = frame.program.shown_argument(id);
        Err(frame.failure(format!("expected {expected}; found {shown}")))
    }

    /// The value, if the parameter takes it.
    fn checked(&mut self, frame: &Frame<'_>, value: Value, parameter: Parameter) -> Outcome<Value> {
        if matches!(value.data, Data::Missing) {
            if parameter.can_be_nil() {
                return Ok(value);
            }
            let type_name = parameter.type_name();
            return Err(frame.failure(format!("invalid value; expected {type_name}")));
        }
        if parameter.takes(&value) {
            return Ok(value);
        }
        let found = if matches!(value.data, Data::Nil) {
            "interface {}".into()
        } else {
            value.type_name()
        };
        let type_name = parameter.type_name();
        let failure = frame.failure(format!(
            "wrong type for value; expected {type_name}; got {found}"
        ));
        Err(self.with_written(failure, &value, "the value is written here"))
    }
}
