//! `fromToml`: tables and keys as `BurntSushi/toml` puts them together, and its words for what
//! it refuses.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

use super::{MAX_DEPTH, MAX_INPUT_BYTES, key::path_text, lexer::Lexer};

/// What TOML can say.
#[derive(Debug, Clone, PartialEq)]
pub enum TomlValue {
    /// A string.
    Text(String),
    /// An `int64`.
    Int(i64),
    /// A float, also one that is infinite or not a number.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A date, a time or both, as it was written but for `T` and `Z`.
    DateTime(String),
    /// A list in brackets.
    List(Vec<Self>),
    /// A table.
    Table(TomlTable),
    /// Tables under `[[name]]`.
    Tables(Vec<TomlTable>),
}

/// A table's entries.
pub type TomlTable = BTreeMap<String, TomlValue>;

/// Why a text cannot be read: its text is the one that Go prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlReadError {
    pub(super) problem: String,
    pub(super) line: usize,
    pub(super) last_key: String,
}

impl TomlReadError {
    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for TomlReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            problem,
            line,
            last_key,
        } = self;
        if last_key.is_empty() {
            write!(f, "toml: line {line}: {problem}")
        } else {
            write!(f, "toml: line {line} (last key {last_key:?}): {problem}")
        }
    }
}

impl std::error::Error for TomlReadError {}

type Read<T> = Result<T, TomlReadError>;

/// Reads a text.
pub fn read(text: &[u8]) -> Result<TomlTable, TomlReadError> {
    let problem = |problem: String| TomlReadError {
        problem,
        line: 1,
        last_key: String::new(),
    };
    if text.len() > MAX_INPUT_BYTES {
        let bytes = text.len();
        return Err(problem(format!(
            "the text has {bytes} bytes, more than {MAX_INPUT_BYTES}"
        )));
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.iter().take(6).any(|byte| *byte == 0) {
        return Err(problem(
            "files cannot contain NULL bytes; probably using UTF-16; TOML files must be UTF-8"
                .to_owned(),
        ));
    }
    let mut reader = Reader {
        lexer: Lexer::new(text),
        root: TomlTable::new(),
        context: Vec::new(),
        current_key: String::new(),
        implied: HashSet::new(),
        lists: HashMap::new(),
    };
    while reader.top_level()? {}
    Ok(reader.root)
}

struct Reader<'t> {
    lexer: Lexer<'t>,
    root: TomlTable,
    /// The table that keys go to.
    context: Vec<String>,
    current_key: String,
    /// Tables that only the name of another one mentions.
    implied: HashSet<String>,
    /// Keys by what they hold last: whether that is a list in brackets.
    lists: HashMap<String, bool>,
}

impl Reader<'_> {
    /// Reads a table's header or an entry; there is none at the end.
    fn top_level(&mut self) -> Read<bool> {
        self.lexer.skip_blank_lines().map_err(|e| self.named(e))?;
        if self.lexer.is_at_end() {
            return Ok(false);
        }
        if self.lexer.take(b'[') {
            let array = self.lexer.take(b'[');
            let key = self.lexer.table_name().map_err(|e| self.named(e))?;
            if array && !self.lexer.take(b']') {
                let shown = self.lexer.shown();
                return Err(self.error(format!(
                    "expected end of table array name delimiter ']', but got {shown} instead"
                )));
            }
            self.add_context(&key, array)?;
            self.set_kind("", false);
        } else {
            let outer = self.context.clone();
            self.entry(0)?;
            self.context = outer;
            self.current_key.clear();
        }
        self.lexer.end_of_line().map_err(|e| self.named(e))?;
        Ok(true)
    }

    /// Reads `a.b = value`, and gives the keys and the value.
    fn entry(&mut self, depth: usize) -> Read<(Vec<String>, TomlValue)> {
        let mut key = self.lexer.key().map_err(|e| self.named(e))?;
        self.current_key = key.pop().unwrap_or_default();
        for name in &key {
            let mut implicit = self.context.clone();
            implicit.push(name.clone());
            self.implied.insert(path_text(&implicit));
            self.add_context(&implicit, false)?;
        }
        let (value, is_list) = self.value(false, depth)?;
        let last = self.current_key.clone();
        self.set_value(&last, value.clone())?;
        self.set_kind(&last, is_list);
        key.push(last);
        Ok((key, value))
    }

    fn value(&mut self, in_list: bool, depth: usize) -> Read<(TomlValue, bool)> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("exceeded max depth of {MAX_DEPTH}")));
        }
        self.lexer.skip_spaces();
        match self.lexer.peek() {
            b'[' => Ok((self.list(depth)?, true)),
            b'{' => Ok((self.inline_table(in_list, depth)?, false)),
            _ => {
                let value = self.lexer.scalar().map_err(|e| self.named(e))?;
                Ok((value, false))
            }
        }
    }

    fn list(&mut self, depth: usize) -> Read<TomlValue> {
        let key = self.current_key.clone();
        self.set_kind(&key, true);
        self.lexer.take(b'[');
        let mut items = Vec::new();
        loop {
            self.lexer.skip_blank_lines().map_err(|e| self.named(e))?;
            match self.lexer.peek() {
                b',' => return Err(self.error_after("unexpected comma")),
                b']' => break,
                _ => items.push(self.value(true, depth + 1)?.0),
            }
            self.lexer.skip_blank_lines().map_err(|e| self.named(e))?;
            if self.lexer.take(b',') {
                continue;
            }
            if self.lexer.peek() != b']' {
                let shown = self.lexer.shown_or_end();
                return Err(self.error_after(format!(
                    "expected a comma (',') or array terminator (']'), but got {shown}"
                )));
            }
        }
        self.lexer.take(b']');
        Ok(TomlValue::List(items))
    }

    fn inline_table(&mut self, in_list: bool, depth: usize) -> Read<TomlValue> {
        let outer_context = self.context.clone();
        let outer_key = std::mem::take(&mut self.current_key);
        self.context.push(outer_key.clone());
        self.implied.insert(path_text(&self.context));
        let context = self.context.clone();
        self.add_context(&context, in_list)?;
        let inner_context = self.context.clone();
        self.lexer.take(b'{');
        let mut table = TomlTable::new();
        loop {
            self.lexer.skip_blank_lines().map_err(|e| self.named(e))?;
            match self.lexer.peek() {
                b',' => return Err(self.error_after("unexpected comma")),
                b'}' => break,
                _ => {}
            }
            let (mut key, value) = self.entry(depth + 1)?;
            let last = key.pop().unwrap_or_default();
            let mut inner = &mut table;
            for name in key {
                let TomlValue::Table(next) = inner
                    .entry(name)
                    .or_insert_with(|| TomlValue::Table(TomlTable::new()))
                else {
                    let shown = path_text(&self.context);
                    return Err(self.error(format!("{shown:?} is not a table")));
                };
                inner = next;
            }
            inner.insert(last, value);
            self.context.clone_from(&inner_context);
            self.lexer.skip_blank_lines().map_err(|e| self.named(e))?;
            if self.lexer.take(b',') {
                continue;
            }
            if self.lexer.peek() != b'}' {
                let shown = self.lexer.shown_or_end();
                return Err(self.error_after(format!(
                    "expected a comma or an inline table terminator '}}', but got {shown} instead"
                )));
            }
        }
        self.lexer.take(b'}');
        self.context = outer_context;
        self.current_key = outer_key;
        Ok(TomlValue::Table(table))
    }

    /// Makes the table `key` the one that entries go to.
    fn add_context(&mut self, key: &[String], array: bool) -> Read<()> {
        if key.len() > MAX_DEPTH {
            return Err(self.error(format!("exceeded max depth of {MAX_DEPTH}")));
        }
        let (last, parents) = key
            .split_last()
            .map_or((String::new(), &[][..]), |(last, parents)| {
                (last.clone(), parents)
            });
        let mut table = &mut self.root;
        for (index, name) in parents.iter().enumerate() {
            let path = path_text(&parents[..=index]);
            if !table.contains_key(name) {
                self.implied.insert(path.clone());
                table.insert(name.clone(), TomlValue::Table(TomlTable::new()));
            }
            let Some(inner) = table.get_mut(name).and_then(inner_table) else {
                let problem = format!("Key '{path}' was already created as a hash.");
                return Err(self.error(problem));
            };
            table = inner;
        }
        self.context = parents.to_vec();
        if array {
            let tables = table
                .entry(last.clone())
                .or_insert_with(|| TomlValue::Tables(Vec::new()));
            let TomlValue::Tables(tables) = tables else {
                let path = path_text(key);
                return Err(self.error(format!(
                    "Key '{path}' was already created and cannot be used as an array."
                )));
            };
            tables.push(TomlTable::new());
        } else {
            self.set_value(&last, TomlValue::Table(TomlTable::new()))?;
        }
        self.context.push(last);
        Ok(())
    }

    fn set_value(&mut self, key: &str, value: TomlValue) -> Read<()> {
        let mut path = self.context.clone();
        path.push(key.to_owned());
        let path = path_text(&path);
        let mut table = &mut self.root;
        for (index, name) in self.context.iter().enumerate() {
            let Some(inner) = table.get_mut(name).and_then(inner_table) else {
                let path = path_text(&self.context[..=index]);
                return Err(self.error(format!("Key '{path}' has already been defined.")));
            };
            table = inner;
        }
        if table.contains_key(key) {
            if self.implied.remove(&path) {
                if self.lists.get(&path).copied().unwrap_or_default() {
                    table.insert(key.to_owned(), value);
                }
                return Ok(());
            }
            return Err(self.error(format!("Key '{path}' has already been defined.")));
        }
        table.insert(key.to_owned(), value);
        Ok(())
    }

    fn set_kind(&mut self, key: &str, is_list: bool) {
        let mut path = self.context.clone();
        if !key.is_empty() {
            path.push(key.to_owned());
        }
        self.lists.insert(path_text(&path), is_list);
    }

    fn error(&self, problem: impl Into<String>) -> TomlReadError {
        self.named(self.lexer.problem(problem))
    }

    /// A mistake at the character that comes next.
    fn error_after(&self, problem: impl Into<String>) -> TomlReadError {
        self.named(self.lexer.problem_at_next(problem))
    }

    fn named(&self, mut error: TomlReadError) -> TomlReadError {
        error.last_key = match (self.context.is_empty(), self.current_key.is_empty()) {
            (_, true) => path_text(&self.context),
            (true, false) => self.current_key.clone(),
            (false, false) => format!("{}.{}", path_text(&self.context), self.current_key),
        };
        error
    }
}

/// The table behind a value: of several, the last.
fn inner_table(value: &mut TomlValue) -> Option<&mut TomlTable> {
    match value {
        TomlValue::Table(table) => Some(table),
        TomlValue::Tables(tables) => tables.last_mut(),
        _ => None,
    }
}
