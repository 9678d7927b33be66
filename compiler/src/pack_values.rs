//! The values of a pack: its defaults, its presets, and the schema that all values must fit.

use cairn_spec::{Diagnostic, Diagnostics, Node, PresetName, Schema, Span, suggest};

use crate::{Session, pack::Pack, values::merge};

/// The defaults of a pack under its chosen presets: groups in order of their names, then by preset.
pub(crate) fn pack_values(
    pack: &Pack,
    presets: &[(PresetName, Option<Span>)],
    session: &mut Session,
) -> Node {
    let mut chosen = Vec::new();
    for (name, span) in presets {
        if let Some((name, preset)) = pack.presets.get_key_value(name) {
            chosen.push((preset.group.as_deref(), name, preset, *span));
            continue;
        }
        let message = format!(
            "pack `{}` has no preset `{name}`",
            pack.manifest.metadata.name
        );
        let known = pack.presets.keys().map(PresetName::as_str);
        session.report(
            Diagnostic::error("preset-undefined", message)
                .at(*span)
                .maybe_hint(suggest(name.as_str(), known)),
        );
    }
    chosen.sort_by_key(|(group, name, ..)| (*group, *name));
    for pair in chosen.windows(2) {
        if let [
            (Some(group), first, _, first_span),
            (Some(other), second, _, second_span),
        ] = pair
            && group == other
        {
            session.report(
                Diagnostic::error(
                    "preset-group",
                    format!("presets `{first}` and `{second}` are both of group `{group}`"),
                )
                .at(*second_span)
                .label(*first_span, "the other one is here")
                .hint("choose one of the two"),
            );
        }
    }
    chosen
        .into_iter()
        .fold(pack.values.clone(), |low, (_, _, preset, _)| {
            merge(low, preset.values.clone(), pack.schema.as_ref(), session)
        })
}

/// Checks merged values against the pack's schema.
pub(crate) fn check_values(values: &Node, schema: Option<&Schema>, session: &mut Session) {
    if let Some(schema) = schema {
        let Session {
            origins,
            diagnostics,
            ..
        } = session;
        let mut found = Diagnostics::new();
        schema.check(values, origins, "values-schema", &mut found);
        // A value of the wrong kind was reported where it was merged.
        let is_known = |new: &Diagnostic| {
            diagnostics.iter().any(|old| {
                old.code == "values-kind-change"
                    && old.labels.first().map(|label| label.span)
                        == new.labels.first().map(|label| label.span)
            })
        };
        let new: Vec<Diagnostic> = found
            .into_iter()
            .filter(|finding| !is_known(finding))
            .collect();
        diagnostics.extend(new);
    }
}
