//! The stack of layers as a picture: a cairn, the top layer first.

use std::fmt::Write as _;

use cairn_compiler::LayerSummary;
use cairn_spec::LayerKind;

use crate::output::count;

/// The width of the narrowest and of the widest stone.
const STONES: (usize, usize) = (6, 26);

/// Draws the layers as a stack of stones, each with its facts beside it.
pub(crate) fn stack(layers: &[LayerSummary], color: bool) -> String {
    let width = |select: fn(&LayerSummary) -> usize| layers.iter().map(select).max().unwrap_or(0);
    let name_width = width(|layer| layer.name.as_str().len());
    let pack_width = width(|layer| pack_of(layer).len());
    let mut text = String::from("\n");
    for (index, layer) in layers.iter().rev().enumerate() {
        let stone = stone(index, layers.len(), layer.kind, color);
        let digest = layer.digest.as_ref().map_or("-", cairn_spec::Digest::short);
        let mut content = count(layer.objects, "object");
        if layer.host_files > 0 {
            content = format!("{content}, {}", count(layer.host_files, "host file"));
        }
        let _ = writeln!(
            text,
            "  {stone}  {:<name_width$}  {:<pack_width$}  {digest:<12}  {content}",
            layer.name.as_str(),
            pack_of(layer)
        );
    }
    text
}

fn pack_of(layer: &LayerSummary) -> String {
    layer.pack.as_ref().map_or_else(
        || "manifests".to_owned(),
        |(name, version)| format!("{name} {version}"),
    )
}

/// A stone, centred; stones grow from the top to the bottom.
fn stone(index: usize, total: usize, kind: LayerKind, color: bool) -> String {
    let (narrow, wide) = STONES;
    let width = narrow + (wide - narrow) * index / total.saturating_sub(1).max(1);
    let (left, right) = ((wide - width) / 2, wide - width - (wide - width) / 2);
    let body = format!("({})", "█".repeat(width.saturating_sub(2)));
    let body = if color {
        format!("\x1b[{}m{body}\x1b[0m", shade(kind))
    } else {
        body
    };
    format!("{}{body}{}", " ".repeat(left), " ".repeat(right))
}

/// Greys, darker towards the ground (the 256-colour ramp).
fn shade(kind: LayerKind) -> &'static str {
    match kind {
        LayerKind::Os => "38;5;240",
        LayerKind::Kubernetes => "38;5;243",
        LayerKind::Cni => "38;5;246",
        LayerKind::Csi => "38;5;249",
        LayerKind::Addon => "38;5;252",
    }
}
