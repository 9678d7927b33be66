//! Evaluates paths: `.a.b`, `$x.a`, `(pipeline).a`, and the methods of objects.

use super::{
    arguments::Signature,
    ast::{Kind, NodeId},
    evaluate::{Calling, unboxed},
    format::quote,
    frame::Frame,
    render::Renderer,
    set::MissingKey,
};
use crate::{
    ElementType, MapType, Parameter, go_yaml,
    limits::{BYTES_PER_STEP, ITEM_STEPS, TEXT_STEPS},
    spans::{Class, OriginSet},
    state::Outcome,
    value::{Data, List, Map, Source, Value},
};

/// The names of the type of Helm's values, whose methods templates may call: since version 4, and
/// before.
const VALUES_TYPES: [&str; 2] = ["common.Values", "chartutil.Values"];
/// The names of the type of Helm's list of API versions.
const VERSION_SET_TYPES: [&str; 2] = ["common.VersionSet", "chartutil.VersionSet"];

/// What is given to the last name of a path, where it stands as a command.
type Given = Option<(super::ast::List, Option<Value>)>;

/// What it takes to make what a method gave.
fn made_steps(value: &Value) -> usize {
    match &value.data {
        Data::List(list) => list.items().len().saturating_mul(ITEM_STEPS + TEXT_STEPS),
        Data::Str(text) | Data::Bytes(text) => text.len() / BYTES_PER_STEP,
        _ => 0,
    }
}

impl Renderer<'_> {
    pub(super) fn path(
        &mut self,
        frame: &mut Frame<'_>,
        id: NodeId,
        given: Given,
    ) -> Outcome<Value> {
        frame.at = id;
        let (mut receiver, names) = match frame.program.node(id).kind {
            Kind::Field(names) => (frame.dot.clone(), names),
            Kind::Variable(_, names) => {
                let value = self.constant(frame, id)?;
                let names = super::ast::List {
                    start: names.start + 1,
                    length: names.length - 1,
                };
                (value, names)
            }
            Kind::Chain(of, names) => {
                if matches!(frame.program.node(of).kind, Kind::Nil) {
                    let shown = frame.program.shown(id);
                    return Err(
                        frame.failure(format!("indirection through explicit nil in {shown}"))
                    );
                }
                let value = self.chain_start(frame, of)?;
                (value, names)
            }
            _ => return self.constant(frame, id),
        };
        let count = names.length as usize;
        let mut given = given;
        let program = frame.program;
        for (index, name) in program.names(names).enumerate() {
            let (arguments, last) = if index + 1 == count {
                given.take().unwrap_or_default()
            } else {
                Default::default()
            };
            let calling = Calling {
                node: id,
                name,
                arguments,
                last,
            };
            receiver = self.field(frame, &receiver, calling)?;
        }
        Ok(receiver)
    }

    /// What stands before the first name of a chain.
    fn chain_start(&mut self, frame: &mut Frame<'_>, of: NodeId) -> Outcome<Value> {
        if matches!(frame.program.node(of).kind, Kind::Pipe(_)) {
            return self.nested_pipeline(frame, of);
        }
        self.argument(frame, of, Parameter::Any)
    }

    fn field(
        &mut self,
        frame: &mut Frame<'_>,
        receiver: &Value,
        calling: Calling<'_>,
    ) -> Outcome<Value> {
        let name = calling.name;
        let has_arguments = calling.arguments.length > 0 || calling.last.is_some();
        let found = match &receiver.data {
            Data::Missing => {
                if self.missing_key == MissingKey::Error {
                    let key = quote(name.as_bytes());
                    return Err(frame.failure(format!("nil data; no entry for key {key}")));
                }
                return Ok(Value::missing());
            }
            Data::Nil => {
                self.state.read_whole(receiver);
                let failure =
                    frame.failure(format!("nil pointer evaluating interface {{}}.{name}"));
                return Err(self.with_written(failure, receiver, "it is null here"));
            }
            Data::Object(object) => {
                let method = object.methods().iter().find(|method| method.name == name);
                if let Some(method) = method {
                    let object = std::rc::Rc::clone(object);
                    self.count(frame, object.call_steps())?;
                    let run = |arguments: &[Value]| object.call(method.name, arguments);
                    let value = self.method(frame, method, calling, run)?;
                    let value = self.of_object(value, receiver);
                    return Ok(self.inherited(value, receiver));
                }
                let field = object.field(name);
                if has_arguments && field.is_some() {
                    return Err(frame.failure(format!(
                        "{name} has arguments but cannot be invoked as function"
                    )));
                }
                match field {
                    None if object.kind_name() == "map" => Some(Value::nil()),
                    field => field,
                }
            }
            Data::Map(map) => {
                if let MapType::Named(type_name) = map.of
                    && VALUES_TYPES.contains(&type_name)
                    && let Some(method) = values_method(name)
                {
                    let map = std::rc::Rc::clone(map);
                    let run =
                        |arguments: &[Value]| call_values_method(method.name, &map, arguments);
                    let value = self.method(frame, method, calling, run)?;
                    return Ok(self.inherited(value, receiver));
                }
                if has_arguments {
                    return Err(frame.failure(format!("{name} is not a method but has arguments")));
                }
                Some(self.entry(frame, map, name)?)
            }
            Data::List(list) if is_version_set(list) && name == HAS.name => {
                let list = std::rc::Rc::clone(list);
                let run = |arguments: &[Value]| Ok(has(&list, arguments));
                let value = self.method(frame, &HAS, calling, run)?;
                return Ok(self.inherited(value, receiver));
            }
            Data::Int(number, kind) => {
                let methods = crate::go_time::integer_methods(*kind);
                let Some(method) = methods.iter().find(|method| method.name == name) else {
                    return Err(self.no_field(frame, receiver, name));
                };
                let run = |arguments: &[Value]| {
                    Ok(crate::go_time::call_integer_method(
                        *kind, *number, name, arguments,
                    ))
                };
                let value = self.method(frame, method, calling, run)?;
                let value = self.of_object(value, receiver);
                return Ok(self.inherited(value, receiver));
            }
            _ => None,
        };
        let Some(value) = found else {
            return Err(self.no_field(frame, receiver, name));
        };
        Ok(self.inherited(value, receiver))
    }

    fn no_field(&self, frame: &Frame<'_>, receiver: &Value, name: &str) -> crate::state::Failure {
        let type_name = if receiver.standing.is_boxed() {
            "interface {}".into()
        } else {
            receiver.type_name()
        };
        let failure = frame.failure(format!("can't evaluate field {name} in type {type_name}"));
        let written = format!("{} is written here", receiver.kind());
        self.with_written(failure, receiver, &written)
    }

    /// A value is what it is also because of what decided about that which holds it.
    fn inherited(&mut self, mut value: Value, holder: &Value) -> Value {
        if holder.because != OriginSet::EMPTY {
            value.because = self.state.tracker.union(value.because, holder.because);
        }
        value
    }

    /// What an object that came from values gives came from them as well.
    fn of_object(&mut self, mut value: Value, object: &Value) -> Value {
        if object.source != Source::TEMPLATE {
            let tracker = &mut self.state.tracker;
            let origins = tracker.union(value.source.origins, object.source.origins);
            value.source = match object.source.class {
                Class::Opaque => Source {
                    class: Class::Opaque,
                    origins,
                },
                _ => Source::derived(origins),
            };
        }
        value
    }

    fn entry(&mut self, frame: &Frame<'_>, map: &Map, name: &str) -> Outcome<Value> {
        if let Some(mut value) = map.get(name) {
            value.standing.set_boxed(map.of.holds_anything());
            if matches!(value.data, Data::Missing) {
                value.data = Data::Nil;
            }
            return Ok(value);
        }
        let mut value = match (self.missing_key, map.of) {
            (MissingKey::Default, _) => Value::missing(),
            (MissingKey::Zero, MapType::String) => Value::from(""),
            (MissingKey::Zero, _) => Value::nil().boxed(true),
            (MissingKey::Error, _) => {
                let key = quote(name.as_bytes());
                return Err(frame.failure(format!("map has no entry for key {key}")));
            }
        };
        // That it is missing may be what somebody wrote.
        if let Some(origin) = map.deletion(name) {
            value.because = self.state.tracker.single(origin);
        }
        Ok(value)
    }

    fn method(
        &mut self,
        frame: &mut Frame<'_>,
        method: &crate::Method,
        calling: Calling<'_>,
        run: impl FnOnce(&[Value]) -> Result<Value, String>,
    ) -> Outcome<Value> {
        let signature = Signature::from(method);
        signature.check_count(frame, &calling)?;
        let base = self.arguments.len();
        let (node, name) = (calling.node, calling.name);
        let evaluated = self.evaluate_arguments(frame, &signature, calling);
        let result = evaluated.and_then(|()| {
            let arguments = &self.arguments[base..];
            run(arguments).map_err(|reason| {
                frame.at = node;
                let diagnostic = cairn_spec::Diagnostic::error("template-execution", reason)
                    .at(frame.span(node));
                frame.wrap(diagnostic.into(), &format!("error calling {name}: "))
            })
        });
        let mut origins = OriginSet::EMPTY;
        for index in base..self.arguments.len() {
            let argument = self.arguments[index].clone();
            self.state.read_shallow(&argument);
            let used = argument.shallow_origins(&mut self.state);
            origins = self.state.tracker.union(origins, used);
        }
        self.arguments.truncate(base);
        let value = result?;
        self.count(frame, made_steps(&value))?;
        let because = self.state.tracker.union(value.because, origins);
        Ok(Value { because, ..value })
    }

    /// Says where the value was written that something is wrong with.
    pub(super) fn with_written(
        &self,
        mut failure: crate::state::Failure,
        value: &Value,
        text: &str,
    ) -> crate::state::Failure {
        if let Some(span) = value.written_at(&self.state) {
            failure.diagnostic.labels.push(cairn_spec::Label {
                span,
                text: text.to_owned(),
            });
        }
        failure
    }
}

/// The method of Helm's list of API versions.
static HAS: crate::Method = crate::Method {
    name: "Has",
    parameters: &[Parameter::String],
};

fn is_version_set(list: &List) -> bool {
    matches!(list.of, ElementType::Named(name) if VERSION_SET_TYPES.contains(&name))
}

fn has(list: &List, arguments: &[Value]) -> Value {
    let wanted = arguments.first().and_then(Value::as_bytes);
    let found = list.items().iter().any(|item| item.as_bytes() == wanted);
    found.into()
}

/// The methods of Helm's values that a template can call.
static VALUES_METHODS: &[crate::Method] = &[
    crate::Method {
        name: "AsMap",
        parameters: &[],
    },
    crate::Method {
        name: "Table",
        parameters: &[Parameter::String],
    },
    crate::Method {
        name: "PathValue",
        parameters: &[Parameter::String],
    },
    crate::Method {
        name: "YAML",
        parameters: &[],
    },
];

fn values_method(name: &str) -> Option<&'static crate::Method> {
    VALUES_METHODS.iter().find(|method| method.name == name)
}

fn call_values_method(
    method: &str,
    map: &std::rc::Rc<Map>,
    arguments: &[Value],
) -> Result<Value, String> {
    let path = arguments
        .first()
        .and_then(Value::as_str)
        .unwrap_or_default();
    match method {
        "AsMap" => Ok(Data::Map(std::rc::Rc::new(map.retyped(MapType::Any))).into()),
        "YAML" => {
            let value: Value = Data::Map(std::rc::Rc::clone(map)).into();
            let written = go_yaml::write(&value, &mut ());
            written.map(Value::from).map_err(|error| error.to_string())
        }
        "Table" => {
            let mut table = std::rc::Rc::clone(map);
            for name in path.split('.') {
                let next = table.get(name);
                match next.map(|value| value.data) {
                    Some(Data::Map(map)) => table = map,
                    _ => return Err(format!("{} is not a table", quote(name.as_bytes()))),
                }
            }
            Ok(Data::Map(std::rc::Rc::new(table.retyped(map.of))).into())
        }
        _ => {
            let last = path.rsplit('.').next().unwrap_or_default();
            let mut value: Value = Data::Map(std::rc::Rc::clone(map)).into();
            for name in path.split('.') {
                value = value
                    .get(name)
                    .ok_or_else(|| format!("{} is not a value", quote(last.as_bytes())))?;
            }
            match value.data {
                Data::Map(_) => Err(format!("{} is not a value", quote(last.as_bytes()))),
                _ => Ok(unboxed(value)),
            }
        }
    }
}
