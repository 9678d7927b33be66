//! The functions of Go templates: one table, one small file a family.
//!
//! # How to add a function
//!
//! 1. Write it in the family it belongs to, as `fn(&mut Call<'_, '_>) -> Outcome<Value>`. Its
//!    arguments come from the [`Call`]: [`Call::value`] for anything, [`Call::text`] for a text
//!    that becomes part of the result byte for byte, [`Call::read_text`] for one that the
//!    result only depends on, [`Call::integer`] and so on. The caller has checked that each is
//!    of the type that the table names, so a `String` parameter always is a text; `Any` may be
//!    nil. What is asked for through the call counts as used, and [`Call::computed`],
//!    [`Call::chosen`], [`Call::listed`] and their like give the result with its origins.
//! 2. Add a line to the family's table: its name, its parameters as Go declares them, `..` and a
//!    parameter for Go's `...`, and the function:
//!
//!    ```text
//!    pub(super) static FUNCTIONS: &[Function] = &functions![
//!        "trunc" (Int, String) => trunc;
//!        "list" (.. Any) => list;
//!        "printf" (String, .. Any) => printf;
//!    ];
//!    ```
//! 3. A new family is a file beside this one and its table a line in [`FAMILIES`]. Where two
//!    tables have a function of the same name, the later one counts.
//!
//! What a function says is wrong ([`Call::failure`]) is shown as Go does: `error calling NAME:
//! …`. Functions are pure: no clock, no randomness, no files. What Go's counterpart takes from
//! there, a function asks [`Call::generation`] for. Texts are bytes: `len "é"` is 2.

mod builtins;
mod cases;
mod choice;
mod comparison;
mod conversions;
mod counting;
mod crypto;
mod cuts;
mod dates;
mod decimal;
mod dicts;
mod encodings;
mod escape;
mod formats;
mod helm;
mod joins;
mod layout;
mod lists;
mod maps;
mod math;
mod merge;
mod parts;
mod paths;
mod random;
mod reflection;
mod regexes;
mod searches;
mod seed;
mod urls;
mod versions;
mod wraps;

use crate::{
    call::Call,
    state::Outcome,
    value::{Parameter, Value},
};

/// One function.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Parameter],
    /// What may follow, any number of times.
    pub(crate) variadic: Option<Parameter>,
    pub(crate) evaluation: Evaluation,
    pub(crate) run: fn(&mut Call<'_, '_>) -> Outcome<Value>,
}

/// When the arguments are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evaluation {
    /// All before the call.
    Eager,
    /// One by one, until one has this truth, which then is the result.
    UntilTruth(bool),
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A table of functions: `"name" (Parameter, .. Variadic) => function;`.
macro_rules! functions {
    ($($name:literal ($($parameter:ident),* $(,)? $(.. $variadic:ident)?) => $run:path;)*) => {
        [$($crate::functions::Function {
            name: $name,
            parameters: &[$($crate::value::Parameter::$parameter),*],
            variadic: functions!(@variadic $($variadic)?),
            evaluation: $crate::functions::Evaluation::Eager,
            run: $run,
        }),*]
    };
    (@variadic) => { None };
    (@variadic $variadic:ident) => { Some($crate::value::Parameter::$variadic) };
}
pub(crate) use functions;

/// All families; a function replaces those of the same name before it.
static FAMILIES: &[&[Function]] = &[
    builtins::FUNCTIONS,
    cases::FUNCTIONS,
    choice::FUNCTIONS,
    comparison::FUNCTIONS,
    conversions::FUNCTIONS,
    counting::FUNCTIONS,
    crypto::FUNCTIONS,
    cuts::FUNCTIONS,
    dates::FUNCTIONS,
    decimal::FUNCTIONS,
    dicts::FUNCTIONS,
    encodings::FUNCTIONS,
    escape::FUNCTIONS,
    formats::FUNCTIONS,
    helm::FUNCTIONS,
    joins::FUNCTIONS,
    layout::FUNCTIONS,
    lists::FUNCTIONS,
    maps::FUNCTIONS,
    math::FUNCTIONS,
    merge::FUNCTIONS,
    paths::FUNCTIONS,
    random::FUNCTIONS,
    reflection::FUNCTIONS,
    regexes::FUNCTIONS,
    searches::FUNCTIONS,
    urls::FUNCTIONS,
    versions::FUNCTIONS,
    wraps::FUNCTIONS,
];

/// All functions by their names, in a table that is made when this is compiled: to make it at each
/// start would take as long as to parse a small template.
static BY_NAME: Names = Names::of(FAMILIES);

struct Names {
    functions: [&'static Function; MOST_FUNCTIONS],
    count: u8,
    /// For the hash of a name, or the next free place behind it, one more than the function's
    /// number; nothing is 0.
    slots: [u8; SLOTS],
}

const MOST_FUNCTIONS: usize = 255;
/// Four times as many as there are functions, so that names seldom meet.
const SLOTS: usize = 1024;

impl Names {
    const fn of(families: &'static [&'static [Function]]) -> Self {
        let mut names = Self {
            functions: [&families[0][0]; MOST_FUNCTIONS],
            count: 0,
            slots: [0; SLOTS],
        };
        let mut family = 0;
        while family < families.len() {
            let mut index = 0;
            while index < families[family].len() {
                names.insert(&families[family][index]);
                index += 1;
            }
            family += 1;
        }
        names
    }

    const fn insert(&mut self, function: &'static Function) {
        let slot = self.slot(function.name.as_bytes());
        if self.slots[slot] == 0 {
            self.count += 1;
            self.slots[slot] = self.count;
        }
        self.functions[self.slots[slot] as usize - 1] = function;
    }

    /// The slot of a name, or the one where it would be.
    const fn slot(&self, name: &[u8]) -> usize {
        let mut slot = hash(name);
        while self.slots[slot] != 0 {
            let known = self.functions[self.slots[slot] as usize - 1];
            if are_equal(known.name.as_bytes(), name) {
                break;
            }
            slot = (slot + 1) % SLOTS;
        }
        slot
    }
}

/// FNV-1a, which is fast for short names.
const fn hash(name: &[u8]) -> usize {
    let mut hash = 0x811c_9dc5_u32;
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash ^ (hash >> 16)) as usize % SLOTS
}

const fn are_equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// A function, by its place among all: parsed templates hold many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FunctionId(u8);

impl FunctionId {
    pub(crate) fn function(self) -> &'static Function {
        BY_NAME.functions[usize::from(self.0)]
    }
}

/// The function of that name.
pub(crate) fn find(name: &str) -> Option<FunctionId> {
    let slot = BY_NAME.slot(name.as_bytes());
    BY_NAME.slots[slot].checked_sub(1).map(FunctionId)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{BY_NAME, find};

    /// What templates of Helm 4.2.3 can call: Go's own functions, Sprig's without `env` and
    /// `expandenv`, and Helm's.
    const HELM: &str = "
        abbrev abbrevboth add add1 add1f addf adler32sum ago all and any append atoi b32dec b32enc
        b64dec b64enc base bcrypt biggest buildCustomCert call camelcase cat ceil chunk clean coalesce
        compact concat contains date dateInZone dateModify date_in_zone date_modify decryptAES deepCopy
        deepEqual default derivePassword dict dig dir div divf duration durationRound empty encryptAES
        eq ext fail first float64 floor fromJson fromJsonArray fromToml fromYaml fromYamlArray ge genCA
        genCAWithKey genPrivateKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert
        genSignedCertWithKey get getHostByName gt has hasKey hasPrefix hasSuffix hello html htmlDate
        htmlDateInZone htpasswd include indent index initial initials int int64 isAbs join js kebabcase
        keys kindIs kindOf last le len list lookup lower lt max maxf merge mergeOverwrite min minf mod
        mul mulf mustAppend mustChunk mustCompact mustDateModify mustDeepCopy mustFirst mustFromJson
        mustHas mustInitial mustLast mustMerge mustMergeOverwrite mustPrepend mustPush mustRegexFind
        mustRegexFindAll mustRegexMatch mustRegexReplaceAll mustRegexReplaceAllLiteral mustRegexSplit
        mustRest mustReverse mustSlice mustToDate mustToJson mustToPrettyJson mustToRawJson mustToToml
        mustToYaml mustUniq mustWithout must_date_modify ne nindent nospace not now omit or osBase
        osClean osDir osExt osIsAbs pick pluck plural prepend print printf println push quote randAlpha
        randAlphaNum randAscii randBytes randInt randNumeric regexFind regexFindAll regexMatch
        regexQuoteMeta regexReplaceAll regexReplaceAllLiteral regexSplit repeat replace required rest
        reverse round semver semverCompare seq set sha1sum sha256sum sha512sum shuffle slice snakecase
        sortAlpha split splitList splitn squote sub subf substr swapcase ternary title toDate toDecimal
        toJson toPrettyJson toRawJson toString toStrings toToml toYaml toYamlPretty tpl trim trimAll
        trimPrefix trimSuffix trimall trunc tuple typeIs typeIsLike typeOf uniq unixEpoch unset until
        untilStep untitle upper urlJoin urlParse urlquery uuidv4 values without wrap wrapWith
    ";

    #[test]
    fn the_functions_are_those_of_helm() {
        let helm: BTreeSet<&str> = HELM.split_whitespace().collect();
        let all = &BY_NAME.functions[..usize::from(BY_NAME.count)];
        let ours: BTreeSet<&str> = all.iter().map(|function| function.name).collect();
        assert_eq!(ours.len(), all.len());
        for name in &ours {
            let found = find(name).map(|found| found.function().name);
            assert_eq!(found, Some(*name));
        }
        assert!(find("").is_none() && find("unknown").is_none());
        assert_eq!(helm.len(), 240);
        let missing: Vec<_> = helm.difference(&ours).collect();
        let unknown: Vec<_> = ours.difference(&helm).collect();
        assert!(
            missing.is_empty() && unknown.is_empty(),
            "missing: {missing:?}, unknown to Helm: {unknown:?}"
        );
    }
}
