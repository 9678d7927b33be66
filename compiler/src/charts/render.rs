//! Renders a chart of a layer: its objects, definitions and hooks.

use std::collections::BTreeMap;

use cairn_chart::{
    Capabilities, ChartHost, DEEP_TEMPLATE_BYTES, Dialect, Hook, KubeVersion, Release,
    RenderOptions, UnnamedCalls, on_deep_stack, render,
};
use cairn_spec::{Diagnostic, LayerName, LeftOut, Node, SecretRef, Span, VariableName};
use sha2::{Digest as _, Sha256};

use super::{
    LoadedChart, ServedApis,
    existing::BuildHost,
    hooks::{Fate, fate_of},
    values::helm_values,
};
use crate::{
    Session,
    go_templates::RenderedText,
    object::{self, CustomScopes, Scope},
    profile::secret_placeholder,
    render::{LayerOutput, Target},
    secrets::{is_in_text, shows},
};

/// The namespace of releases whose layer has none, as for Helm.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// A chart that is ready to render.
pub(crate) struct ChartInput<'a> {
    pub(crate) loaded: &'a LoadedChart,
    pub(crate) layer: &'a LayerName,
    pub(crate) release: &'a str,
    pub(crate) namespace: Option<&'a str>,
    /// A pack brings it, so that its author knows nothing of Secrets elsewhere in the cluster.
    pub(crate) is_of_pack: bool,
    /// What is written for it, merged.
    pub(crate) values: Option<&'a Node>,
    pub(crate) target: &'a Target,
    /// What definitions of this layer and of those below add to the cluster's APIs.
    pub(crate) apis: &'a ServedApis,
}

/// Renders a chart. Problems are reported; what could be rendered is added to `output`.
pub(crate) fn render_chart(
    input: &ChartInput<'_>,
    output: &mut LayerOutput,
    session: &mut Session,
) {
    let Some(capabilities) = capabilities(input, session) else {
        return;
    };
    let namespace = input.namespace.unwrap_or(DEFAULT_NAMESPACE);
    let others = output.objects.len();
    let host = ChartHost {
        release: input.release.to_owned(),
        namespace: namespace.to_owned(),
        seed: seed(input),
        values: input.loaded.generated.clone(),
        unnamed_calls: UnnamedCalls::Refused,
        ..ChartHost::default()
    };
    let host = BuildHost::new(host, input.is_of_pack.then_some(namespace));
    let values = helm_values(input.values);
    let chart = input.loaded.chart.clone();
    let Session {
        sources, origins, ..
    } = &mut *session;
    let rendered = on_deep_stack(|| {
        let mut options = RenderOptions {
            namespace: namespace.to_owned(),
            capabilities,
            dialect: Dialect::Helm4,
            host: &host,
            ..RenderOptions::new(input.release)
        };
        options.limits.stack_bytes = DEEP_TEMPLATE_BYTES;
        render(chart, &values, &options, sources, origins)
    });
    let release = match rendered {
        Ok(Ok(release)) => release,
        Err(error) => {
            let diagnostic = Diagnostic::error(
                "chart-thread",
                format!("failed to start a thread for this chart: {error}"),
            );
            session.report(
                diagnostic
                    .at(input.loaded.place)
                    .hint("allow more threads or memory"),
            );
            return;
        }
        Ok(Err(error)) => {
            let diagnostic = error.into_diagnostic();
            let is_placed = !diagnostic.labels.is_empty();
            session.report(if is_placed {
                diagnostic.label(input.loaded.place, "of this chart")
            } else {
                diagnostic.at(input.loaded.place)
            });
            return;
        }
    };
    for warning in &release.warnings {
        session.report(warning.clone());
    }
    let (plain, hooks) = (output.objects.len(), output.hooks.len());
    add_objects(&release, output, session);
    let secrets = host.asked();
    let hooks = output.hooks.iter().skip(hooks).map(|(node, _)| node);
    let shown: Vec<&Node> = output.objects.iter().skip(plain).chain(hooks).collect();
    check_secrets(
        &secrets,
        &shown,
        &release.hooks,
        input.loaded.place,
        session,
    );
    output.secrets.extend(secrets);
    drop_idle_namespaces(output, others);
}

/// Adds definitions, objects and hooks of a release.
fn add_objects(release: &Release, output: &mut LayerOutput, session: &mut Session) {
    for crd in &release.crds {
        let bytes = match crd.bytes() {
            Ok(bytes) => bytes,
            Err(error) => {
                session.report(error.into_explained());
                continue;
            }
        };
        let text = RenderedText {
            title: &crd.path,
            bytes,
            document: None,
            is_of_release: false,
        };
        for document in text.documents(session) {
            output.objects.extend(object::expand(document, session));
        }
    }
    for document in &release.documents {
        let title = format!("{} (rendered)", document.path());
        let text = RenderedText {
            title: &title,
            bytes: document.bytes(),
            document: Some(document),
            is_of_release: true,
        };
        for node in text.documents(session) {
            output.objects.extend(object::expand(node, session));
        }
    }
    add_hooks(&release.hooks, output, session);
}

/// Each secret that templates were given a text for must be in one of the objects as it is.
fn check_secrets(
    secrets: &BTreeMap<VariableName, SecretRef>,
    objects: &[&Node],
    hooks: &[Hook],
    place: Option<Span>,
    session: &mut Session,
) {
    for (name, secret) in secrets {
        if !is_whole(&secret_placeholder(name), objects, hooks) {
            session.report(swallowed(secret).at(place));
        }
    }
}

/// The text that stands for a secret is in one of the objects, or in a hook that no plan has.
fn is_whole(placeholder: &str, objects: &[&Node], hooks: &[Hook]) -> bool {
    objects.iter().any(|node| shows(node, placeholder))
        || hooks
            .iter()
            .any(|hook| is_in_text(hook.document.bytes(), placeholder))
}

/// A template made something else of the text that stands for a secret, so nothing can be put in its place.
fn swallowed(secret: &SecretRef) -> Diagnostic {
    let SecretRef {
        namespace,
        name,
        key,
    } = secret;
    Diagnostic::error(
        "chart-secret",
        format!("the value `{key}` of the Secret `{namespace}/{name}` is to be put in when the bundle is applied, but the templates hash it, cut it or change its letters"),
    )
    .hint("give `value` or `seeded` for this call, or a value of the chart that names an existing Secret")
}

fn add_hooks(hooks: &[Hook], output: &mut LayerOutput, session: &mut Session) {
    for hook in hooks {
        let document = &hook.document;
        let fate = fate_of(hook);
        if matches!(fate, Fate::Test) {
            continue;
        }
        let title = format!("{} (rendered)", document.path());
        let text = RenderedText {
            title: &title,
            bytes: document.bytes(),
            document: Some(document),
            is_of_release: false,
        };
        for node in text.documents(session) {
            for node in object::expand(node, session) {
                match &fate {
                    Fate::Planned(hook) => output.hooks.push((node, hook.clone())),
                    Fate::LeftOut(events) => output.left_out.push(LeftOut {
                        id: object::identify(&node),
                        events: events.clone(),
                    }),
                    Fate::Test => {}
                }
            }
        }
    }
}

fn capabilities(input: &ChartInput<'_>, session: &mut Session) -> Option<Capabilities> {
    let mut capabilities = Capabilities::default_of_helm(Dialect::Helm4);
    let version = format!("v{}", input.target.kubernetes);
    match KubeVersion::parse(&version) {
        Ok(version) => capabilities.kube_version = version,
        Err(error) => {
            session.report(
                Diagnostic::error(
                    "kubernetes-version",
                    format!("charts cannot be rendered for Kubernetes {version}: {error}"),
                )
                .at(input.loaded.place),
            );
            return None;
        }
    }
    for api in input.apis.iter() {
        if !capabilities.api_versions.contains(api) {
            capabilities.api_versions.push(api.clone());
        }
    }
    Some(capabilities)
}

/// Kubernetes drops the namespace of an object that belongs to the cluster; charts and templates of
/// the world of Helm rely on it. `others` objects that stand before are left alone.
pub(crate) fn drop_idle_namespaces(output: &mut LayerOutput, others: usize) {
    let mut scopes = CustomScopes::default();
    for node in &output.objects {
        scopes.learn(node);
    }
    let hooks = output.hooks.iter_mut().map(|(node, _)| node);
    for node in output.objects.iter_mut().skip(others).chain(hooks) {
        let id = object::identify(node);
        if id.namespace.is_some()
            && scopes.scope(id.group(), &id.kind) == Scope::Cluster
            && let Some(map) = node.as_map_mut()
            && let Some(metadata) = map.get_mut("metadata").and_then(Node::as_map_mut)
        {
            metadata.remove("namespace");
        }
    }
}

/// Separates these hashes from all others.
const SEED_DOMAIN: &str = "cairn.dev/compile/v1";

/// The seed of a layer: it stays from version to version of a profile, and differs from cluster to
/// cluster. Anybody can compute it (`spec/chart.md` §1).
fn seed(input: &ChartInput<'_>) -> [u8; 32] {
    let name = |node: &Node| {
        let name = node.get("name").and_then(Node::as_str);
        name.unwrap_or_default().to_owned()
    };
    let mut hash = Sha256::new();
    for part in [
        SEED_DOMAIN,
        &name(&input.target.profile),
        &name(&input.target.cluster),
        input.layer.as_str(),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}
