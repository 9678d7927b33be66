//! The order of merged lists.

/// Puts items of a patch and items that only the object has into one list.
///
/// Each side keeps its order. Where both are known to the object, the one that stood first there
/// comes first; an item that is new comes as early as its neighbours in the patch allow. This is
/// what Kubernetes does, so `kubectl patch` gives the same order.
pub(super) fn interleave<T>(
    patched: Vec<T>,
    others: Vec<T>,
    position: impl Fn(&T) -> Option<usize>,
) -> Vec<T> {
    let mut merged = Vec::with_capacity(patched.len() + others.len());
    let mut others = others.into_iter().peekable();
    for item in patched {
        if let Some(own) = position(&item) {
            let stood_first = |other: &T| position(other).is_some_and(|other| other < own);
            while let Some(other) = others.next_if(stood_first) {
                merged.push(other);
            }
        }
        merged.push(item);
    }
    merged.extend(others);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Merges a patch of letters into `abc`.
    fn order(patch: &str) -> String {
        let original = "abc";
        let others = original.chars().filter(|c| !patch.contains(*c)).collect();
        interleave(patch.chars().collect(), others, |c| original.find(*c))
            .into_iter()
            .collect()
    }

    #[test]
    fn kubectl_patch_gives_the_same_order() {
        let cases = [
            ("n", "nabc"),
            ("b", "abc"),
            ("ca", "bca"),
            ("na", "nabc"),
            ("an", "anbc"),
            ("bn", "abnc"),
            ("nb", "nabc"),
            ("cba", "cba"),
            ("", "abc"),
        ];
        for (patch, expected) in cases {
            assert_eq!(order(patch), expected, "{patch}");
        }
    }
}
