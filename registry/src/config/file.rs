//! Reads a configuration from YAML and from variables, and reports every mistake where it stands.

use std::sync::OnceLock;

use cairn_spec::{
    Diagnostics, Map, Node, OriginId, Origins, Schema, SourceId, SourceKind, Sources, Span, Value,
    decode_json, schema_of, yaml,
};

use super::{
    Config, otel,
    problems::{Places, Problems},
};

/// What the names of variables begin with that set single keys: the rest is the key's path, each
/// key in capitals with `_` between its words, and `__` between keys. So
/// `CAIRN_REGISTRY_LIMITS__BLOB_BYTES` is `limits.blobBytes`.
pub const VARIABLE_PREFIX: &str = "CAIRN_REGISTRY_";

/// The JSON Schema of a configuration file.
pub fn config_schema() -> serde_json::Value {
    schema_of::<Config>()
}

/// Reads a configuration: `file`, a name and a text, and on top of it `variables`: those of
/// OpenTelemetry ([`otel::OTEL_PREFIX`]), and on top of these, names with [`VARIABLE_PREFIX`] and
/// their values in YAML. Lists are replaced as a whole.
///
/// Returns `None` when something cannot be used; `diagnostics` then say what and where.
pub fn read_config(
    file: Option<(&str, String)>,
    variables: &[(String, String)],
    sources: &mut Sources,
    origins: &mut Origins,
    diagnostics: &mut Diagnostics,
) -> Option<Config> {
    let errors_before = diagnostics.error_count();
    let (config, root) = understood(file, variables, sources, origins, diagnostics)?;
    let places = Places {
        root: &root,
        origins,
    };
    config.check(&mut Problems::new(places, diagnostics));
    (diagnostics.error_count() == errors_before).then_some(config)
}

/// The same, and asks whether the files are there that a server would read.
///
/// A server reports those when it opens them; programs that only need the storage never do.
pub fn check_config(
    file: Option<(&str, String)>,
    variables: &[(String, String)],
    sources: &mut Sources,
    origins: &mut Origins,
    diagnostics: &mut Diagnostics,
) -> Option<Config> {
    let errors_before = diagnostics.error_count();
    let (config, root) = understood(file, variables, sources, origins, diagnostics)?;
    let places = Places {
        root: &root,
        origins,
    };
    let mut problems = Problems::new(places, diagnostics);
    config.check(&mut problems);
    config.check_files(&mut problems);
    (diagnostics.error_count() == errors_before).then_some(config)
}

/// A configuration whose keys and types were checked, and where they were written.
fn understood(
    file: Option<(&str, String)>,
    variables: &[(String, String)],
    sources: &mut Sources,
    origins: &mut Origins,
    diagnostics: &mut Diagnostics,
) -> Option<(Config, Node)> {
    let mut root = match file {
        None => Node::generated(Map::new()),
        Some((name, text)) => {
            let source = sources.add(name, text, SourceKind::Other);
            yaml::read_one(sources, source, origins, diagnostics)?
        }
    };
    // A file in which everything is commented out says nothing.
    if root.value == Value::Null {
        root.value = Map::new().into();
    }
    for setting in otel::settings(variables, diagnostics) {
        let path = vec!["traces".to_owned(), setting.key.to_owned()];
        set(&mut root, path, setting.value, OriginId::GENERATED);
    }
    let traces = root.as_map_mut().and_then(|map| map.get_mut("traces"));
    if let Some(traces) = traces.and_then(Node::as_map_mut)
        && otel::switches_off(variables)
    {
        traces.remove("endpoint");
    }
    let own = variables
        .iter()
        .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX));
    for (name, value) in own {
        let source = sources.add(name.as_str(), value.as_str(), SourceKind::Other);
        if let Some(value) = yaml::read_one(sources, source, origins, diagnostics) {
            let key_origin = origins.add_span(whole(sources, source));
            set(&mut root, path_of(name), value, key_origin);
        }
    }
    compiled().check(&root, origins, "schema", diagnostics);
    let config = decoded(&root, origins, diagnostics);
    Some((config, root))
}

/// What can be understood of a configuration, part by part, so that a mistake in one part does not
/// hide those in others. What cannot be understood has its default, and is reported.
fn decoded(root: &Node, origins: &Origins, diagnostics: &mut Diagnostics) -> Config {
    let mut usable = Map::new();
    for (key, field) in root.as_map().into_iter().flat_map(Map::fields) {
        let mut part = Map::new();
        part.insert_field(&**key, field.clone());
        let part = Node::new(part, root.origin);
        let mut schema_findings = Diagnostics::new();
        compiled().check(&part, origins, "schema", &mut schema_findings);
        let is_usable = schema_findings.is_empty()
            && decode_json::<Config>(&part, origins, diagnostics).is_some();
        if is_usable {
            usable.insert_field(&**key, field.clone());
        }
    }
    let usable = Node::new(usable, root.origin).to_json();
    serde_json::from_value(usable).unwrap_or_default()
}

fn compiled() -> &'static Schema {
    static COMPILED: OnceLock<Schema> = OnceLock::new();
    COMPILED.get_or_init(|| {
        Schema::compile(config_schema()).expect("the schema of our own type compiles")
    })
}

/// The keys that a variable's name stands for.
fn path_of(variable: &str) -> Vec<String> {
    let path = variable.strip_prefix(VARIABLE_PREFIX).unwrap_or(variable);
    path.split("__").map(camel_case).collect()
}

/// Puts a value at a path, creating maps on the way.
fn set(root: &mut Node, mut keys: Vec<String>, value: Node, key_origin: OriginId) {
    let Some(last) = keys.pop() else { return };
    let mut node = root;
    for key in keys {
        if node.as_map().is_none() {
            *node = Node::new(Map::new(), key_origin);
        }
        let Value::Map(map) = &mut node.value else {
            return;
        };
        if !map.contains_key(&key) {
            let node = Node::new(Map::new(), key_origin);
            map.insert_field(&*key, cairn_spec::Field { key_origin, node });
        }
        let Some(below) = map.get_mut(&key) else {
            return;
        };
        node = below;
    }
    if node.as_map().is_none() {
        *node = Node::new(Map::new(), key_origin);
    }
    if let Value::Map(map) = &mut node.value {
        let field = cairn_spec::Field {
            key_origin,
            node: value,
        };
        map.insert_field(&*last, field);
    }
}

/// `BLOB_BYTES` is `blobBytes`.
fn camel_case(words: &str) -> String {
    let mut key = String::with_capacity(words.len());
    let mut starts_word = false;
    for character in words.chars() {
        if character == '_' {
            starts_word = !key.is_empty();
        } else if starts_word {
            key.push(character.to_ascii_uppercase());
            starts_word = false;
        } else {
            key.push(character.to_ascii_lowercase());
        }
    }
    key
}

fn whole(sources: &Sources, source: SourceId) -> Span {
    let length = sources.get(source).text.len();
    Span {
        source,
        start: 0,
        end: u32::try_from(length).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use cairn_spec::Diagnostic;

    use super::*;

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let (mut sources, mut origins) = (Sources::new(), Origins::new());
        let mut diagnostics = Diagnostics::new();
        let variables: Vec<(String, String)> = variables
            .iter()
            .map(|(name, value)| (format!("{VARIABLE_PREFIX}{name}"), (*value).to_owned()))
            .collect();
        let config = read_config(
            Some(("registry.yaml", text.to_owned())),
            &variables,
            &mut sources,
            &mut origins,
            &mut diagnostics,
        );
        let shown = |diagnostic: &Diagnostic| {
            let place = diagnostic
                .labels
                .first()
                .map(|label| sources.locate(label.span));
            format!(
                "{}: {} ({})",
                place.unwrap_or_default(),
                diagnostic.message,
                diagnostic.hint.as_deref().unwrap_or("no hint")
            )
        };
        config.ok_or_else(|| {
            let all: Vec<String> = diagnostics.iter().map(shown).collect();
            all.join("\n")
        })
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(read("", &[]).unwrap(), Config::default());
        assert_eq!(read("# nothing\n", &[]).unwrap(), Config::default());
        let written = serde_json::to_string(&Config::default()).unwrap();
        assert_eq!(read(&written, &[]).unwrap(), Config::default());
    }

    #[test]
    fn variables_win_over_the_file() {
        let config = read(
            "listen: 127.0.0.1:1\nlimits: {blobBytes: 5, uploadChunkBytes: 5}\n",
            &[
                ("LISTEN", "127.0.0.1:2"),
                ("LIMITS__UPLOAD_CHUNK_BYTES", "4"),
                ("IMMUTABLE_TAGS", "[a/**]"),
                ("STORAGE__DIRECTORY", "/data"),
            ],
        )
        .unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.limits.blob_bytes, 5);
        assert_eq!(config.limits.upload_chunk_bytes, 4);
        assert_eq!(config.immutable_tags, ["a/**"]);
        assert_eq!(
            config.storage,
            crate::StorageConfig::Directory("/data".into())
        );
    }

    #[test]
    fn other_registries_are_described_without_contradictions() {
        let text = "\
upstreams:
- name: Docker Hub
  registry: {url: registry-1.docker.io, username: ada, timeoutS: 0}
  repositories: [{local: 'docker.io/**', remote: library}]
- name: a
  registry: {url: 'https://a.example', tokenServices: ['https://b.example']}
  repositories: []
mirrors:
- name: a
  direction: pull
  registry: {url: 'https://a.example'}
  repositories: [{local: 'UPPER/**'}]
  tags: ['v[']
  versions: newest
  concurrency: 0
- name: a
  direction: push
  registry: {url: 'https://a.example'}
  repositories: [{local: '**'}]
";
        let problems = read(text, &[]).unwrap_err();
        for expected in [
            "registry.yaml:2:9: `upstreams[0].name`: `Docker Hub` is not a name",
            "`upstreams[0].registry.url`: `registry-1.docker.io` begins neither with",
            "`upstreams[0].registry.passwordFile`: a user and a password need each other",
            "`upstreams[0].registry.timeoutS`: 0 seconds",
            "`upstreams[0].repositories[0]`: of `docker.io/**` and `library`, only one",
            "`upstreams[1].registry.tokenServices[0]`: `https://b.example` is not HOST[:PORT]",
            "`upstreams[1].repositories`: there are none",
            "`mirrors[0].repositories[0]`: `UPPER/**` is neither a repository nor",
            "`mirrors[0].tags[0]`: `v[` is not a glob",
            "`mirrors[0].versions`: ",
            "`mirrors[0].concurrency`: 0 copies nothing",
            "`mirrors[1].name`: two are called `a`",
        ] {
            assert!(problems.contains(expected), "{expected}\n\n{problems}");
        }
        assert_eq!(problems.lines().count(), 12, "{problems}");
    }

    #[test]
    fn variables_of_opentelemetry_say_where_traces_go() {
        let read = |file: &str, variables: &[(&str, &str)]| {
            let (mut sources, mut origins) = (Sources::new(), Origins::new());
            let mut diagnostics = Diagnostics::new();
            let variables: Vec<(String, String)> = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let config = read_config(
                Some(("registry.yaml", file.to_owned())),
                &variables,
                &mut sources,
                &mut origins,
                &mut diagnostics,
            );
            let messages = diagnostics.iter().map(|one| one.message.clone());
            config
                .map(|config| config.traces)
                .ok_or_else(|| messages.collect::<Vec<_>>())
        };
        let traces = read(
            "traces: {endpoint: 'http://file/v1/traces', batchSpans: 7}",
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b,x-other=c"),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=lost,zone=a"),
                ("OTEL_SERVICE_NAME", "packs"),
                ("OTEL_TRACES_SAMPLER", "traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
                ("OTEL_BSP_SCHEDULE_DELAY", "100"),
                ("OTEL_METRICS_EXPORTER", "for others"),
                ("CAIRN_REGISTRY_TRACES__TIMEOUT_MS", "5"),
            ],
        )
        .unwrap();
        let endpoint = traces.endpoint.as_deref();
        assert_eq!(endpoint, Some("http://collector:4318/v1/traces"));
        assert_eq!(traces.headers["x-key"].expose(), "a b");
        assert_eq!(traces.service_name, "packs");
        assert_eq!(traces.resource["zone"], "a");
        let attributes = traces.resource_attributes();
        assert_eq!(attributes[0].1, "packs");
        assert_eq!(attributes.len(), 3);
        assert_eq!(traces.sample_ratio, 0.25.try_into().unwrap());
        assert!(!traces.follow_parent);
        assert_eq!((traces.interval_ms, traces.batch_spans), (100, 7));
        assert_eq!(traces.timeout_ms, 5);
        // A service that is named goes nowhere for it.
        let named = read("", &[("OTEL_SERVICE_NAME", "packs")]).unwrap();
        assert_eq!(named.endpoint, None);
        for off in [
            ("OTEL_SDK_DISABLED", "true"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ] {
            let file = "traces: {endpoint: 'http://file/v1/traces'}";
            assert_eq!(read(file, &[off]).unwrap().endpoint, None);
        }
        let refused = read(
            "",
            &[
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "x y=hunter2"),
                ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
                ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
            ],
        )
        .unwrap_err();
        assert_eq!(refused.len(), 5, "{refused:?}");
        assert!(!refused.concat().contains("hunter2"), "{refused:?}");
    }

    #[test]
    fn every_mistake_is_reported_where_it_stands() {
        let text = "\
listen: nowhere
immutabelTags: []
immutableTags: [\"packs/[\"]
limits:
  blobBytes: 10
  uploadChunkBytes: 20
  connections: 0
storage: {directroy: data}
";
        assert_snapshot!(read(text, &[("LIMTS__BLOB_BYTES", "1")]).unwrap_err());
        assert_snapshot!(
            read(
                "limits: {blobBytes: -1, pageEntries: many}",
                &[("LISTEN", "[")]
            )
            .unwrap_err()
        );
    }

    #[test]
    fn rules_that_limit_or_remove_are_checked_one_by_one() {
        let text = "\
quotas:
  recountIntervalS: 0
  rules:
  - {name: Team A, repositories: \"team/[\", maxBytes: 1}
  - {name: nothing, repositories: \"**\"}
  - {name: nothing, repositories: \"**\", maxTagsPerRepository: 1000000}
  - {name: unit, repositories: \"**\", maxBytes: 50GiB}
";
        assert_snapshot!(read(text, &[]).unwrap_err());
        let text = text.replace(
            "  - {name: unit, repositories: \"**\", maxBytes: 50GiB}\n",
            "",
        );
        assert_snapshot!(read(&text, &[]).unwrap_err());
        let text = "\
retention:
  intervalS: 5
  protectedTags: [\"a/[\"]
  rules:
  - {name: idle, repositories: \"a/**\"}
  - {name: idle, repositories: \"a/**\", keepTags: [{tags: [\"v[\"], lastPushed: 0}, {tags: []}]}
  - {name: all, repositories: \"**\", keepTags: [], unmatchedTags: remove}
";
        assert_snapshot!(read(text, &[]).unwrap_err());
        assert_snapshot!(
            read(
                "retention: {rules: [{name: a, repositories: \"**\", keepTags: [{lastPushd: 1}]}]}",
                &[]
            )
            .unwrap_err()
        );
        let meant = text.replace(
            "unmatchedTags: remove",
            "unmatchedTags: remove, mayEmptyRepositories: true",
        );
        assert!(!read(&meant, &[]).unwrap_err().contains("rules[2]"));
    }
}
