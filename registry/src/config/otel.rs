//! The variables of OpenTelemetry that say where traces go, as keys of the configuration.
//!
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>,
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use cairn_spec::{Diagnostic, Diagnostics, Map, Node};

/// What the names of these variables begin with. Those that say nothing about traces are for
/// others.
pub const OTEL_PREFIX: &str = "OTEL_";

/// The code of findings, as `spec/diagnostics.md` lists it.
const CODE: &str = "registry-config";

/// One key of `traces`, and what to set it to.
pub(super) struct Setting {
    pub(super) key: &'static str,
    pub(super) value: Node,
}

/// What the variables set; those for traces alone win over those for everything.
pub(super) fn settings(
    variables: &[(String, String)],
    diagnostics: &mut Diagnostics,
) -> Vec<Setting> {
    let variable = |name: &str| value_of(variables, name);
    let of_exporter = |name: &str| {
        variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
            .or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
    };
    let mut settings = Vec::new();
    let mut set = |key, value: Node| settings.push(Setting { key, value });
    let mut refuse = |name: &str, message: String, hint: &str| {
        let diagnostic = Diagnostic::error(CODE, format!("`{name}`: {message}"));
        diagnostics.push(diagnostic.hint(hint));
    };

    let endpoint = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").map(str::to_owned);
    let endpoint = endpoint.or_else(|| {
        let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT")?;
        Some(format!("{}/v1/traces", base.trim_end_matches('/')))
    });
    if let Some(endpoint) = endpoint.filter(|_| !switches_off(variables)) {
        if let Some(protocol) = of_exporter("PROTOCOL").filter(|name| *name != "http/protobuf") {
            refuse(
                "OTEL_EXPORTER_OTLP_PROTOCOL",
                format!("traces are not sent by `{protocol}`"),
                "set `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf` and the collector's port for it, or `OTEL_TRACES_EXPORTER=none`",
            );
        }
        set("endpoint", text(endpoint));
    }
    if let Some(list) = of_exporter("HEADERS") {
        set("headers", pairs(list));
    }
    if let Some(file) = of_exporter("CERTIFICATE") {
        set("caFile", text(file));
    }
    if let Some(list) = variable("OTEL_RESOURCE_ATTRIBUTES") {
        let attributes = pairs(list);
        if let Some(name) = attributes.as_map().and_then(|map| map.get("service.name")) {
            set("serviceName", name.clone());
        }
        set("resource", attributes);
    }
    if let Some(name) = variable("OTEL_SERVICE_NAME") {
        set("serviceName", text(name));
    }
    if let Some(sampler) = variable("OTEL_TRACES_SAMPLER") {
        let ratio = variable("OTEL_TRACES_SAMPLER_ARG").unwrap_or("1");
        let (follows, name) = match sampler.strip_prefix("parentbased_") {
            Some(name) => (true, name),
            None => (false, sampler),
        };
        let ratio = match name {
            "always_on" => Some(1.0),
            "always_off" => Some(0.0),
            "traceidratio" => ratio.parse::<f64>().ok(),
            _ => None,
        };
        match ratio {
            Some(ratio) => {
                set("followParent", Node::generated(follows));
                set("sampleRatio", Node::from(serde_json::json!(ratio)));
            }
            None => refuse(
                "OTEL_TRACES_SAMPLER",
                format!("`{sampler}` cannot be used"),
                "use `parentbased_traceidratio` with `OTEL_TRACES_SAMPLER_ARG=0.1`, `always_on` or `always_off`",
            ),
        }
    }
    for (name, key) in [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "queueSpans"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "batchSpans"),
        ("OTEL_BSP_SCHEDULE_DELAY", "intervalMs"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "timeoutMs"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "timeoutMs"),
    ] {
        match variable(name).map(str::parse::<i64>) {
            Some(Ok(number)) => set(key, Node::generated(number)),
            Some(Err(_)) => refuse(name, "it is not a number".to_owned(), "unset it"),
            None => {}
        }
    }
    settings
}

/// The variables say that there shall be no traces, whatever else does.
pub(super) fn switches_off(variables: &[(String, String)]) -> bool {
    let is = |name, word| {
        let value = value_of(variables, name);
        value.is_some_and(|value| value.eq_ignore_ascii_case(word))
    };
    is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none")
}

fn value_of<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let named = |(known, _): &&(String, String)| known == name;
    variables
        .iter()
        .find(named)
        .map(|(_, value)| value.as_str())
}

fn text(text: impl Into<String>) -> Node {
    Node::generated(text.into())
}

/// `a=1,b=2`, with values percent-encoded. <https://www.w3.org/TR/baggage/#header-content>
///
/// Headers hold secrets: their places are not kept, so that no message shows them.
fn pairs(list: &str) -> Node {
    let mut map = Map::new();
    for pair in list.split(',') {
        if let Some((key, value)) = pair.split_once('=') {
            let value = percent_decoded(value.trim());
            map.insert(key.trim(), text(value));
        }
    }
    Node::generated(map)
}

/// What is no encoding stays as it is.
fn percent_decoded(encoded: &str) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
