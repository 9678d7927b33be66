//! The order of layers: by kind, then as the profile lists them, unless one needs another first.

use cairn_spec::{Diagnostic, LayerKind, LayerName, PlanEdge, Span};

use crate::{Session, constraints::Requirement};

/// A layer to put in order.
#[derive(Debug, Clone)]
pub(crate) struct Ordered<'a> {
    pub(crate) name: &'a LayerName,
    pub(crate) kind: LayerKind,
    pub(crate) span: Option<Span>,
}

/// The indices of `layers` in the order to install them, and the edges that say why.
pub(crate) fn order(
    layers: &[Ordered<'_>],
    requirements: &[Requirement],
    session: &mut Session,
) -> (Vec<usize>, Vec<PlanEdge>) {
    let index_of = |name: &LayerName| layers.iter().position(|layer| layer.name == name);
    let hard: Vec<(usize, usize, &str)> = requirements
        .iter()
        .filter_map(|requirement| {
            Some((
                index_of(&requirement.needs)?,
                index_of(&requirement.layer)?,
                requirement.reason.as_str(),
            ))
        })
        .filter(|(from, to, _)| from != to)
        .collect();
    let mut done: Vec<usize> = Vec::new();
    let mut left: Vec<usize> = (0..layers.len()).collect();
    left.sort_by_key(|&index| (layers[index].kind, index));
    while !left.is_empty() {
        let ready = left.iter().position(|&index| {
            hard.iter()
                .all(|(from, to, _)| *to != index || done.contains(from))
        });
        let next = ready.unwrap_or_else(|| {
            report_loop(layers, &left, &hard, session);
            0
        });
        done.push(left.remove(next));
        if ready.is_none() {
            done.append(&mut left);
        }
    }
    let edges = edges(layers, &done, &hard);
    (done, edges)
}

fn report_loop(
    layers: &[Ordered<'_>],
    left: &[usize],
    hard: &[(usize, usize, &str)],
    session: &mut Session,
) {
    // Every layer that is left waits for another one that is left; following the waits finds the loop.
    let mut path = vec![left[0]];
    loop {
        let here = path[path.len() - 1];
        let Some((from, ..)) = hard
            .iter()
            .find(|(from, to, _)| *to == here && left.contains(from))
        else {
            return;
        };
        if let Some(start) = path.iter().position(|index| index == from) {
            let mut names: Vec<&str> = path[start..]
                .iter()
                .map(|&index| layers[index].name.as_str())
                .collect();
            names.push(layers[*from].name.as_str());
            let mut diagnostic = Diagnostic::error(
                "layer-cycle",
                format!("layers need each other in a loop: {}", names.join(" → ")),
            );
            for (position, &index) in path[start..].iter().enumerate() {
                let next = path[start..].get(position + 1).copied().unwrap_or(*from);
                let reason = hard
                    .iter()
                    .find(|(needed, by, _)| (*needed, *by) == (next, index))
                    .map_or("", |(.., reason)| reason);
                let words = format!("needs `{}`: {reason}", layers[next].name);
                diagnostic = diagnostic.label(layers[index].span, words);
            }
            session.report(diagnostic.hint("break the loop at one of these places"));
            return;
        }
        path.push(*from);
    }
}

/// Hard edges for requirements, and soft ones between neighbours of different kinds.
fn edges(layers: &[Ordered<'_>], order: &[usize], hard: &[(usize, usize, &str)]) -> Vec<PlanEdge> {
    let edge = |from: usize, to: usize, reason: String, hard| PlanEdge {
        from: layers[from].name.clone(),
        to: layers[to].name.clone(),
        reason,
        hard,
    };
    let mut edges: Vec<PlanEdge> = Vec::new();
    for (from, to, reason) in hard {
        let new = edge(*from, *to, (*reason).to_owned(), true);
        if !edges.contains(&new) {
            edges.push(new);
        }
    }
    for pair in order.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let related = hard.iter().any(|(a, b, _)| (*a, *b) == (from, to));
        if !related {
            let (first, second) = (layers[from].kind, layers[to].kind);
            let reason = if first == second {
                "order of the profile".to_owned()
            } else {
                format!("{first} before {second}")
            };
            edges.push(edge(from, to, reason, false));
        }
    }
    let position = |name: &LayerName| order.iter().position(|&index| layers[index].name == name);
    edges.sort_by(|a, b| {
        (position(&a.to), position(&a.from), &a.reason).cmp(&(
            position(&b.to),
            position(&b.from),
            &b.reason,
        ))
    });
    edges
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn ordered(layers: &[(&str, LayerKind)], needs: &[(&str, &str)]) -> String {
        let names: Vec<LayerName> = layers
            .iter()
            .map(|(name, _)| name.parse().unwrap())
            .collect();
        let layers: Vec<Ordered<'_>> = names
            .iter()
            .zip(layers)
            .map(|(name, (_, kind))| Ordered {
                name,
                kind: *kind,
                span: None,
            })
            .collect();
        let requirements: Vec<Requirement> = needs
            .iter()
            .map(|(layer, needs)| Requirement {
                layer: layer.parse().unwrap(),
                needs: needs.parse().unwrap(),
                reason: "requires it".to_owned(),
            })
            .collect();
        let mut session = Session::default();
        let (order, edges) = order(&layers, &requirements, &mut session);
        let mut out = order
            .iter()
            .map(|&index| layers[index].name.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        for edge in edges {
            let hard = if edge.hard { " (hard)" } else { "" };
            let _ = write!(out, "\n{} -> {}: {}{hard}", edge.from, edge.to, edge.reason);
        }
        for diagnostic in session.diagnostics.iter() {
            let _ = write!(out, "\n{}", diagnostic.message);
        }
        out
    }

    #[test]
    fn layers_are_ordered_by_kind_then_need() {
        use LayerKind::{Addon, Cni, Os};
        insta::assert_snapshot!(ordered(&[("web", Addon), ("certs", Addon), ("net", Cni), ("os", Os)], &[("web", "certs")]), @"
        os net certs web
        os -> net: os before cni
        net -> certs: cni before addon
        certs -> web: requires it (hard)
        ");
        insta::assert_snapshot!(ordered(&[("a", Addon), ("b", Addon), ("c", Addon)], &[("a", "b"), ("b", "c"), ("c", "a")]), @"
        a b c
        b -> a: requires it (hard)
        a -> b: order of the profile
        c -> b: requires it (hard)
        a -> c: requires it (hard)
        b -> c: order of the profile
        layers need each other in a loop: a → b → c → a
        ");
    }
}
