//! The access policy: which user may do what to which repository, and which line says so.
//!
//! Every rule that fits a request counts, wherever it stands: one that denies wins over all that
//! allow, and what no rule allows is denied. Among the rules that lead to the same decision, the one
//! with the longest repository glob is named.

use std::{collections::BTreeMap, fmt};

use cairn_spec::{
    Diagnostics, Node, Origins, RepositoryName, SourceKind, Sources, decode_json, yaml,
};
use globset::{Glob, GlobBuilder, GlobMatcher};
use serde::Deserialize;

use super::{
    Action, Invalid, Permission,
    actor::{ANONYMOUS, Actor},
};

/// The most rules of a policy; each request may have to look at all of them.
const MAX_RULES: usize = 10_000;

/// An access policy, ready to be asked.
#[derive(Debug)]
pub struct Policy {
    groups: BTreeMap<String, Vec<String>>,
    rules: Vec<Rule>,
}

/// A rule of a policy.
#[derive(Debug)]
pub struct Rule {
    /// Where it stands: `file:line:column`.
    pub place: String,
    /// What it decides.
    pub effect: Effect,
    actions: Vec<Action>,
    repositories: Vec<Pattern>,
    tags: Option<Vec<Pattern>>,
    users: Vec<Pattern>,
    groups: Vec<Pattern>,
}

/// What a rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The request is allowed, unless another rule denies it.
    #[default]
    Allow,
    /// The request is denied, whatever other rules allow.
    Deny,
}

/// What a policy says to a request.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// The request may go on.
    pub is_allowed: bool,
    /// The rule that decided; none when no rule fits, which denies.
    pub rule: Option<&'a Rule>,
}

impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_allowed { "allowed" } else { "denied" };
        match self.rule {
            Some(rule) => write!(f, "{verdict} by the rule at {}", rule.place),
            None => write!(f, "{verdict}: no rule allows it"),
        }
    }
}

#[derive(Debug, Clone)]
struct Pattern {
    text: String,
    matcher: GlobMatcher,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PolicyFile {
    #[serde(rename = "apiVersion")]
    _api_version: Version,
    #[serde(rename = "kind")]
    _kind: Kind,
    #[serde(default)]
    groups: BTreeMap<String, Vec<String>>,
    rules: Vec<RuleEntry>,
}

#[derive(Deserialize)]
enum Version {
    #[serde(rename = "cairn.dev/v1")]
    V1,
}

#[derive(Deserialize)]
enum Kind {
    AccessPolicy,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuleEntry {
    repositories: Vec<String>,
    tags: Option<Vec<String>>,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    actions: Vec<Action>,
    #[serde(default)]
    effect: Effect,
}

impl Policy {
    /// Reads a policy; `name` is what its places are called after.
    pub fn parse(name: &str, text: &str) -> Result<Self, Invalid> {
        let mut sources = Sources::new();
        let source = sources.add(name, text, SourceKind::Other);
        let mut origins = Origins::new();
        let mut findings = Diagnostics::new();
        let node = yaml::read_one(&sources, source, &mut origins, &mut findings);
        let file: Option<PolicyFile> = node
            .as_ref()
            .and_then(|node| decode_json(node, &origins, &mut findings));
        let (Some(node), Some(file)) = (node, file) else {
            return Err(first_of(name, &sources, &findings));
        };
        let place = |node: Option<&Node>| {
            let span = node.and_then(|node| origins.span(node.origin));
            span.map_or_else(|| name.to_owned(), |span| sources.locate(span))
        };
        if file.rules.len() > MAX_RULES {
            return Err(Invalid::new(
                name,
                format!("it has more than {MAX_RULES} rules"),
            ));
        }
        if let Some(group) = file
            .groups
            .iter()
            .find(|(_, users)| users.iter().any(|user| user == ANONYMOUS))
        {
            let reason = format!(
                "the group `{}` must not hold `{ANONYMOUS}`: name that user in a rule",
                group.0
            );
            return Err(Invalid::new(place(node.at(&["groups", group.0])), reason));
        }
        let written = node
            .get("rules")
            .and_then(Node::as_list)
            .unwrap_or_default();
        let rules = file.rules.into_iter().zip(written).map(|(entry, node)| {
            let place = place(Some(node));
            Rule::new(entry, place.clone()).map_err(|reason| Invalid::new(place, reason))
        });
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
            groups: file.groups,
        })
    }

    /// Decides a request.
    pub fn decide(&self, actor: &Actor, permission: &Permission) -> Decision<'_> {
        let fits = |rule: &&Rule| rule.concerns(permission) && self.is_subject(rule, actor);
        let longest = |effect: Effect| {
            let rules = self.rules.iter().rev().filter(|rule| rule.effect == effect);
            rules
                .filter(fits)
                .max_by_key(|rule| rule.specificity(&permission.repository))
        };
        let denied = longest(Effect::Deny);
        let rule = denied.or_else(|| longest(Effect::Allow));
        Decision {
            is_allowed: denied.is_none() && rule.is_some(),
            rule,
        }
    }

    /// The action is allowed on the repository for some tag at least.
    pub(crate) fn allows_some(&self, actor: &Actor, permission: &Permission) -> bool {
        let fits = |rule: &&Rule| rule.is_about(permission) && self.is_subject(rule, actor);
        let mut rules = self.rules.iter().filter(fits);
        let is_denied = rules
            .clone()
            .any(|rule| rule.effect == Effect::Deny && rule.tags.is_none());
        !is_denied && rules.any(|rule| rule.effect == Effect::Allow)
    }

    /// Some repository may be pulled by whoever asks.
    pub(crate) fn is_public_anywhere(&self) -> bool {
        let anonymous = Actor::anonymous();
        let allows =
            |rule: &&Rule| rule.effect == Effect::Allow && rule.actions.contains(&Action::Pull);
        self.rules
            .iter()
            .filter(allows)
            .any(|rule| self.is_subject(rule, &anonymous))
    }

    /// What the names of repositories begin with that somebody may pull; a rule may deny some.
    pub(crate) fn pulled_beginnings(&self, actor: &Actor) -> Vec<String> {
        let allows = |rule: &&Rule| {
            rule.effect == Effect::Allow
                && rule.actions.contains(&Action::Pull)
                && self.is_subject(rule, actor)
        };
        let rules = self.rules.iter().filter(allows);
        let patterns = rules.flat_map(|rule| &rule.repositories);
        patterns
            .map(|pattern| {
                let special = pattern.text.find(['*', '?', '[', '{', '\\']);
                pattern.text[..special.unwrap_or(pattern.text.len())].to_owned()
            })
            .collect()
    }

    fn is_subject(&self, rule: &Rule, actor: &Actor) -> bool {
        let user = |pattern: &Pattern| {
            // What is said of everybody includes strangers when it is forbidden, not when allowed.
            let literally = actor.is_anonymous() && rule.effect == Effect::Allow;
            if literally {
                pattern.text == actor.name
            } else {
                pattern.matcher.is_match(&actor.name)
            }
        };
        let own = actor.groups.iter().map(String::as_str);
        let of_policy = self
            .groups
            .iter()
            .filter(|(_, users)| users.contains(&actor.name));
        let mut groups = own.chain(of_policy.map(|(group, _)| group.as_str()));
        rule.users.iter().any(user)
            || groups.any(|group| {
                rule.groups
                    .iter()
                    .any(|pattern| pattern.matcher.is_match(group))
            })
    }
}

impl Rule {
    fn new(entry: RuleEntry, place: String) -> Result<Self, String> {
        if entry.users.is_empty() && entry.groups.is_empty() {
            return Err("the rule names nobody: give it `users` or `groups`".to_owned());
        }
        if entry.repositories.is_empty() || entry.actions.is_empty() {
            return Err("the rule needs `repositories` and `actions`".to_owned());
        }
        if entry.tags.is_some() && entry.actions.contains(&Action::Pull) {
            return Err(
                "`tags` limit `push` and `delete` only: put `pull` into a rule of its own"
                    .to_owned(),
            );
        }
        Ok(Self {
            place,
            effect: entry.effect,
            actions: entry.actions,
            repositories: patterns(&entry.repositories, repository_glob)?,
            tags: entry
                .tags
                .map(|tags| patterns(&tags, Glob::new))
                .transpose()?,
            users: patterns(&entry.users, Glob::new)?,
            groups: patterns(&entry.groups, Glob::new)?,
        })
    }

    /// The rule is about this action on this repository and tag.
    fn concerns(&self, permission: &Permission) -> bool {
        self.is_about(permission) && self.covers(permission)
    }

    fn is_about(&self, permission: &Permission) -> bool {
        let name = permission.repository.as_str();
        self.actions.contains(&permission.action)
            && self
                .repositories
                .iter()
                .any(|glob| glob.matcher.is_match(name))
    }

    /// Content is pushed before a tag names it, so whoever may set some tag may push content. What
    /// is deleted by digest loses all its tags, so a rule that protects some tags protects it.
    fn covers(&self, permission: &Permission) -> bool {
        match (&self.tags, &permission.tag) {
            (None, _) => true,
            (Some(tags), Some(tag)) => tags.iter().any(|glob| glob.matcher.is_match(tag.as_str())),
            (Some(_), None) => matches!(
                (self.effect, permission.action),
                (Effect::Allow, Action::Push) | (Effect::Deny, Action::Delete)
            ),
        }
    }

    fn specificity(&self, repository: &RepositoryName) -> usize {
        let fitting = self
            .repositories
            .iter()
            .filter(|glob| glob.matcher.is_match(repository.as_str()));
        fitting.map(|glob| glob.text.len()).max().unwrap_or(0)
    }
}

fn patterns(
    globs: &[String],
    compile: impl Fn(&str) -> Result<Glob, globset::Error>,
) -> Result<Vec<Pattern>, String> {
    let pattern = |text: &String| match compile(text) {
        Ok(glob) => Ok(Pattern {
            text: text.clone(),
            matcher: glob.compile_matcher(),
        }),
        Err(error) => Err(format!("`{text}` is not a glob: {}", error.kind())),
    };
    globs.iter().map(pattern).collect()
}

/// A glob over repositories: `*` stays within a path segment, `**` crosses them.
pub(super) fn repository_glob(text: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(text).literal_separator(true).build()
}

fn first_of(name: &str, sources: &Sources, findings: &Diagnostics) -> Invalid {
    let Some(finding) = findings.iter().next() else {
        return Invalid::new(name, "it is no access policy");
    };
    let place = finding.labels.first();
    let place = place.map_or_else(|| name.to_owned(), |label| sources.locate(label.span));
    Invalid::new(place, finding.message.clone())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::auth::actor::Method;

    const POLICY: &str = "\
apiVersion: cairn.dev/v1
kind: AccessPolicy
groups:
  developers: [ada, bob]
rules:
- repositories: ['**']
  users: ['*']
  actions: [pull]
- repositories: [public/**]
  users: [anonymous]
  actions: [pull]
- repositories: [apps/**]
  groups: [developers, 'ci:deployers']
  actions: [push]
  tags: ['dev-*']
- repositories: [packs/**]
  users: [ada]
  actions: [push, delete]
- repositories: [packs/**]
  users: ['*']
  actions: [delete]
  tags: ['v*']
  effect: deny
- repositories: [secret/**]
  users: ['*']
  actions: [pull]
  effect: deny
- repositories: [secret/**]
  users: [anonymous, bob]
  actions: [pull]
";

    fn explain(user: &str, action: &str, reference: &str) -> String {
        let policy = Policy::parse("policy.yaml", POLICY).unwrap();
        let mut words = user.split(',');
        let name = words.next().unwrap().to_owned();
        let actor = Actor {
            method: if name == ANONYMOUS {
                Method::Anonymous
            } else {
                Method::Password
            },
            name,
            groups: words.map(str::to_owned).collect(),
        };
        let (repository, tag) = reference
            .split_once(':')
            .map_or((reference, None), |(r, t)| (r, Some(t)));
        let permission = Permission {
            action: action.parse().unwrap(),
            repository: repository.parse().unwrap(),
            tag: tag.map(|tag| tag.parse().unwrap()),
        };
        policy.decide(&actor, &permission).to_string()
    }

    #[test]
    fn the_deciding_rule_is_named() {
        assert_snapshot!(explain("ada", "pull", "x"), @"allowed by the rule at policy.yaml:6:3");
        assert_snapshot!(explain("anonymous", "pull", "x"), @"denied: no rule allows it");
        assert_snapshot!(explain("anonymous", "pull", "public/a"), @"allowed by the rule at policy.yaml:9:3");
        assert_snapshot!(explain("ada", "pull", "public/a"), @"allowed by the rule at policy.yaml:6:3");
        assert_snapshot!(explain("ada", "push", "apps/a:dev-1"), @"allowed by the rule at policy.yaml:12:3");
        assert_snapshot!(explain("ada", "push", "apps/a"), @"allowed by the rule at policy.yaml:12:3");
        assert_snapshot!(explain("ada", "push", "apps/a:v1"), @"denied: no rule allows it");
        assert_snapshot!(explain("eve", "push", "apps/a:dev-1"), @"denied: no rule allows it");
        assert_snapshot!(explain("ci:x,ci:deployers", "push", "apps/a:dev-1"), @"allowed by the rule at policy.yaml:12:3");
        assert_snapshot!(explain("ada", "delete", "packs/a:dev"), @"allowed by the rule at policy.yaml:16:3");
        assert_snapshot!(explain("ada", "delete", "packs/a:v1"), @"denied by the rule at policy.yaml:19:3");
        // By digest, the protected tags would go too.
        assert_snapshot!(explain("ada", "delete", "packs/a"), @"denied by the rule at policy.yaml:19:3");
        assert_snapshot!(explain("bob", "pull", "secret/a"), @"denied by the rule at policy.yaml:24:3");
        assert_snapshot!(explain("anonymous", "pull", "secret/a"), @"denied by the rule at policy.yaml:24:3");
    }

    #[test]
    fn mistakes_are_located() {
        let refused = |rules: &str| {
            let text = format!("apiVersion: cairn.dev/v1\nkind: AccessPolicy\n{rules}");
            Policy::parse("p.yaml", &text).unwrap_err().to_string()
        };
        assert_snapshot!(refused("rules:\n- repositories: [a]\n  actions: [pull]\n"), @"`p.yaml:4:3`: the rule names nobody: give it `users` or `groups`");
        assert_snapshot!(refused("rules:\n- repositories: ['a{']\n  users: [a]\n  actions: [pull]\n"), @"`p.yaml:4:3`: `a{` is not a glob: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)");
        assert_snapshot!(refused("rules:\n- repositories: [a]\n  users: [a]\n  actions: [write]\n"), @"`p.yaml:6:13`: unknown variant `write`, expected one of `pull`, `push`, `delete`");
        assert_snapshot!(refused("rules:\n- repositories: [a]\n  users: [a]\n  actions: [pull]\n  tags: [v1]\n"), @"`p.yaml:4:3`: `tags` limit `push` and `delete` only: put `pull` into a rule of its own");
        assert_snapshot!(refused("groups: {g: [anonymous]}\nrules: []\n"), @"`p.yaml:3:13`: the group `g` must not hold `anonymous`: name that user in a rule");
        assert!(refused("rules: []\nrule: []\n").contains("unknown field `rule`"));
    }
}
