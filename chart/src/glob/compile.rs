//! Makes matchers of patterns, by the library's rules: which matchers it chooses decides what
//! matches.

use super::{
    matcher::{Matcher, Tree},
    parse::Node,
};

pub(super) fn compile(node: &Node) -> Result<Matcher, String> {
    let matcher = match node {
        Node::AnyOf(alternatives) => {
            if let Some(smaller) = with_common_parts(alternatives) {
                return compile(&smaller);
            }
            let matchers = all(alternatives)?;
            // The library makes a single alternative what it is only within another pattern.
            return Ok(Matcher::AnyOf(matchers));
        }
        Node::Pattern(parts) if parts.is_empty() => return Ok(Matcher::Nothing),
        Node::Pattern(parts) => sequence(minimized(all(parts)?))?,
        Node::Any => Matcher::Any,
        Node::Super => Matcher::Super,
        Node::Single => Matcher::Single,
        Node::Nothing => Matcher::Nothing,
        Node::List { chars, not } => Matcher::List {
            chars: chars.clone(),
            not: *not,
        },
        Node::Range { low, high, not } => Matcher::Range {
            low: *low,
            high: *high,
            not: *not,
        },
        Node::Text(text) => Matcher::Text(text.clone()),
    };
    Ok(optimized(matcher))
}

fn all(nodes: &[Node]) -> Result<Vec<Matcher>, String> {
    nodes
        .iter()
        .map(|node| compile(node).map(optimized))
        .collect()
}

/// A simpler matcher of the same kind of things, where the library knows one.
fn optimized(matcher: Matcher) -> Matcher {
    match matcher {
        Matcher::AnyOf(mut matchers) if matchers.len() == 1 => {
            matchers.pop().unwrap_or(Matcher::Nothing)
        }
        Matcher::List { chars, not: false } if chars.chars().count() == 1 => Matcher::Text(chars),
        Matcher::Tree(tree) => optimized_tree(*tree),
        other => other,
    }
}

fn optimized_tree(tree: Tree) -> Matcher {
    let left = tree.left.map(optimized);
    let right = tree.right.map(optimized);
    let Matcher::Text(text) = tree.value else {
        return Matcher::Tree(Box::new(Tree {
            value: tree.value,
            left,
            right,
        }));
    };
    match (left, right) {
        (None, None) => Matcher::Text(text),
        (Some(Matcher::Super), Some(Matcher::Super)) => Matcher::Contains {
            needle: text,
            not: false,
        },
        (Some(Matcher::Super), None) => Matcher::Suffix(text),
        (None, Some(Matcher::Super)) => Matcher::Prefix(text),
        (None, Some(Matcher::Suffix(suffix))) => Matcher::PrefixSuffix(text, suffix),
        (Some(Matcher::Prefix(prefix)), None) => Matcher::PrefixSuffix(prefix, text),
        (Some(Matcher::Any), None) => Matcher::SuffixAny(text),
        (None, Some(Matcher::Any)) => Matcher::PrefixAny(text),
        (left, right) => Matcher::Tree(Box::new(Tree {
            value: Matcher::Text(text),
            left,
            right,
        })),
    }
}

/// A tree around the last of the longest matchers of a known length.
fn sequence(mut matchers: Vec<Matcher>) -> Result<Matcher, String> {
    if matchers.len() < 2 {
        let only = matchers.pop();
        return only.ok_or_else(|| "compile error: need at least one matcher".to_owned());
    }
    if let Some(glued) = glued(&matchers) {
        return Ok(glued);
    }
    let lengths = matchers.iter().map(Matcher::length).enumerate();
    let longest = lengths
        .filter_map(|(index, length)| length.map(|length| (length, index)))
        .max();
    let Some((_, index)) = longest else {
        let rest = matchers.split_off(1);
        let value = matchers.pop().unwrap_or(Matcher::Nothing);
        return Ok(Matcher::Tree(Box::new(Tree {
            value,
            left: None,
            right: Some(sequence(rest)?),
        })));
    };
    let right = matchers.split_off(index + 1);
    let value = matchers.pop().unwrap_or(Matcher::Nothing);
    let side = |matchers: Vec<Matcher>| match matchers.len() {
        0 => Ok(None),
        _ => sequence(matchers).map(Some),
    };
    Ok(Matcher::Tree(Box::new(Tree {
        value,
        left: side(matchers)?,
        right: side(right)?,
    })))
}

/// One matcher in the place of several.
fn glued(matchers: &[Matcher]) -> Option<Matcher> {
    if matchers.len() < 2 {
        return None;
    }
    every(matchers).or_else(|| row(matchers))
}

/// Matchers of known lengths.
fn row(matchers: &[Matcher]) -> Option<Matcher> {
    let length = matchers
        .iter()
        .map(Matcher::length)
        .sum::<Option<usize>>()?;
    Some(Matcher::Row {
        matchers: matchers.to_vec(),
        length,
    })
}

/// Matchers that only say how many characters there are, and which not.
fn every(matchers: &[Matcher]) -> Option<Matcher> {
    let (mut has_any, mut has_super, mut singles) = (false, false, 0);
    let mut separator: Option<&str> = None;
    for matcher in matchers {
        let own = match matcher {
            Matcher::Super => {
                has_super = true;
                ""
            }
            Matcher::Any => {
                has_any = true;
                "/"
            }
            Matcher::Single => {
                singles += 1;
                "/"
            }
            Matcher::List { chars, not: true } => {
                singles += 1;
                chars
            }
            _ => return None,
        };
        if *separator.get_or_insert(own) != own {
            return None;
        }
    }
    let separator = separator.unwrap_or_default();
    if has_super && !has_any && singles == 0 {
        return Some(Matcher::Super);
    }
    if has_any && !has_super && singles == 0 {
        return Some(Matcher::Any);
    }
    if (has_any || has_super) && singles > 0 && separator.is_empty() {
        return Some(Matcher::Min(singles));
    }
    let mut all = Vec::new();
    if singles > 0 {
        all.push(Matcher::Min(singles));
        if !has_any && !has_super {
            all.push(Matcher::Max(singles));
        }
    }
    if !separator.is_empty() {
        all.push(Matcher::Contains {
            needle: separator.to_owned(),
            not: true,
        });
    }
    Some(Matcher::EveryOf(all))
}

/// Glues as many neighbours as can be, again and again.
fn minimized(matchers: Vec<Matcher>) -> Vec<Matcher> {
    let mut best: Option<(Matcher, usize, usize)> = None;
    for left in 0..matchers.len() {
        for right in (left + 1..=matchers.len()).rev() {
            let Some(glued) = matchers.get(left..right).and_then(glued) else {
                continue;
            };
            let is_better = match &best {
                None => true,
                Some((other, from, to)) => {
                    let longer = match (other.length(), glued.length()) {
                        (Some(other), Some(new)) => new > other,
                        _ => false,
                    };
                    longer || to - from < right - left
                }
            };
            if is_better {
                best = Some((glued, left, right));
            }
        }
    }
    let Some((glued, left, right)) = best else {
        return matchers;
    };
    let before = matchers.len();
    let mut next = matchers;
    next.splice(left..right, [glued]);
    if next.len() == before {
        return next;
    }
    minimized(next)
}

/// Alternatives with what they have in common before and behind them, if there is any.
fn with_common_parts(alternatives: &[Node]) -> Option<Node> {
    let patterns: Vec<&[Node]> = alternatives
        .iter()
        .map(|node| match node {
            Node::Pattern(parts) => Some(parts.as_slice()),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let (left, right) = common_parts(&patterns)?;
    if left == 0 && right == 0 {
        return None;
    }
    let first = patterns.first()?;
    let mut result = Vec::new();
    if left > 0 {
        result.push(Node::Pattern(first.get(..left)?.to_vec()));
    }
    let mut others: Vec<Node> = Vec::new();
    for parts in &patterns {
        let own = parts.get(left..parts.len() - right)?;
        let node = if own.is_empty() {
            Node::Nothing
        } else {
            Node::Pattern(own.to_vec())
        };
        if !others.contains(&node) {
            others.push(node);
        }
    }
    match others.as_slice() {
        [Node::Nothing] => {}
        [_] => result.append(&mut others),
        _ => result.push(Node::AnyOf(others)),
    }
    if right > 0 {
        result.push(Node::Pattern(first.get(first.len() - right..)?.to_vec()));
    }
    Some(Node::Pattern(result))
}

/// How many parts all patterns begin with, and how many they end with.
fn common_parts(patterns: &[&[Node]]) -> Option<(usize, usize)> {
    if patterns.len() < 2 {
        return None;
    }
    let (shortest, parts) = patterns
        .iter()
        .enumerate()
        .min_by_key(|(_, parts)| parts.len())?;
    let length = parts.len();
    let (mut left, mut right) = (0, 0);
    let (mut left_ended, mut right_ended) = (false, false);
    let mut step = 0;
    while left + right < length && step < length && !(left_ended && right_ended) {
        let (from_left, from_right) = (step, length - 1 - step);
        for (index, other) in patterns.iter().enumerate() {
            if index == shortest {
                continue;
            }
            if left_ended && right_ended {
                break;
            }
            let behind = from_right + other.len() - length;
            left_ended |= parts.get(from_left) != other.get(from_left);
            // What counts as common on the left is not counted on the right again.
            right_ended |= !left_ended && from_right <= from_left;
            right_ended |= parts.get(from_right) != other.get(behind);
        }
        left += usize::from(!left_ended);
        right += usize::from(!right_ended);
        step += 1;
    }
    Some((left, right))
}
