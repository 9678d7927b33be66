//! Values with methods, such as Helm's `.Files`: whoever renders a template brings them.

use std::{any::Any, fmt::Debug};

use super::Value;

/// What a parameter of a method or function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parameter {
    /// `interface {}`: anything.
    Any,
    /// `string`
    String,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `int64`
    Int64,
    /// `uint32`
    Uint32,
    /// `float64`
    Float,
    /// `map[string]interface {}`
    Map,
    /// `[]interface {}`
    List,
    /// `[]string`
    Strings,
    /// `sprig.certificate`
    Certificate,
    /// `time.Duration`
    Duration,
    /// `time.Time`
    Time,
    /// A type of objects, by the name its [`Object::type_name`] gives.
    Object(&'static str),
}

/// An encoder that sees Go's structs themselves, and not what JSON makes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoder {
    /// That of `toYamlPretty`.
    Yaml,
    /// That of `toToml`.
    Toml,
}

impl Encoder {
    /// What it calls a field.
    pub fn name_of(self, field: &str) -> String {
        match self {
            Self::Yaml => field.to_lowercase(),
            Self::Toml => field.to_owned(),
        }
    }
}

/// What an encoder makes of an object.
#[derive(Debug, Clone)]
pub enum Encoded {
    /// A table of these fields, in this order. An object that gives them gives [`Object::json_fields`], too.
    Fields(Vec<(String, Value)>),
    /// This text, without quotes.
    Plain(String),
}

/// The signature of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub parameters: &'static [Parameter],
}

/// A value with fields and methods. It never changes.
///
/// ```
/// use cairn_template::{Method, Object, Parameter, Value};
///
/// #[derive(Debug)]
/// struct Greeter;
///
/// impl Object for Greeter {
///     fn type_name(&self) -> &str {
///         "example.Greeter"
///     }
///
///     fn methods(&self) -> &'static [Method] {
///         &[Method { name: "Greet", parameters: &[Parameter::String] }]
///     }
///
///     fn call(&self, _method: &str, arguments: &[Value]) -> Result<Value, String> {
///         let name = arguments[0].as_str().unwrap_or_default();
///         Ok(Value::from(format!("hello {name}")))
///     }
///
///     fn as_any(&self) -> &dyn std::any::Any {
///         self
///     }
/// }
/// ```
pub trait Object: Debug {
    /// The name of its Go type, such as `engine.files`.
    fn type_name(&self) -> &str;

    /// The name of its Go kind: `struct`, `ptr`, `map` or `slice`.
    fn kind_name(&self) -> &'static str {
        "struct"
    }

    /// A field, or nothing if there is none of that name.
    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    /// The methods that templates may call.
    fn methods(&self) -> &'static [Method] {
        &[]
    }

    /// What a call of any method takes besides what it gives, in evaluation steps.
    fn call_steps(&self) -> usize {
        1
    }

    /// Calls one of [`Self::methods`] with as many arguments as it takes, each of the type of
    /// its parameter.
    ///
    /// # Errors
    ///
    /// What the method says is wrong.
    fn call(&self, method: &str, _arguments: &[Value]) -> Result<Value, String> {
        Err(format!("there is no method `{method}`"))
    }

    /// What `range` goes through, and how `index` and `len` see it; nothing if it is no
    /// collection. Keys of lists are integers.
    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        None
    }

    /// How it prints, as `%v` does.
    fn print(&self) -> String {
        format!("{{{}}}", self.type_name())
    }

    /// Prints it to the end of a text, for what prints long.
    fn print_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.print().as_bytes());
    }

    /// How it prints where an action shows it as it is. Go then calls `String` also where that is
    /// a method of the pointer to it.
    fn print_shown(&self) -> String {
        self.print()
    }

    /// What a YAML or JSON writer sees; the object's fields as a map, in most cases.
    fn to_value(&self) -> Value {
        Value::map::<&str>([])
    }

    /// What a struct's fields are to JSON, in their order; nothing for what is no struct.
    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        None
    }

    /// What Go's own encoders of YAML and TOML make of it, where that is not what JSON makes of it: they know
    /// structs by the names of their fields, of which they leave none out.
    fn encoded(&self, _encoder: Encoder) -> Option<Encoded> {
        None
    }

    /// What a function gets of it, where that is not the same: a copy of a struct has no methods
    /// of the pointer to it.
    fn copied(&self) -> Option<Value> {
        None
    }

    /// Whether `if` takes it as true: collections are when there is something in them.
    fn is_true(&self) -> bool {
        self.entries().is_none_or(|entries| !entries.is_empty())
    }

    /// Whether `eq` and `deepEqual` take another object of the same type as equal; the same
    /// object always is.
    fn is_equal(&self, _other: &dyn Object) -> bool {
        false
    }

    /// The object itself, for functions that know its type.
    fn as_any(&self) -> &dyn Any;
}
