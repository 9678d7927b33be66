//! Label selectors in kubectl's syntax: `app=web,tier in (front, back),!legacy`.
//!
//! The grammar is that of Kubernetes' `labels.Parse`, without `>` and `<`.

use std::{collections::BTreeSet, str::FromStr};

use cairn_spec::{Node, Value};

/// Requirements that labels must all meet; none at all matches everything.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Debug, PartialEq, Eq)]
enum Operator {
    Exists,
    Absent,
    In(BTreeSet<String>),
    /// Also met by labels without the key, as in Kubernetes.
    NotIn(BTreeSet<String>),
}

/// Why a text is not a label selector.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`labelSelector: {selector}` is not a label selector: {problem}")]
pub(super) struct SelectorError {
    selector: String,
    problem: String,
}

impl Selector {
    /// The labels, if there are any, meet all requirements.
    pub(super) fn matches(&self, labels: Option<&Node>) -> bool {
        self.requirements.iter().all(|requirement| {
            let label = labels.and_then(|labels| labels.get(&requirement.key));
            let text = label.map(|node| match &node.value {
                Value::String(text) => text.to_string(),
                other => super::session::scalar_text(other).unwrap_or_default(),
            });
            match (&requirement.operator, text) {
                (Operator::Exists, text) => text.is_some(),
                (Operator::Absent, text) => text.is_none(),
                (Operator::In(values), text) => text.is_some_and(|text| values.contains(&text)),
                (Operator::NotIn(values), text) => text.is_none_or(|text| !values.contains(&text)),
            }
        })
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        parse(text)
            .map(|requirements| Self { requirements })
            .map_err(|problem| SelectorError {
                selector: text.to_owned(),
                problem,
            })
    }
}

/// The words and signs of a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Sign(&'static str),
}

/// Longer signs first, since a shorter one may be their beginning.
const SIGNS: [&str; 7] = ["==", "!=", "=", "!", "(", ")", ","];

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = rest[sign.len()..].trim_start();
            continue;
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(format!("`{first}` has no meaning here"));
        }
        tokens.push(Token::Word(&rest[..end]));
        rest = rest[end..].trim_start();
    }
    Ok(tokens)
}

fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(Vec::new());
    }
    let mut rest = tokens.as_slice();
    let mut requirements = Vec::new();
    loop {
        let (requirement, after) = parse_requirement(rest)?;
        requirements.push(requirement);
        match after {
            [] => return Ok(requirements),
            [Token::Sign(","), more @ ..] => rest = more,
            _ => return Err("requirements are separated by `,`".to_owned()),
        }
    }
}

fn parse_requirement<'s, 't>(
    tokens: &'s [Token<'t>],
) -> Result<(Requirement, &'s [Token<'t>]), String> {
    use Token::{Sign, Word};
    let (key, operator, rest) = match tokens {
        [Sign("!"), Word(key), rest @ ..] => (key, Operator::Absent, rest),
        [Word(key), Sign("=" | "=="), rest @ ..] => {
            let (value, rest) = parse_value(rest);
            (key, Operator::In(BTreeSet::from([value])), rest)
        }
        [Word(key), Sign("!="), rest @ ..] => {
            let (value, rest) = parse_value(rest);
            (key, Operator::NotIn(BTreeSet::from([value])), rest)
        }
        [Word(key), Word("in"), rest @ ..] => {
            let (values, rest) = parse_set(rest)?;
            (key, Operator::In(values), rest)
        }
        [Word(key), Word("notin"), rest @ ..] => {
            let (values, rest) = parse_set(rest)?;
            (key, Operator::NotIn(values), rest)
        }
        [Word(key), rest @ ..] => (key, Operator::Exists, rest),
        _ => return Err("a requirement starts with a label key or `!`".to_owned()),
    };
    let key = (*key).to_owned();
    Ok((Requirement { key, operator }, rest))
}

/// A value may be empty: `app=` asks for an empty label.
fn parse_value<'s, 't>(tokens: &'s [Token<'t>]) -> (String, &'s [Token<'t>]) {
    match tokens {
        [Token::Word(value), rest @ ..] => ((*value).to_owned(), rest),
        _ => (String::new(), tokens),
    }
}

fn parse_set<'s, 't>(
    tokens: &'s [Token<'t>],
) -> Result<(BTreeSet<String>, &'s [Token<'t>]), String> {
    let [Token::Sign("("), values @ ..] = tokens else {
        return Err("`in` and `notin` are followed by `(`".to_owned());
    };
    let mut rest = values;
    let mut values = BTreeSet::new();
    loop {
        let (value, after) = parse_value(rest);
        values.insert(value);
        match after {
            [Token::Sign(","), more @ ..] => rest = more,
            [Token::Sign(")"), more @ ..] => return Ok((values, more)),
            _ => return Err("a list of values is closed by `)`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: serde_json::Value) -> bool {
        selector
            .parse::<Selector>()
            .unwrap()
            .matches(Some(&Node::from(labels)))
    }

    #[test]
    fn requirements_hold_together() {
        let labels = || serde_json::json!({"app": "web", "example.com/tier": "front", "none": ""});
        let cases = [
            ("", true),
            ("app", true),
            ("!app", false),
            ("!legacy", true),
            ("app=web", true),
            ("app==web", true),
            (" app = web , none= ", true),
            ("app!=web", false),
            ("legacy!=x", true),
            ("example.com/tier in (front,back)", true),
            ("example.com/tier notin (front, back)", false),
            ("legacy notin (a)", true),
            ("legacy in (a)", false),
            ("app=web,!none", false),
            ("none in ()", true),
        ];
        for (selector, expected) in cases {
            assert_eq!(matches(selector, labels()), expected, "{selector}");
        }
        assert!("!app".parse::<Selector>().unwrap().matches(None));
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("app=web tier=x", "separated by `,`"),
            ("app in web", "followed by `(`"),
            ("app in (web", "closed by `)`"),
            ("app>1", "`>` has no meaning here"),
            (",app", "starts with a label key"),
            ("app,", "starts with a label key"),
            ("!", "starts with a label key"),
        ];
        for (selector, expected) in cases {
            let error = selector.parse::<Selector>().unwrap_err().to_string();
            assert!(error.contains(expected), "{selector}: {error}");
        }
    }
}
