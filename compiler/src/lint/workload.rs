//! Workloads: pinned images, requests and limits, probes, no more privilege than needed.

use cairn_spec::{Diagnostic, Diagnostics, Node, Value};

use crate::{
    Session,
    image::{containers, mutable_tag, pod_spec},
    object::Object,
};

/// Tags that move by custom, besides none at all.
const MOVING_TAGS: [&str; 8] = [
    "latest", "main", "master", "edge", "nightly", "dev", "stable", "canary",
];

pub(super) fn check(object: &Object, session: &Session, found: &mut Diagnostics) {
    let Some(pod) = pod_spec(object.id.group(), &object.node) else {
        return;
    };
    for key in ["hostNetwork", "hostPID", "hostIPC"] {
        if let Some(flag) = pod.get(key).filter(|flag| flag.value == Value::Bool(true)) {
            found.push(
                Diagnostic::warning(
                    "host-access",
                    format!("{} shares the host's namespace: `{key}`", object.id),
                )
                .at(session.span(flag)),
            );
        }
    }
    let is_init = |container: &Node| {
        let init = pod
            .get("initContainers")
            .and_then(Node::as_list)
            .unwrap_or_default();
        init.iter().any(|other| std::ptr::eq(other, container))
    };
    for container in containers(pod) {
        let name = container
            .get("name")
            .and_then(Node::as_str)
            .unwrap_or_default();
        let title = format!("container `{name}` of {}", object.id);
        check_image(container, &title, session, found);
        check_security(pod, container, &title, session, found);
        check_resources(container, &title, session, found);
        let long_running = matches!(
            object.id.kind.as_str(),
            "Deployment" | "DaemonSet" | "StatefulSet"
        );
        let probed =
            container.get("readinessProbe").is_some() || container.get("livenessProbe").is_some();
        if long_running && !probed && !is_init(container) {
            found.push(
                Diagnostic::warning("probe-missing", format!("{title} has no readiness or liveness probe, so nobody notices when it hangs"))
                    .at(session.span(container)),
            );
        }
    }
}

fn check_image(container: &Node, title: &str, session: &Session, found: &mut Diagnostics) {
    let Some(image) = container.get("image") else {
        return;
    };
    let Some(tag) = image.as_str().and_then(mutable_tag) else {
        return;
    };
    if MOVING_TAGS.contains(&tag) {
        let reference = image.as_str().unwrap_or_default();
        found.push(
            Diagnostic::warning(
                "image-tag-mutable",
                format!("{title} uses `{reference}`, whose tag `{tag}` moves"),
            )
            .at(session.span(image))
            .hint("name a version, best with a digest"),
        );
    }
}

fn check_security(
    pod: &Node,
    container: &Node,
    title: &str,
    session: &Session,
    found: &mut Diagnostics,
) {
    let of_container = |key: &str| container.at(&["securityContext", key]);
    if let Some(privileged) =
        of_container("privileged").filter(|flag| flag.value == Value::Bool(true))
    {
        found.push(
            Diagnostic::warning("host-access", format!("{title} is privileged"))
                .at(session.span(privileged)),
        );
    }
    let setting = |key: &str| of_container(key).or_else(|| pod.at(&["securityContext", key]));
    let non_root = setting("runAsNonRoot").is_some_and(|flag| flag.value == Value::Bool(true))
        || setting("runAsUser")
            .and_then(|user| user.value.as_int())
            .is_some_and(|user| user > 0);
    if !non_root {
        found.push(
            Diagnostic::warning("root-user", format!("{title} may run as root"))
                .at(session.span(container))
                .hint("set `securityContext.runAsNonRoot: true`, and `runAsUser` if the image names none"),
        );
    }
}

fn check_resources(container: &Node, title: &str, session: &Session, found: &mut Diagnostics) {
    let has = |list: &str, resource: &str| container.at(&["resources", list, resource]).is_some();
    let missing: Vec<&str> = ["cpu", "memory"]
        .into_iter()
        .filter(|resource| !has("requests", resource))
        .collect();
    if !missing.is_empty() {
        found.push(
            Diagnostic::warning(
                "requests-missing",
                format!("{title} requests no {}", missing.join(" and no ")),
            )
            .at(session.span(container))
            .hint("set `resources.requests`, so that the scheduler knows what it needs"),
        );
    }
    if !has("limits", "memory") {
        found.push(
            Diagnostic::warning("limits-missing", format!("{title} has no memory limit"))
                .at(session.span(container))
                .hint("set `resources.limits.memory`"),
        );
    }
}
