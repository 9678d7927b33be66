//! What functions do with what they are given, as far as linters want to know.

use super::Usage;

/// Functions that only ask what a value is, and take one that is missing.
const ASK: &[&str] = &[
    "empty",
    "eq",
    "ge",
    "gt",
    "hasKey",
    "kindIs",
    "kindOf",
    "le",
    "lt",
    "ne",
    "not",
    "typeIs",
    "typeIsLike",
    "typeOf",
];
/// Functions that only ask what a value is, and fail where it is missing.
const ASK_STRICTLY: &[&str] = &[
    "contains",
    "hasPrefix",
    "hasSuffix",
    "mustRegexMatch",
    "regexMatch",
    "semverCompare",
];
/// Functions that choose one of what they are given.
const CHOOSE: &[&str] = &["and", "coalesce", "default", "or", "required", "ternary"];
/// Functions that write what they are given, and so write nothing useful where it is missing.
const WRITE: &[&str] = &[
    "abbrev",
    "add",
    "add1",
    "atoi",
    "b64dec",
    "b64enc",
    "camelcase",
    "div",
    "float64",
    "html",
    "indent",
    "int",
    "int64",
    "join",
    "kebabcase",
    "lower",
    "mod",
    "mul",
    "nindent",
    "nospace",
    "print",
    "printf",
    "println",
    "quote",
    "replace",
    "sha256sum",
    "snakecase",
    "squote",
    "sub",
    "title",
    "toString",
    "trim",
    "trimAll",
    "trimPrefix",
    "trimSuffix",
    "trunc",
    "upper",
    "urlquery",
    "index",
];

/// How a function uses what it is given, where its result is used in this way.
pub(super) fn usage_of_argument(function: &str, result: Usage) -> Usage {
    let is = |functions: &[&str]| functions.contains(&function);
    if is(ASK) || is(ASK_STRICTLY) {
        return Usage {
            is_guarded: is(ASK),
            is_whole: false,
        };
    }
    Usage {
        is_guarded: result.is_guarded || !is(WRITE),
        is_whole: if is(CHOOSE) { result.is_whole } else { true },
    }
}
