//! What the templates of a chart are told of the world outside of it: values for what is not
//! deterministic, and objects of a cluster. All of it is handed in.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_spec::{GeneratedValue, GeneratedValues, Map, Node, SecretRef, Timestamp};
use cairn_template::{GeneratedCall, Generation, Host, LookupQuery};
use sha2::{Digest as _, Sha256};

use crate::ClusterObjects;

/// Answers the templates of one release. By default it knows no object and refuses every call
/// that is not deterministic.
///
/// ```
/// use cairn_chart::ChartHost;
///
/// let host = ChartHost {
///     release: "web".to_owned(),
///     namespace: "shop".to_owned(),
///     seed: [7; 32],
///     unnamed_calls: cairn_chart::UnnamedCalls::Seeded,
///     now: Some(1_800_000_000),
///     ..ChartHost::default()
/// };
/// # let _: &dyn cairn_template::Host = &host;
/// ```
#[derive(Debug, Clone, Default)]
pub struct ChartHost {
    /// The release's name.
    pub release: String,
    /// The release's namespace.
    pub namespace: String,
    /// What seeded values follow from, besides the release and the call.
    pub seed: [u8; 32],
    /// Which calls get which values.
    pub values: GeneratedValues,
    /// What happens at calls that [`Self::values`] does not name.
    pub unnamed_calls: UnnamedCalls,
    /// The time where [`Self::values`] says none, in seconds since 1970.
    pub now: Option<i64>,
    /// What `lookup` finds.
    pub objects: ClusterObjects,
}

/// What happens at calls that are not deterministic and for which nobody chose a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnnamedCalls {
    /// They are errors that name the call.
    #[default]
    Refused,
    /// They get seeded values. With a seed of chance and the time of the clock that is what Helm
    /// does.
    Seeded,
}

/// Functions whose result depends on the time.
const NEED_TIME: &[&str] = &[
    "ago",
    "date",
    "dateInZone",
    "date_in_zone",
    "genCA",
    "genCAWithKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "htmlDate",
    "htmlDateInZone",
    "now",
];

/// Separates these hashes from all others.
const SEED_DOMAIN: &str = "cairn.dev/chart/generated-value/v1";

impl Host for ChartHost {
    fn lookup(&self, query: &LookupQuery<'_>) -> Option<Node> {
        self.objects.find(query)
    }

    fn generate(&self, call: &GeneratedCall<'_>) -> Generation {
        match (self.rule_for(call), self.unnamed_calls) {
            (Some(rule), _) => self.chosen(rule, call),
            (None, UnnamedCalls::Seeded) => self.seeded(call),
            (None, UnnamedCalls::Refused) => Generation::Refuse,
        }
    }
}

fn fits(rule: &GeneratedValue, call: &GeneratedCall<'_>) -> bool {
    rule.function == call.function
        && rule
            .template
            .as_ref()
            .is_none_or(|name| name == call.template)
        && rule
            .occurrence
            .is_none_or(|number| number == call.occurrence)
}

impl ChartHost {
    /// What [`Self::values`] says of a call.
    pub fn rule_for(&self, call: &GeneratedCall<'_>) -> Option<&GeneratedValue> {
        self.values.calls.iter().find(|rule| fits(rule, call))
    }

    fn chosen(&self, rule: &GeneratedValue, call: &GeneratedCall<'_>) -> Generation {
        let mut missing = "it is named without `secret`, `value` or `seeded: true`".to_owned();
        if let Some(secret) = &rule.secret {
            match self.existing(secret, rule.certificate_key.as_deref()) {
                Ok(Some(node)) => return Generation::Fixed(node),
                Ok(None) => {
                    let SecretRef {
                        namespace,
                        name,
                        key,
                    } = secret;
                    missing = format!(
                        "there is no key `{key}` of a Secret `{namespace}/{name}` among the objects that are given"
                    );
                }
                Err(reason) => return Generation::Unavailable(reason),
            }
        }
        match &rule.value {
            Some(value) => Generation::Fixed(value.clone().into()),
            None if rule.seeded => self.seeded(call),
            None => Generation::Unavailable(missing),
        }
    }

    fn seeded(&self, call: &GeneratedCall<'_>) -> Generation {
        let given = self.values.now.map(Timestamp::unix_s);
        let now = given
            .and_then(|now| i64::try_from(now).ok())
            .or(self.now)
            .or_else(|| (!NEED_TIME.contains(&call.function)).then_some(0));
        match now {
            Some(now) => Generation::Seeded {
                seed: self.call_seed(call),
                now,
            },
            None => Generation::Unavailable(
                "it needs the time, and none is given beside the seed".to_owned(),
            ),
        }
    }

    /// The seed of one value. Lines may move in a template, and other templates may come and go:
    /// it stays.
    fn call_seed(&self, call: &GeneratedCall<'_>) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        add(SEED_DOMAIN.as_bytes());
        add(&self.seed);
        for part in [
            &self.release,
            &self.namespace,
            call.rendering,
            call.template,
            call.text.unwrap_or_default(),
            call.function,
        ] {
            add(part.as_bytes());
        }
        add(&call.occurrence.to_be_bytes());
        add(&call.count.to_be_bytes());
        hash.finalize().into()
    }

    /// The value of a Secret that exists; with a certificate's key, what a function gives that
    /// makes certificates.
    fn existing(
        &self,
        secret: &SecretRef,
        certificate_key: Option<&str>,
    ) -> Result<Option<Node>, String> {
        let found = self.objects.find(&LookupQuery {
            api_version: "v1",
            kind: "Secret",
            namespace: &secret.namespace,
            name: &secret.name,
        });
        let Some(object) = found else {
            return Ok(None);
        };
        let value = secret_value(&object, &secret.key)?;
        let Some(certificate_key) = certificate_key else {
            return Ok(value.map(Node::generated));
        };
        let (Some(key), Some(certificate)) = (value, secret_value(&object, certificate_key)?)
        else {
            return Ok(None);
        };
        let mut map = Map::new();
        map.insert("Cert", Node::generated(certificate));
        map.insert("Key", Node::generated(key));
        Ok(Some(Node::generated(map)))
    }
}

fn secret_value(secret: &Node, key: &str) -> Result<Option<String>, String> {
    if let Some(text) = secret.at(&["stringData", key]).and_then(Node::as_str) {
        return Ok(Some(text.to_owned()));
    }
    let Some(encoded) = secret.at(&["data", key]).and_then(Node::as_str) else {
        return Ok(None);
    };
    let encoded: String = encoded.split_ascii_whitespace().collect();
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|error| format!("the key `{key}` of the Secret is not base64: {error}"))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(format!("the key `{key}` of the Secret is not UTF-8")),
    }
}
