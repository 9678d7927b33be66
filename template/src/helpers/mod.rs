//! The helpers that Handlebars templates call: one table, one small file a family.
//! `spec/pack.md` §4 describes each helper for authors.

mod collections;
mod encoding;
mod logic;
mod math;
mod paths;
mod text;
mod version;
mod yaml;

use std::ops::RangeInclusive;

use crate::{call::Call, state::Outcome, value::Value};

/// One helper.
pub(crate) struct Helper {
    pub(crate) name: &'static str,
    /// What it takes, for messages: `n s`.
    pub(crate) parameters: &'static str,
    pub(crate) arity: RangeInclusive<usize>,
    pub(crate) run: fn(&mut Call<'_, '_>) -> Outcome<Value>,
}

/// The most arguments of a helper that takes any number.
const MANY: usize = usize::MAX;

macro_rules! helpers {
    ($($name:literal ($parameters:literal) $arity:expr => $run:path;)*) => {
        /// All helpers, sorted by family.
        static HELPERS: &[Helper] = &[
            $(Helper { name: $name, parameters: $parameters, arity: $arity, run: $run },)*
        ];
    };
}

helpers! {
    "toYaml" ("x") 1..=1 => yaml::to_yaml;
    "toJson" ("x") 1..=1 => yaml::to_json;
    "fromYaml" ("s") 1..=1 => yaml::from_yaml;
    "fromJson" ("s") 1..=1 => yaml::from_json;

    "indent" ("n s") 2..=2 => text::indent;
    "nindent" ("n s") 2..=2 => text::nindent;
    "quote" ("x") 1..=1 => text::quote;
    "squote" ("x") 1..=1 => text::squote;
    "string" ("x") 1..=1 => text::string;
    "join" ("sep l") 2..=2 => text::join;
    "split" ("sep s") 2..=2 => text::split;
    "replace" ("old new s") 3..=3 => text::replace;
    "lower" ("s") 1..=1 => text::lower;
    "upper" ("s") 1..=1 => text::upper;
    "trim" ("s") 1..=1 => text::trim;
    "trimPrefix" ("p s") 2..=2 => text::trim_prefix;
    "trimSuffix" ("p s") 2..=2 => text::trim_suffix;
    "trunc" ("n s") 2..=2 => text::trunc;
    "hasPrefix" ("p s") 2..=2 => text::has_prefix;
    "hasSuffix" ("p s") 2..=2 => text::has_suffix;

    "default" ("d x") 2..=2 => logic::default;
    "coalesce" ("a b …") 1..=MANY => logic::coalesce;
    "ternary" ("a b c") 3..=3 => logic::ternary;
    "required" ("message x") 2..=2 => logic::required;
    "fail" ("message") 1..=1 => logic::fail;
    "eq" ("a b …") 2..=MANY => logic::eq;
    "ne" ("a b") 2..=2 => logic::ne;
    "lt" ("a b") 2..=2 => logic::lt;
    "gt" ("a b") 2..=2 => logic::gt;
    "le" ("a b") 2..=2 => logic::le;
    "ge" ("a b") 2..=2 => logic::ge;
    "and" ("a b …") 1..=MANY => logic::and;
    "or" ("a b …") 1..=MANY => logic::or;
    "not" ("x") 1..=1 => logic::not;

    "add" ("a b …") 2..=MANY => math::add;
    "sub" ("a b …") 2..=MANY => math::sub;
    "mul" ("a b …") 2..=MANY => math::mul;
    "div" ("a b …") 2..=MANY => math::div;
    "mod" ("a b …") 2..=MANY => math::remainder;
    "min" ("a b …") 1..=MANY => math::min;
    "max" ("a b …") 1..=MANY => math::max;
    "int" ("x") 1..=1 => math::int;

    "get" ("map path [default]") 2..=3 => paths::get;
    "has" ("map path") 2..=2 => paths::has;

    "len" ("x") 1..=1 => collections::len;
    "list" ("a b …") 0..=MANY => collections::list;
    "dict" ("k v …") 0..=MANY => collections::dict;
    "keys" ("m") 1..=1 => collections::keys;
    "merge" ("a b …") 1..=MANY => collections::merge;
    "first" ("l") 1..=1 => collections::first;
    "last" ("l") 1..=1 => collections::last;
    "append" ("l x") 2..=2 => collections::append;
    "concat" ("a b …") 1..=MANY => collections::concat;
    "sortAlpha" ("l") 1..=1 => collections::sort_alpha;
    "uniq" ("l") 1..=1 => collections::uniq;
    "contains" ("haystack x") 2..=2 => collections::contains;

    "b64enc" ("s") 1..=1 => encoding::b64enc;
    "b64dec" ("s") 1..=1 => encoding::b64dec;
    "sha256" ("s") 1..=1 => encoding::sha256;

    "semver" ("range version") 2..=2 => version::semver;

    "include" ("name [context]") 1..=2 => text::include;
}

/// The helper of that name.
pub(crate) fn find(name: &str) -> Option<&'static Helper> {
    HELPERS.iter().find(|helper| helper.name == name)
}

/// All names, for "did you mean".
pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
    HELPERS.iter().map(|helper| helper.name)
}

impl Helper {
    /// What is wrong with that many arguments.
    pub(crate) fn check_count(&self, count: usize) -> Option<String> {
        if self.arity.contains(&count) {
            return None;
        }
        let (least, most) = (*self.arity.start(), *self.arity.end());
        let expected = match (least, most) {
            (1, 1) => "1 argument".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (1, MANY) => "at least 1 argument".to_owned(),
            (least, MANY) => format!("at least {least} arguments"),
            (least, most) => format!("{least} or {most} arguments"),
        };
        Some(format!("`{}` takes {expected}, found {count}", self.name))
    }
}
