//! `.Files`: the files of a chart that are no templates.

use std::{any::Any, collections::BTreeMap, rc::Rc, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_template::{
    ElementType, MapType, Method, Object, Parameter, Value, go::print_bytes, go_yaml,
};

use crate::{ChartFile, Dialect, content::Content, glob::Pattern};

/// Files by their paths. One that cannot be read is an empty one here; what is rendered then nobody
/// gets.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    by_path: Rc<BTreeMap<Arc<str>, Content>>,
    dialect: Dialect,
}

impl Files {
    pub(crate) fn new(files: &[ChartFile], dialect: Dialect) -> Self {
        let files = files.iter();
        let by_path = files.map(|file| (Arc::clone(&file.path), file.content().clone()));
        Self {
            by_path: Rc::new(by_path.collect()),
            dialect,
        }
    }

    fn get(&self, path: &str) -> &[u8] {
        self.by_path.get(path).map_or(&[], Content::get_or_nothing)
    }

    /// The files whose paths match; where the pattern is none, all of them.
    fn glob(&self, pattern: &str) -> Self {
        let Ok(pattern) = Pattern::new(pattern) else {
            return self.clone();
        };
        let files = self.by_path.iter();
        let matching = files
            .filter(|(path, _)| pattern.is_match(path))
            .map(|(path, content)| (Arc::clone(path), content.clone()));
        Self {
            by_path: Rc::new(matching.collect()),
            dialect: self.dialect,
        }
    }

    /// The files' names without their folders, and what `encode` makes of their content, as YAML.
    fn as_yaml(&self, encode: impl Fn(&[u8]) -> Value) -> Value {
        let files = self.by_path.iter();
        let entries = files.map(|(path, content)| {
            let name = path.rsplit('/').next().unwrap_or_default();
            (name, encode(content.get_or_nothing()))
        });
        let map = Value::typed_map(entries, MapType::String);
        let mut yaml = go_yaml::write(&map, &mut ()).unwrap_or_default();
        if yaml.ends_with('\n') {
            yaml.pop();
        }
        Value::from(yaml)
    }

    /// The lines of a file.
    fn lines(&self, path: &str) -> Result<Value, String> {
        let Some(content) = self.by_path.get(path) else {
            return Ok(Value::typed_list([], ElementType::String));
        };
        let bytes = content.get_or_nothing();
        if bytes.is_empty() && self.dialect == Dialect::Helm3 {
            return Ok(Value::typed_list([], ElementType::String));
        }
        if bytes.is_empty() {
            return Err("runtime error: index out of range [-1]".to_owned());
        }
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let lines = text.split(|byte| *byte == b'\n').map(Value::from);
        Ok(Value::typed_list(lines, ElementType::String))
    }
}

impl Object for Files {
    fn type_name(&self) -> &'static str {
        "engine.files"
    }

    fn kind_name(&self) -> &'static str {
        "map"
    }

    /// As in any map of Go, a file that is not there is an empty one.
    fn field(&self, name: &str) -> Option<Value> {
        Some(Value::bytes(self.get(name)))
    }

    fn methods(&self) -> &'static [Method] {
        const PATH: &[Parameter] = &[Parameter::String];
        const fn method(name: &'static str, parameters: &'static [Parameter]) -> Method {
            Method { name, parameters }
        }
        const METHODS: &[Method] = &[
            method("AsConfig", &[]),
            method("AsSecrets", &[]),
            method("Get", PATH),
            method("GetBytes", PATH),
            method("Glob", PATH),
            method("Lines", PATH),
        ];
        METHODS
    }

    /// Each file is looked at.
    fn call_steps(&self) -> usize {
        self.by_path.len()
    }

    fn call(&self, method: &str, arguments: &[Value]) -> Result<Value, String> {
        let path = arguments
            .first()
            .and_then(Value::as_str)
            .unwrap_or_default();
        Ok(match method {
            "AsConfig" => self.as_yaml(|bytes| Value::from(bytes)),
            "AsSecrets" => self.as_yaml(|bytes| Value::from(STANDARD.encode(bytes))),
            "Get" => Value::from(self.get(&path)),
            "GetBytes" => Value::bytes(self.get(&path)),
            "Glob" => Value::object(self.glob(&path)),
            _ => self.lines(&path)?,
        })
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        let files = self.by_path.iter();
        let entries = files.map(|(path, content)| {
            let path = Value::from(Arc::clone(path));
            (path, Value::bytes(content.get_or_nothing()))
        });
        Some(entries.collect())
    }

    fn print(&self) -> String {
        let mut out = Vec::new();
        self.print_to(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn print_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"map[");
        for (index, (path, content)) in self.by_path.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(path.as_bytes());
            out.push(b':');
            print_bytes(content.get_or_nothing(), out);
        }
        out.push(b']');
    }

    fn to_value(&self) -> Value {
        let files = self.by_path.iter();
        Value::map(files.map(|(path, content)| {
            let bytes = Value::bytes(content.get_or_nothing());
            (Arc::clone(path), bytes)
        }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
