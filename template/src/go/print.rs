//! Writes nodes as Go's error messages show them.

use super::{
    ast::{Kind, List, NodeId, Program},
    format::quote,
};

impl Program {
    /// The node as Go prints it, which is not always how it stands in the source.
    pub(super) fn shown(&self, id: NodeId) -> String {
        let mut out = String::new();
        self.show(id, &mut out);
        out
    }

    /// The node as an argument: a pipeline without its parentheses, as Go has it.
    pub(super) fn shown_argument(&self, id: NodeId) -> String {
        self.shown(id)
    }

    fn show(&self, id: NodeId, out: &mut String) {
        let node = self.node(id);
        match node.kind {
            Kind::Text => out.push_str(&self.text[node.start as usize..node.end as usize]),
            Kind::Action(pipe) => {
                out.push_str("{{");
                self.show(pipe, out);
                out.push_str("}}");
            }
            Kind::If(control) | Kind::With(control) | Kind::Range(control) => {
                let name = match node.kind {
                    Kind::If(_) => "if",
                    Kind::With(_) => "with",
                    _ => "range",
                };
                let control = self.control(control);
                out.push_str("{{");
                out.push_str(name);
                out.push(' ');
                self.show(control.pipe, out);
                out.push_str("}}");
                self.show_all(control.body, "", out);
                if let Some(otherwise) = control.otherwise {
                    out.push_str("{{else}}");
                    self.show_all(otherwise, "", out);
                }
                out.push_str("{{end}}");
            }
            Kind::Template { name, pipe } => {
                out.push_str("{{template ");
                out.push_str(&quote(self.string(name)));
                if let Some(pipe) = pipe {
                    out.push(' ');
                    self.show(pipe, out);
                }
                out.push_str("}}");
            }
            Kind::Break => out.push_str("{{break}}"),
            Kind::Continue => out.push_str("{{continue}}"),
            Kind::Pipe(_) => {
                let pipe = self.pipe_of(id);
                if pipe.variables.length > 0 {
                    self.show_all(pipe.variables, ", ", out);
                    out.push_str(if pipe.is_assignment { " = " } else { " := " });
                }
                self.show_all(pipe.commands, " | ", out);
            }
            Kind::Command(arguments) => {
                for (index, &argument) in self.children(arguments).iter().enumerate() {
                    if index > 0 {
                        out.push(' ');
                    }
                    self.show_operand(argument, out);
                }
            }
            Kind::Function(function) => out.push_str(function.function().name),
            Kind::Dot => out.push('.'),
            Kind::Nil => out.push_str("nil"),
            Kind::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Kind::Number(_) | Kind::String(_) => {
                out.push_str(&self.text[node.start as usize..node.end as usize]);
            }
            Kind::Field(names) => self.show_names(names, out),
            Kind::Variable(_, names) => {
                for (index, name) in self.names(names).enumerate() {
                    if index > 0 {
                        out.push('.');
                    }
                    out.push_str(name);
                }
            }
            Kind::Chain(of, names) => {
                self.show_operand(of, out);
                self.show_names(names, out);
            }
        }
    }

    fn show_all(&self, list: List, between: &str, out: &mut String) {
        for (index, &child) in self.children(list).iter().enumerate() {
            if index > 0 {
                out.push_str(between);
            }
            self.show(child, out);
        }
    }

    /// A pipeline in parentheses, anything else as it is.
    fn show_operand(&self, id: NodeId, out: &mut String) {
        let is_pipe = matches!(self.node(id).kind, Kind::Pipe(_));
        if is_pipe {
            out.push('(');
        }
        self.show(id, out);
        if is_pipe {
            out.push(')');
        }
    }

    fn show_names(&self, names: List, out: &mut String) {
        for name in self.names(names) {
            out.push('.');
            out.push_str(name);
        }
    }
}
