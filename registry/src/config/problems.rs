//! What is wrong with settings that are well-formed: all of it, each with the path of its key.

use std::{fmt::Display, fs, io::ErrorKind, path::Path};

use cairn_spec::{Diagnostic, Diagnostics, Node, Origins};
use globset::Glob;

use crate::{Error, Result};

/// The code of these findings, as `spec/diagnostics.md` lists it.
const CODE: &str = "registry-config";

/// Collects problems of one part of the configuration, and of what is below it.
pub(crate) struct Problems<'a> {
    /// The JSON Pointer of the part.
    pointer: String,
    places: Places<'a>,
    diagnostics: &'a mut Diagnostics,
}

/// Where keys were written.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) root: &'a Node,
    pub(super) origins: &'a Origins,
}

impl<'a> Problems<'a> {
    /// Of a whole configuration.
    pub(super) fn new(places: Places<'a>, diagnostics: &'a mut Diagnostics) -> Self {
        Self {
            pointer: String::new(),
            places,
            diagnostics,
        }
    }

    /// Of the part under `key`, which may be the index of a list's item.
    pub(crate) fn below(&mut self, key: impl Display) -> Problems<'_> {
        Problems {
            pointer: format!("{}/{key}", self.pointer),
            places: self.places,
            diagnostics: self.diagnostics,
        }
    }

    /// Reports that the value of `key` cannot be used. Texts are those of a [`Diagnostic`].
    pub(crate) fn add(&mut self, key: &str, message: impl AsRef<str>, hint: impl Into<String>) {
        let pointer = format!("{}/{key}", self.pointer);
        let message = format!("`{}`: {}", dotted(&pointer), message.as_ref());
        let place = self.places.origins.get(self.nearest(&pointer).origin);
        let diagnostic = Diagnostic::error(CODE, message).at(place).hint(hint);
        self.diagnostics.push(diagnostic);
    }

    /// Reports the setting that an error of opening the registry is about, if it is one.
    pub(crate) fn refused(&mut self, opened: Result<()>) {
        if let Err(Error::Config {
            setting,
            value,
            source,
        }) = opened
        {
            let key = setting.replace('.', "/");
            self.add(
                &key,
                format!("`{value}` cannot be used"),
                source.to_string(),
            );
        }
    }

    /// Reports a name that could not stand in keys of the store and in labels.
    pub(crate) fn name(&mut self, key: &str, name: &str) {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_part) {
            let message = format!("`{name}` is not a name");
            self.add(key, message, "use lower-case letters, digits and `-`");
        }
    }

    /// Reports a pattern that is no glob.
    pub(crate) fn glob(&mut self, key: &str, pattern: &str) {
        if let Err(error) = Glob::new(pattern) {
            let message = format!("`{pattern}` is not a glob: {}", error.kind());
            self.add(
                key,
                message,
                "globs are such as `packs/**`, or `apps/*:v*` for tags",
            );
        }
    }

    /// Reports a file that is not there. Who checks may be another user than who serves, so
    /// whether it may be read is not asked.
    pub(crate) fn file(&mut self, key: &str, path: &Path) {
        let reason = match fs::metadata(path) {
            Ok(found) if found.is_dir() => "is a folder".to_owned(),
            Ok(_) => return,
            Err(error) if error.kind() == ErrorKind::NotFound => "does not exist".to_owned(),
            Err(error) => format!("cannot be found: {error}"),
        };
        self.add(
            key,
            format!("the file `{}` {reason}", path.display()),
            "create it, or correct the path; relative paths begin where the registry is started",
        );
    }

    /// The value at a pointer, or what it would be in.
    fn nearest(&self, pointer: &str) -> &'a Node {
        let mut pointer = pointer;
        loop {
            if let Some(node) = self.places.root.pointer(pointer) {
                return node;
            }
            match pointer.rfind('/') {
                Some(slash) => pointer = &pointer[..slash],
                None => return self.places.root,
            }
        }
    }
}

/// `/webhooks/0/url` is `webhooks[0].url`.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for token in pointer.split('/').skip(1) {
        if token.parse::<usize>().is_ok() {
            path.push('[');
            path.push_str(token);
            path.push(']');
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(token);
        }
    }
    path
}
