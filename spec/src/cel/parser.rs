//! Reads tokens as an expression, and its macros as what they stand for.

use super::{
    lexer::{Token, tokens},
    macros::Macro,
};

/// How deep an expression may be nested.
const MAX_DEPTH: usize = 32;
/// How many tokens it may have. A row of operators is as deep as it is long for whoever evaluates it.
const MAX_TOKENS: usize = 512;

/// What is wrong, and where.
pub(super) type Problem = (String, usize);

/// A part of an expression.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Ident(String),
    /// `of.field`.
    Select(Box<Self>, String),
    /// `has(of.field)`.
    Has(Box<Self>, String),
    /// `of[at]`.
    Index(Box<Self>, Box<Self>),
    Unary(&'static str, Box<Self>),
    Binary(&'static str, Box<Self>, Box<Self>),
    /// `condition ? then : otherwise`.
    Choice(Box<[Self; 3]>),
    Call(Function, Vec<Self>),
    /// `over.all(name, …)` and its like.
    Macro(Macro, Box<Over>),
}

/// What a macro goes over.
#[derive(Debug, PartialEq)]
pub(super) struct Over {
    pub(super) range: Node,
    pub(super) name: String,
    pub(super) body: Node,
    /// The third argument of `map`: what each becomes for which the second holds.
    pub(super) becomes: Option<Node>,
}

/// A function; a receiver is its first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    ToInt,
    ToUint,
    ToDouble,
    ToText,
    ToBool,
    Dyn,
}

/// Name, how many arguments, and whether it may have a receiver, or must.
const FUNCTIONS: [(&str, Function, usize, Receiver); 10] = [
    ("size", Function::Size, 1, Receiver::May),
    ("contains", Function::Contains, 2, Receiver::Must),
    ("startsWith", Function::StartsWith, 2, Receiver::Must),
    ("endsWith", Function::EndsWith, 2, Receiver::Must),
    ("int", Function::ToInt, 1, Receiver::MayNot),
    ("uint", Function::ToUint, 1, Receiver::MayNot),
    ("double", Function::ToDouble, 1, Receiver::MayNot),
    ("string", Function::ToText, 1, Receiver::MayNot),
    ("bool", Function::ToBool, 1, Receiver::MayNot),
    ("dyn", Function::Dyn, 1, Receiver::MayNot),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Receiver {
    May,
    MayNot,
    Must,
}

/// Operators, those that bind less first.
const LEVELS: [&[&str]; 5] = [
    &["||"],
    &["&&"],
    &["==", "!=", "<=", ">=", "<", ">", "in"],
    &["+", "-"],
    &["*", "/", "%"],
];

/// Parses a text.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let tokens = tokens(text)?;
    if tokens.len() > MAX_TOKENS {
        return Err((format!("it has more than {MAX_TOKENS} parts"), 0));
    }
    let mut parser = Parser {
        tokens,
        at: 0,
        end: text.chars().count(),
        depth: 0,
    };
    let node = parser.expression()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.problem("there is more than one expression")),
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn next(&mut self) -> Option<Token> {
        let (token, _) = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token.clone())
    }

    fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(_, at)| *at)
    }

    fn problem(&self, reason: impl Into<String>) -> Problem {
        (reason.into(), self.place())
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), Problem> {
        if self.takes(sign) {
            return Ok(());
        }
        Err(self.problem(format!("`{sign}` is missing")))
    }

    fn expression(&mut self) -> Result<Node, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.problem(format!("it is nested more than {MAX_DEPTH} deep")));
        }
        let condition = self.level(0)?;
        let node = if self.takes("?") {
            let then = self.level(0)?;
            self.expect(":")?;
            Node::Choice(Box::new([condition, then, self.expression()?]))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(node)
    }

    fn level(&mut self, level: usize) -> Result<Node, Problem> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.level(level + 1)?;
        while let Some(operator) = self.operator(operators) {
            let right = self.level(level + 1)?;
            left = Node::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operator(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        let found = match self.peek()? {
            Token::Sign(sign) => operators.iter().find(|it| *it == sign),
            Token::Ident(word) => operators.iter().find(|it| *it == word),
            _ => None,
        }?;
        self.at += 1;
        Some(found)
    }

    fn unary(&mut self) -> Result<Node, Problem> {
        let mut signs = Vec::new();
        for sign in ["!", "-"] {
            while self.takes(sign) {
                signs.push(sign);
            }
            if !signs.is_empty() {
                break;
            }
        }
        if signs.last() == Some(&"-") {
            let least = match self.peek() {
                Some(Token::LeastInt) => Some(Node::Int(i64::MIN)),
                Some(Token::Int(number)) => Some(Node::Int(-number)),
                Some(Token::Double(number)) => Some(Node::Double(-number)),
                _ => None,
            };
            if let Some(number) = least {
                self.at += 1;
                signs.pop();
                let member = self.members(number)?;
                return Ok(signed(signs, member));
            }
        }
        let member = self.member()?;
        Ok(signed(signs, member))
    }

    fn member(&mut self) -> Result<Node, Problem> {
        let primary = self.primary()?;
        self.members(primary)
    }

    fn members(&mut self, mut node: Node) -> Result<Node, Problem> {
        loop {
            if self.takes(".") {
                let at = self.place();
                let Some(Token::Ident(name)) = self.next() else {
                    return Err(("the name of a field is missing".to_owned(), at));
                };
                node = if self.takes("(") {
                    self.method(node, &name, at)?
                } else {
                    Node::Select(Box::new(node), name)
                };
            } else if self.takes("[") {
                let index = self.expression()?;
                self.expect("]")?;
                node = Node::Index(Box::new(node), Box::new(index));
            } else {
                return Ok(node);
            }
        }
    }

    fn primary(&mut self) -> Result<Node, Problem> {
        let at = self.place();
        let missing = || ("a value is missing".to_owned(), at);
        Ok(match self.next().ok_or_else(missing)? {
            Token::Int(number) => Node::Int(number),
            Token::Uint(number) => Node::Uint(number),
            Token::Double(number) => Node::Double(number),
            Token::Text(text) => Node::Text(text),
            Token::LeastInt => return Err(("this number is too large, or none".to_owned(), at)),
            Token::Ident(word) => match word.as_str() {
                "null" => Node::Null,
                "true" => Node::Bool(true),
                "false" => Node::Bool(false),
                "in" => return Err(missing()),
                _ if self.takes("(") => self.function(&word, at)?,
                _ => Node::Ident(word),
            },
            Token::Sign("(") => {
                let node = self.expression()?;
                self.expect(")")?;
                node
            }
            Token::Sign("[") => Node::List(self.until("]")?),
            Token::Sign("{") => self.map()?,
            Token::Sign(_) => return Err(missing()),
        })
    }

    /// Expressions with commas between them; one may follow the last.
    fn until(&mut self, end: &str) -> Result<Vec<Node>, Problem> {
        let mut nodes = Vec::new();
        while !self.takes(end) {
            if !nodes.is_empty() {
                self.expect(",")?;
                if self.takes(end) {
                    break;
                }
            }
            nodes.push(self.expression()?);
        }
        Ok(nodes)
    }

    fn map(&mut self) -> Result<Node, Problem> {
        let mut entries = Vec::new();
        while !self.takes("}") {
            if !entries.is_empty() {
                self.expect(",")?;
                if self.takes("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
        }
        Ok(Node::Map(entries))
    }

    /// A call without a receiver, from after its bracket.
    fn function(&mut self, name: &str, at: usize) -> Result<Node, Problem> {
        let arguments = self.until(")")?;
        if name == "has" {
            let mut arguments = arguments.into_iter();
            return match (arguments.next(), arguments.next()) {
                (Some(Node::Select(of, field)), None) => Ok(Node::Has(of, field)),
                _ => Err((
                    "`has` takes a field, such as `has(status.phase)`".to_owned(),
                    at,
                )),
            };
        }
        call(name, arguments, Receiver::MayNot, at)
    }

    /// A call of a receiver, from after its bracket.
    fn method(&mut self, receiver: Node, name: &str, at: usize) -> Result<Node, Problem> {
        let arguments = self.until(")")?;
        let Some(kind) = Macro::of(name) else {
            let mut all = vec![receiver];
            all.extend(arguments);
            return call(name, all, Receiver::Must, at);
        };
        let count = arguments.len();
        let mut arguments = arguments.into_iter();
        match (arguments.next(), arguments.next(), arguments.next()) {
            (Some(Node::Ident(name)), Some(body), becomes)
                if count == 2 || count == 3 && kind == Macro::Map =>
            {
                let over = Over {
                    range: receiver,
                    name,
                    body,
                    becomes,
                };
                Ok(Node::Macro(kind, Box::new(over)))
            }
            _ => Err((format!("`{name}` takes a name and an expression"), at)),
        }
    }
}

fn signed(signs: Vec<&'static str>, node: Node) -> Node {
    signs
        .into_iter()
        .rev()
        .fold(node, |node, sign| Node::Unary(sign, Box::new(node)))
}

fn call(name: &str, arguments: Vec<Node>, given: Receiver, at: usize) -> Result<Node, Problem> {
    let fits = |has: Receiver| has == Receiver::May || has == given;
    let found = FUNCTIONS
        .iter()
        .find(|(of, _, _, receiver)| *of == name && fits(*receiver));
    match found {
        Some((_, function, count, _)) if *count == arguments.len() => {
            Ok(Node::Call(*function, arguments))
        }
        Some(_) => Err((format!("`{name}` takes another number of arguments"), at)),
        None => Err((format!("there is no function `{name}` here"), at)),
    }
}
