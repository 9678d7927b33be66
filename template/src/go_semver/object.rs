//! Versions as templates see them: `(semver "1.2.3").Major` and the other methods of Go's type.

use std::any::Any;

use super::Version;
use crate::{
    Method, Object, Parameter, Value,
    value::{Data, IntKind},
};

/// A version in a template. What `semver` gives is a pointer in Go, and has all methods; what
/// methods give is none, and lacks those that need one.
#[derive(Debug)]
struct VersionObject {
    version: Version,
    is_pointer: bool,
}

const POINTER: &str = "*semver.Version";

impl Version {
    /// The version as templates see it.
    pub(crate) fn into_object(self) -> Value {
        Value::object(VersionObject {
            version: self,
            is_pointer: true,
        })
    }
}

const fn method(name: &'static str, parameters: &'static [Parameter]) -> Method {
    Method { name, parameters }
}

const OTHER: &[Parameter] = &[Parameter::Object(POINTER)];

static POINTER_METHODS: [Method; 21] = [
    method("Compare", OTHER),
    method("Equal", OTHER),
    method("GreaterThan", OTHER),
    method("GreaterThanEqual", OTHER),
    method("LessThan", OTHER),
    method("LessThanEqual", OTHER),
    method("Original", &[]),
    method("IncMajor", &[]),
    method("IncMinor", &[]),
    method("IncPatch", &[]),
    method("Major", &[]),
    method("MarshalJSON", &[]),
    method("MarshalText", &[]),
    method("Metadata", &[]),
    method("Minor", &[]),
    method("Patch", &[]),
    method("Prerelease", &[]),
    method("SetMetadata", &[Parameter::String]),
    method("SetPrerelease", &[Parameter::String]),
    method("String", &[]),
    method("Value", &[]),
];
/// How many of them need a pointer.
const POINTERS_ONLY: usize = 7;

impl Object for VersionObject {
    fn type_name(&self) -> &str {
        if self.is_pointer {
            POINTER
        } else {
            "semver.Version"
        }
    }

    fn kind_name(&self) -> &'static str {
        if self.is_pointer { "ptr" } else { "struct" }
    }

    fn methods(&self) -> &'static [Method] {
        if self.is_pointer {
            &POINTER_METHODS
        } else {
            POINTER_METHODS.get(POINTERS_ONLY..).unwrap_or_default()
        }
    }

    fn call(&self, method: &str, arguments: &[Value]) -> Result<Value, String> {
        let version = &self.version;
        match method {
            "Original" => Ok(version.original().into()),
            "IncMajor" => version.next_major().map(changed),
            "IncMinor" => version.next_minor().map(changed),
            "IncPatch" => version.next_patch().map(changed),
            "Major" => Ok(number(version.major())),
            "Minor" => Ok(number(version.minor())),
            "Patch" => Ok(number(version.patch())),
            "MarshalJSON" => Ok(Value::bytes(format!("\"{version}\"").into_bytes())),
            "MarshalText" => Ok(Value::bytes(version.to_string().into_bytes())),
            "Metadata" => Ok(version.metadata().into()),
            "Prerelease" => Ok(version.prerelease().into()),
            "SetMetadata" => version.with_metadata(&text(arguments)).map(changed),
            "SetPrerelease" => version.with_prerelease(&text(arguments)).map(changed),
            "String" | "Value" => Ok(version.to_string().into()),
            _ => self.compare(method, arguments),
        }
    }

    fn print(&self) -> String {
        self.version.to_string()
    }

    fn to_value(&self) -> Value {
        self.version.to_string().into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl VersionObject {
    fn compare(&self, method: &str, arguments: &[Value]) -> Result<Value, String> {
        let other = match arguments.first().map(|value| &value.data) {
            Some(Data::Object(object)) => object.as_any().downcast_ref::<Self>(),
            _ => None,
        };
        let Some(other) = other else {
            if method == "Equal" {
                return Ok(false.into());
            }
            let problem = "runtime error: invalid memory address or nil pointer dereference";
            return Err(problem.to_owned());
        };
        let order = self.version.cmp(&other.version);
        Ok(match method {
            "Compare" => Value::from(order as i64),
            "Equal" => order.is_eq().into(),
            "GreaterThan" => order.is_gt().into(),
            "GreaterThanEqual" => order.is_ge().into(),
            "LessThan" => order.is_lt().into(),
            "LessThanEqual" => order.is_le().into(),
            _ => return Err(format!("there is no method `{method}`")),
        })
    }
}

fn changed(version: Version) -> Value {
    Value::object(VersionObject {
        version,
        is_pointer: false,
    })
}

fn text(arguments: &[Value]) -> std::borrow::Cow<'_, str> {
    arguments
        .first()
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn number(number: u64) -> Value {
    Data::Int(number.cast_signed(), IntKind::Uint64).into()
}
