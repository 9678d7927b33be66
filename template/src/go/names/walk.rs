//! Goes through a parsed text and follows what `.` and variables are.

use super::{MAX_PATHS, NamedPath, Names, Usage, calls::usage_of_argument};
use crate::go::ast::{Kind, List, NodeId, Pipe, Program};

/// The names that lead to a value.
type Path = Vec<String>;

/// A path of which nobody knows where it starts.
const UNKNOWN: &str = "?";

const PRINTED: Usage = Usage {
    is_guarded: false,
    is_whole: true,
};
const TESTED: Usage = Usage {
    is_guarded: true,
    is_whole: false,
};
const HANDED_ON: Usage = Usage {
    is_guarded: true,
    is_whole: true,
};

fn unknown() -> Path {
    vec![UNKNOWN.to_owned()]
}

pub(super) struct Walk<'p> {
    program: &'p Program,
    names: Names,
    dot: Path,
    /// What the variables are, by their slots.
    variables: Vec<Path>,
    is_in_definition: bool,
}

impl<'p> Walk<'p> {
    pub(super) fn all(program: &'p Program) -> Names {
        let mut walk = Self {
            program,
            names: Names::default(),
            dot: Path::new(),
            variables: Vec::new(),
            is_in_definition: false,
        };
        let last = program.templates.len().saturating_sub(1);
        for (index, template) in program.templates.iter().enumerate() {
            walk.is_in_definition = index != last;
            walk.dot = Path::new();
            walk.variables = vec![unknown(); template.frame as usize];
            walk.bind(0, Path::new());
            walk.list(template.body);
        }
        walk.names
    }

    fn list(&mut self, list: List) {
        for &id in self.program.children(list) {
            self.node(id);
        }
    }

    fn node(&mut self, id: NodeId) {
        match self.program.node(id).kind {
            Kind::Action(pipe) => self.statement(pipe),
            Kind::If(control) => {
                let control = self.program.control(control);
                self.condition(control.pipe, TESTED);
                self.list(control.body);
                self.otherwise(control.otherwise);
            }
            Kind::With(control) => {
                let control = self.program.control(control);
                let path = self.condition(control.pipe, HANDED_ON);
                let outer = std::mem::replace(&mut self.dot, path);
                self.list(control.body);
                self.dot = outer;
                self.otherwise(control.otherwise);
            }
            Kind::Range(control) => {
                let control = self.program.control(control);
                let pipe = self.program.pipe_of(control.pipe);
                self.pipe(pipe, HANDED_ON);
                self.bind_all(pipe, &unknown());
                let outer = std::mem::replace(&mut self.dot, unknown());
                self.list(control.body);
                self.dot = outer;
                self.otherwise(control.otherwise);
            }
            Kind::Template {
                pipe: Some(pipe), ..
            } => self.value(pipe, HANDED_ON),
            _ => {}
        }
    }

    fn otherwise(&mut self, list: Option<List>) {
        if let Some(list) = list {
            self.list(list);
        }
    }

    fn statement(&mut self, id: NodeId) {
        let pipe = self.program.pipe_of(id);
        if pipe.variables.length == 0 {
            self.pipe(pipe, PRINTED);
        } else {
            self.binding(id, pipe, HANDED_ON);
        }
    }

    /// The condition of an `if` or `with`; gives the path that it is. What is no path is used as
    /// `usage` says.
    fn condition(&mut self, id: NodeId, usage: Usage) -> Path {
        let pipe = self.program.pipe_of(id);
        if pipe.variables.length > 0 {
            return self.binding(id, pipe, usage);
        }
        if let Some(path) = self.path_of_pipe(pipe) {
            self.add(path.clone(), id, TESTED);
            return path;
        }
        self.pipe(pipe, usage);
        unknown()
    }

    /// `$a := …` or `$a = …`; gives the path that the variable is now.
    fn binding(&mut self, id: NodeId, pipe: Pipe, usage: Usage) -> Path {
        let path = self.path_of_pipe(pipe);
        let Some(path) = path.filter(|_| !pipe.is_assignment) else {
            // A variable that changes may be anything afterwards, and in a loop also before.
            for slot in self.slots(pipe).into_iter().filter(|_| pipe.is_assignment) {
                let before = self.variables.get(slot).cloned().unwrap_or_else(unknown);
                self.add(before, id, HANDED_ON);
            }
            let usage = if pipe.is_assignment { HANDED_ON } else { usage };
            self.pipe(pipe, usage);
            self.bind_all(pipe, &unknown());
            return unknown();
        };
        self.add(path.clone(), id, TESTED);
        self.bind_all(pipe, &path);
        path
    }

    fn slots(&self, pipe: Pipe) -> Vec<usize> {
        let variables = self.program.children(pipe.variables).iter();
        variables
            .filter_map(|&id| match self.program.node(id).kind {
                Kind::Variable(Some(slot), _) => Some(slot.0 as usize),
                _ => None,
            })
            .collect()
    }

    fn bind_all(&mut self, pipe: Pipe, path: &Path) {
        for slot in self.slots(pipe) {
            self.bind(slot, path.clone());
        }
    }

    fn bind(&mut self, slot: usize, path: Path) {
        if let Some(variable) = self.variables.get_mut(slot) {
            *variable = path;
        }
    }

    fn add(&mut self, names: Path, id: NodeId, usage: Usage) {
        if self.names.paths.len() >= MAX_PATHS {
            return;
        }
        let node = self.program.node(id);
        self.names.paths.push(NamedPath {
            names,
            range: node.start as usize..node.end as usize,
            usage,
            is_in_definition: self.is_in_definition,
        });
    }

    // Paths.

    fn path_of_pipe(&mut self, pipe: Pipe) -> Option<Path> {
        match self.program.children(pipe.commands) {
            &[command] => self.path_of(command),
            _ => None,
        }
    }

    /// The path that a node is, if it is one.
    fn path_of(&mut self, id: NodeId) -> Option<Path> {
        match self.program.node(id).kind {
            Kind::Dot => Some(self.dot.clone()),
            Kind::Field(names) => Some(self.extended(self.dot.clone(), names, 0)),
            Kind::Variable(slot, names) => {
                let variable = slot.and_then(|slot| self.variables.get(slot.0 as usize));
                let start = variable.cloned().unwrap_or_else(unknown);
                Some(self.extended(start, names, 1))
            }
            Kind::Chain(of, names) => {
                let start = self.path_of(of)?;
                Some(self.extended(start, names, 0))
            }
            Kind::Pipe(pipe) => {
                let pipe = self.program.pipe(pipe);
                if pipe.variables.length > 0 {
                    return None;
                }
                self.path_of_pipe(pipe)
            }
            Kind::Command(list) => match self.program.children(list) {
                &[only] => self.path_of(only),
                [function, base, keys @ ..] => {
                    let Kind::Function(function) = self.program.node(*function).kind else {
                        return None;
                    };
                    if !matches!(function.function().name, "index" | "get") || keys.is_empty() {
                        return None;
                    }
                    let mut path = self.path_of(*base)?;
                    for &key in keys {
                        path.push(self.literal(key)?);
                    }
                    Some(path)
                }
                [] => None,
            },
            _ => None,
        }
    }

    fn extended(&mut self, mut path: Path, names: List, skipped: usize) -> Path {
        for name in self.program.names(names).skip(skipped) {
            self.names.words.insert(name.to_owned());
            path.push(name.to_owned());
        }
        path
    }

    fn literal(&mut self, id: NodeId) -> Option<String> {
        let Kind::String(string) = self.program.node(id).kind else {
            return None;
        };
        let text = std::str::from_utf8(self.program.string(string)).ok()?;
        self.names.words.insert(text.to_owned());
        Some(text.to_owned())
    }

    // Values.

    fn value(&mut self, id: NodeId, usage: Usage) {
        match self.program.node(id).kind {
            Kind::Pipe(pipe) => {
                let pipe = self.program.pipe(pipe);
                match self.path_of_pipe(pipe) {
                    Some(path) => self.add(path, id, usage),
                    None => self.pipe(pipe, usage),
                }
            }
            Kind::Chain(of, names) => {
                if let Some(path) = self.path_of(id) {
                    self.add(path, id, usage);
                } else {
                    self.extended(Path::new(), names, 0);
                    self.value(of, HANDED_ON);
                }
            }
            Kind::String(_) => {
                if let Some(text) = self.literal(id)
                    && text.contains("{{")
                {
                    self.names.texts.push(text);
                }
            }
            _ => {
                if let Some(path) = self.path_of(id) {
                    self.add(path, id, usage);
                }
            }
        }
    }

    fn pipe(&mut self, pipe: Pipe, usage: Usage) {
        self.commands(self.program.children(pipe.commands), usage);
    }

    /// The commands of a pipeline: each but the last is the last argument of the next.
    fn commands(&mut self, commands: &[NodeId], usage: Usage) {
        let Some((&last, before)) = commands.split_last() else {
            return;
        };
        if before.is_empty()
            && let Some(path) = self.path_of(last)
        {
            self.add(path, last, usage);
            return;
        }
        let Kind::Command(words) = self.program.node(last).kind else {
            return;
        };
        let Some((&first, arguments)) = self.program.children(words).split_first() else {
            return;
        };
        if let Kind::Function(function) = self.program.node(first).kind {
            let call = Call {
                id: last,
                function: function.function().name,
                arguments,
                before,
            };
            self.call(&call, usage);
            return;
        }
        self.commands(before, PRINTED);
        if arguments.is_empty() {
            self.value(first, usage);
            return;
        }
        self.value(first, PRINTED);
        for &argument in arguments {
            self.value(argument, PRINTED);
        }
    }

    fn call(&mut self, call: &Call<'_>, usage: Usage) {
        if self.known_call(call, usage) {
            return;
        }
        let used = usage_of_argument(call.function, usage);
        self.commands(call.before, used);
        for &argument in call.arguments {
            self.value(argument, used);
        }
    }

    /// A call of a function that takes values out of maps.
    fn known_call(&mut self, call: &Call<'_>, usage: Usage) -> bool {
        let guarded = Usage {
            is_guarded: true,
            ..usage
        };
        match (call.function, call.arguments) {
            ("index" | "get", &[base, ref keys @ ..]) if call.before.is_empty() => {
                let Some(mut path) = self.path_of(base) else {
                    return false;
                };
                let mut keys = keys.iter();
                for &key in keys.by_ref() {
                    let Some(key) = self.literal(key) else {
                        self.value(key, PRINTED);
                        break;
                    };
                    path.push(key);
                }
                for &key in keys {
                    self.value(key, PRINTED);
                }
                let is_whole = true;
                self.add(path, base, Usage { is_whole, ..usage });
                true
            }
            ("hasKey", &[base, key]) => match (self.path_of(base), self.literal(key)) {
                (Some(path), Some(key)) => {
                    self.add_below(path, [key], call.id, TESTED);
                    true
                }
                _ => false,
            },
            ("dig", arguments) => {
                let (base, arguments) = match (call.before, arguments) {
                    (&[base], arguments) => (base, arguments),
                    (&[], [arguments @ .., base]) => (*base, arguments),
                    _ => return false,
                };
                let Some((&otherwise, keys)) = arguments.split_last() else {
                    return false;
                };
                let keys: Option<Path> = keys.iter().map(|&key| self.literal(key)).collect();
                let (Some(path), Some(keys)) = (self.path_of(base), keys) else {
                    return false;
                };
                self.add_below(path, keys, call.id, guarded);
                self.value(otherwise, HANDED_ON);
                true
            }
            ("pick", &[base, ref keys @ ..]) if call.before.is_empty() => {
                let keys: Option<Path> = keys.iter().map(|&key| self.literal(key)).collect();
                let (Some(path), Some(keys)) = (self.path_of(base), keys) else {
                    return false;
                };
                for key in keys {
                    self.add_below(path.clone(), [key], call.id, HANDED_ON);
                }
                true
            }
            ("pluck", &[key, ref bases @ ..]) if call.before.is_empty() => {
                let paths: Option<Vec<Path>> =
                    bases.iter().map(|&base| self.path_of(base)).collect();
                let (Some(key), Some(paths)) = (self.literal(key), paths) else {
                    return false;
                };
                for path in paths {
                    self.add_below(path, [key.clone()], call.id, HANDED_ON);
                }
                true
            }
            _ => false,
        }
    }

    fn add_below(
        &mut self,
        mut path: Path,
        keys: impl IntoIterator<Item = String>,
        id: NodeId,
        usage: Usage,
    ) {
        path.extend(keys);
        self.add(path, id, usage);
    }
}

/// A call of a function.
struct Call<'p> {
    id: NodeId,
    function: &'static str,
    arguments: &'p [NodeId],
    /// The commands before it in the pipeline, which give its last argument.
    before: &'p [NodeId],
}
