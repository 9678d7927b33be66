//! Collects the objects of all layers: each gets its namespace and identity, none is there twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cairn_spec::{Diagnostic, Node, ObjectId};

use crate::{
    Session,
    object::{self, CustomScopes, Object, SYSTEM_NAMESPACES},
};

/// Where the objects of a layer go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home<'a> {
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
    /// The index in `objects` by group, kind, namespace and name.
    known: HashMap<(String, String, Option<String>, String), usize>,
    pub(crate) objects: Vec<Object>,
}

impl Collector {
    /// Learns which custom resources are namespaced; every layer first, since definitions may come later.
    pub(crate) fn learn(&mut self, nodes: &[Node]) {
        nodes.iter().for_each(|node| self.scopes.learn(node));
    }

    /// Adds the objects of a layer, and its namespace when they need it and nobody created it.
    pub(crate) fn add(
        &mut self,
        layer: usize,
        home: Home<'_>,
        nodes: Vec<Node>,
        session: &mut Session,
    ) {
        let mut needs_home = false;
        for mut node in nodes {
            let id = object::identify(&node);
            let scope = self.scopes.scope(id.group(), &id.kind);
            object::settle_namespace(&mut node, scope, home.namespace, session);
            let id = object::identify(&node);
            needs_home |= id.namespace.is_some() && id.namespace.as_deref() == home.namespace;
            if id.kind == "Namespace" && id.group().is_empty() {
                self.namespaces.insert(id.name.clone());
            }
            self.push(Object { layer, id, node }, session);
        }
        if let Some(name) = home.namespace.filter(|_| needs_home)
            && !SYSTEM_NAMESPACES.contains(&name)
            && self.namespaces.insert(name.to_owned())
        {
            let node = object::namespace_object(name, home.labels);
            self.push(
                Object {
                    layer,
                    id: object::identify(&node),
                    node,
                },
                session,
            );
        }
    }

    fn push(&mut self, object: Object, session: &mut Session) {
        let ObjectId {
            kind,
            namespace,
            name,
            ..
        } = object.id.clone();
        let key = (object.id.group().to_owned(), kind, namespace, name);
        if let Some(&first) = self.known.get(&key) {
            let first = session.span(&self.objects[first].node);
            session.report(
                Diagnostic::error(
                    "object-duplicate",
                    format!("{} is rendered twice", object.id),
                )
                .label(session.span(&object.node), "again here")
                .label(first, "first here")
                .hint("give one of them another name or namespace, or turn one off by a value"),
            );
            return;
        }
        self.known.insert(key, self.objects.len());
        self.objects.push(object);
    }
}
