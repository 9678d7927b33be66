//! The syntax of references in values: `${var.NAME}`, `${layer.NAME.PATH}`, `${cluster.…}`, `${profile.…}`.
//!
//! Any other `${…}` is somebody else's and passes untouched; `$${` is an escaped `${`.

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Plain text.
    Text(&'a str),
    /// A reference: its path, and the byte offset of its `$` in the text.
    Reference { path: &'a str, offset: usize },
}

const ROOTS: [&str; 4] = ["var.", "layer.", "cluster.", "profile."];

/// Splits a text into pieces; `$${` becomes `${`.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut plain_from = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let dollar = at + found;
        if text[..dollar].ends_with('$') {
            pieces.push(Piece::Text(&text[plain_from..dollar - 1]));
            plain_from = dollar;
            at = dollar + 2;
            continue;
        }
        let Some(length) = text[dollar..].find('}') else {
            break;
        };
        let path = &text[dollar + 2..dollar + length];
        at = dollar + length + 1;
        if ROOTS.iter().any(|root| path.starts_with(root)) {
            pieces.push(Piece::Text(&text[plain_from..dollar]));
            pieces.push(Piece::Reference {
                path,
                offset: dollar,
            });
            plain_from = at;
        }
    }
    pieces.push(Piece::Text(&text[plain_from..]));
    pieces.retain(|piece| *piece != Piece::Text(""));
    pieces
}

/// The offset of a reference that begins, but does not end.
pub(crate) fn never_closed(text: &str) -> Option<usize> {
    let start = text.rfind("${")?;
    let path = &text[start + 2..];
    let is_open = !path.contains('}')
        && !text[..start].ends_with('$')
        && ROOTS.iter().any(|root| path.starts_with(root));
    is_open.then_some(start)
}

/// The text may hold a reference or an escape.
pub(crate) fn may_refer(text: &str) -> bool {
    text.contains("${")
}

/// The whole text is one reference, so it takes the kind of what it refers to.
pub(crate) fn is_whole_reference(text: &str) -> bool {
    matches!(pieces(text).as_slice(), [Piece::Reference { .. }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_references_are_ours() {
        assert_eq!(
            pieces("a ${var.x}-${HOME} $${var.y} ${layer.cni.a.b}"),
            [
                Piece::Text("a "),
                Piece::Reference {
                    path: "var.x",
                    offset: 2
                },
                Piece::Text("-${HOME} "),
                Piece::Text("${var.y} "),
                Piece::Reference {
                    path: "layer.cni.a.b",
                    offset: 29
                },
            ]
        );
        assert!(
            is_whole_reference("${var.x}")
                && !is_whole_reference("${var.x} ")
                && !is_whole_reference("${HOME}")
        );
        assert_eq!(pieces("${var.x"), [Piece::Text("${var.x")]);
        assert_eq!(
            ["a ${var.x", "${var.x}", "$${var.x", "${HOME"].map(never_closed),
            [Some(2), None, None, None]
        );
        assert_eq!(
            pieces("{{ .Values.x }} $x"),
            [Piece::Text("{{ .Values.x }} $x")]
        );
    }
}
