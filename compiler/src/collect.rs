//! Collects the objects of all layers: each gets its namespace and identity, none is there twice.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};

use cairn_spec::{Diagnostic, ObjectId, Stage};

use crate::{
    Session,
    object::{self, CustomScopes, Object, SYSTEM_NAMESPACES},
    plan::hook_stage,
    render::LayerOutput,
};

/// Where the objects of a layer go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home<'a> {
    /// The index of the layer.
    pub(crate) layer: usize,
    /// The namespace of namespaced objects that name none.
    pub(crate) namespace: Option<&'a str>,
    /// The labels of that namespace, when Cairn creates it.
    pub(crate) labels: &'a BTreeMap<String, String>,
}

/// Collects objects, layer by layer in order.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    scopes: CustomScopes,
    /// Namespaces that exist so far.
    namespaces: BTreeSet<String>,
    /// Indices in `objects`.
    known: HashMap<Identity, usize>,
    pub(crate) objects: Vec<Object>,
}

impl Collector {
    /// Learns which custom resources are namespaced; every layer first, since definitions may come later.
    pub(crate) fn learn(&mut self, output: &LayerOutput) {
        for node in &output.objects {
            self.scopes.learn(node);
        }
    }

    /// Adds the objects and hooks of a layer, and its namespace when they need it and nobody
    /// created it.
    pub(crate) fn add(&mut self, home: Home<'_>, output: &mut LayerOutput, session: &mut Session) {
        let objects = std::mem::take(&mut output.objects).into_iter();
        let hooks = std::mem::take(&mut output.hooks).into_iter();
        let all = objects
            .map(|node| (node, None))
            .chain(hooks.map(|(node, hook)| (node, Some(hook))));
        let mut needs_home = false;
        for (mut node, hook) in all {
            let id = object::identify(&node);
            let scope = self.scopes.scope(id.group(), &id.kind);
            object::settle_namespace(&mut node, scope, home.namespace, session);
            let id = object::identify(&node);
            needs_home |= id.namespace.is_some() && id.namespace.as_deref() == home.namespace;
            if id.kind == "Namespace" && id.group().is_empty() {
                self.namespaces.insert(id.name.clone());
            }
            self.push(
                Object {
                    layer: home.layer,
                    id,
                    node,
                    hook,
                },
                session,
            );
        }
        if let Some(name) = home.namespace.filter(|_| needs_home)
            && !SYSTEM_NAMESPACES.contains(&name)
            && self.namespaces.insert(name.to_owned())
        {
            let node = object::namespace_object(name, home.labels);
            self.push(
                Object {
                    layer: home.layer,
                    id: object::identify(&node),
                    node,
                    hook: None,
                },
                session,
            );
        }
    }

    fn push(&mut self, object: Object, session: &mut Session) {
        match self.known.entry(Identity::of(&object)) {
            Entry::Occupied(first) => {
                report_duplicate(&self.objects[*first.get()], &object, session);
            }
            Entry::Vacant(entry) => {
                entry.insert(self.objects.len());
                self.objects.push(object);
            }
        }
    }
}

/// What makes two objects the same one to Kubernetes: not the version. A hook is deleted before it
/// is made again, so it may have the name of an object that comes later, or of another hook.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Identity {
    group: String,
    kind: String,
    namespace: Option<String>,
    name: String,
    hook: Option<Stage>,
}

impl Identity {
    fn of(object: &Object) -> Self {
        let id: &ObjectId = &object.id;
        Self {
            hook: object.hook.as_ref().map(hook_stage),
            group: id.group().to_owned(),
            kind: id.kind.clone(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
        }
    }
}

/// Patches may rename objects; afterwards every object still has a name, and one of its own.
pub(crate) fn check_identities(objects: &[Object], session: &mut Session) {
    let mut known: HashMap<Identity, &Object> = HashMap::new();
    for object in objects {
        if !object::check_shape(&object.node, session) {
            continue;
        }
        if let Some(first) = known.insert(Identity::of(object), object) {
            report_duplicate(first, object, session);
        }
    }
}

fn report_duplicate(first: &Object, second: &Object, session: &mut Session) {
    let (first, again) = (session.span(&first.node), session.span(&second.node));
    let message = format!("{} is rendered twice", second.id);
    let diagnostic = Diagnostic::error("object-duplicate", message);
    session.report(if first.is_some() {
        diagnostic
            .label(again, "again here")
            .label(first, "first here")
            .hint("give one of them another name or namespace, or turn one off by a value")
    } else {
        diagnostic
            .label(again, "again here; an earlier layer needs it, so Cairn makes it")
            .hint("move it to the first layer that uses the namespace, or leave it out and give the pack `namespaceLabels`")
    });
}
