//! Secrets that exist, in the place of what a chart would generate: a build asks no cluster, so a
//! text stands for each of them until the bundle is applied.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use cairn_chart::ChartHost;
use cairn_spec::{GeneratedValue, Map, Node, SecretRef, VariableName};
use cairn_template::{GeneratedCall, Generation, Host, LookupQuery};
use sha2::{Digest as _, Sha256};

use crate::profile::secret_placeholder;

/// Functions whose values templates compute with, so that no text can stand for them.
const NO_TEXT: &[&str] = &[
    "ago",
    "date",
    "dateInZone",
    "date_in_zone",
    "htmlDate",
    "htmlDateInZone",
    "now",
    "randInt",
];

/// Answers the templates of a chart in a build.
#[derive(Debug)]
pub(crate) struct BuildHost {
    given: ChartHost,
    /// The only namespace whose Secrets may be named, where a pack does it.
    home: Option<String>,
    asked: Mutex<BTreeMap<VariableName, SecretRef>>,
}

impl BuildHost {
    pub(crate) fn new(given: ChartHost, home: Option<&str>) -> Self {
        Self {
            given,
            home: home.map(str::to_owned),
            asked: Mutex::default(),
        }
    }

    /// The Secrets that templates were given a text for.
    pub(crate) fn asked(self) -> BTreeMap<VariableName, SecretRef> {
        let asked = self.asked.into_inner();
        asked.unwrap_or_else(PoisonError::into_inner)
    }

    fn reference(
        &self,
        call: &GeneratedCall<'_>,
        rule: &GeneratedValue,
        secret: &SecretRef,
    ) -> Generation {
        let SecretRef {
            namespace, name, ..
        } = secret;
        if NO_TEXT.contains(&call.function) {
            return Generation::Unavailable(format!(
                "the Secret `{namespace}/{name}` is read when the bundle is applied, and templates compute with this value: give `value` or `seeded` instead"
            ));
        }
        if let Some(home) = self.home.as_ref().filter(|home| *home != namespace) {
            return Generation::Unavailable(format!(
                "a pack may name Secrets of its layer's namespace, which is `{home}`, and `{namespace}/{name}` is of another"
            ));
        }
        let Some(certificate_key) = &rule.certificate_key else {
            return Generation::Fixed(Node::generated(self.stand_in(secret.clone())));
        };
        let certificate = SecretRef {
            key: certificate_key.clone(),
            ..secret.clone()
        };
        let mut both = Map::new();
        both.insert("Cert", Node::generated(self.stand_in(certificate)));
        both.insert("Key", Node::generated(self.stand_in(secret.clone())));
        Generation::Fixed(Node::generated(both))
    }

    /// The text that stands for a key of a Secret.
    fn stand_in(&self, secret: SecretRef) -> String {
        let name = name_of(&secret);
        let placeholder = secret_placeholder(&name);
        let asked = self.asked.lock();
        asked
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, secret);
        placeholder
    }
}

impl Host for BuildHost {
    fn lookup(&self, query: &LookupQuery<'_>) -> Option<Node> {
        self.given.lookup(query)
    }

    fn generate(&self, call: &GeneratedCall<'_>) -> Generation {
        let rule = self.given.rule_for(call);
        match rule.and_then(|rule| Some((rule, rule.secret.as_ref()?))) {
            Some((rule, secret)) if rule.value.is_none() && !rule.seeded => {
                self.reference(call, rule, secret)
            }
            _ => self.given.generate(call),
        }
    }
}

/// What a bundle calls a key of a Secret that templates were given a text for: the same wherever it is asked for.
fn name_of(secret: &SecretRef) -> VariableName {
    let mut hash = Sha256::new();
    for part in [&secret.namespace, &secret.name, &secret.key] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let bytes = hash.finalize();
    let number = bytes
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("existing{number:016x}")
        .parse()
        .expect("letters and digits are a name")
}
