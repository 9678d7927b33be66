//! The drafts of JSON Schema: which keywords hold schemas, and the schema of schemas.

use std::sync::{Arc, LazyLock};

use referencing::meta;
use serde_json::Value;

/// A draft. The one that schemas are read by which do not name any is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Year2019,
    #[default]
    Year2020,
}

/// Where below a keyword schemas are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is one.
    Itself,
    /// Each value of its object.
    Values,
    /// Each item of its array.
    Items,
}

use Place::{Items, Itself, Values};

const KEYWORDS: &[(Draft, &str, Place)] = &[
    (Draft::Four, "definitions", Values),
    (Draft::Four, "not", Itself),
    (Draft::Four, "allOf", Items),
    (Draft::Four, "anyOf", Items),
    (Draft::Four, "oneOf", Items),
    (Draft::Four, "properties", Values),
    (Draft::Four, "additionalProperties", Itself),
    (Draft::Four, "patternProperties", Values),
    (Draft::Four, "items", Itself),
    (Draft::Four, "items", Items),
    (Draft::Four, "additionalItems", Itself),
    (Draft::Four, "dependencies", Values),
    (Draft::Six, "propertyNames", Itself),
    (Draft::Six, "contains", Itself),
    (Draft::Seven, "if", Itself),
    (Draft::Seven, "then", Itself),
    (Draft::Seven, "else", Itself),
    (Draft::Year2019, "$defs", Values),
    (Draft::Year2019, "dependentSchemas", Values),
    (Draft::Year2019, "unevaluatedProperties", Itself),
    (Draft::Year2019, "unevaluatedItems", Itself),
    (Draft::Year2019, "contentSchema", Itself),
    (Draft::Year2020, "prefixItems", Items),
];

impl Draft {
    /// The draft that a `$schema` names.
    pub(super) fn from_url(url: &str) -> Option<Self> {
        let url = url.strip_suffix('#').unwrap_or(url);
        let name = url
            .strip_prefix("http://")
            .or(url.strip_prefix("https://"))
            .unwrap_or(url);
        Some(match name {
            "json-schema.org/draft-04/schema" => Self::Four,
            "json-schema.org/draft-06/schema" => Self::Six,
            "json-schema.org/draft-07/schema" => Self::Seven,
            "json-schema.org/draft/2019-09/schema" => Self::Year2019,
            "json-schema.org/draft/2020-12/schema" | "json-schema.org/schema" => Self::Year2020,
            _ => return None,
        })
    }

    /// The address of the draft's schema of schemas.
    pub(super) fn url(self) -> &'static str {
        match self {
            Self::Four => "http://json-schema.org/draft-04/schema",
            Self::Six => "http://json-schema.org/draft-06/schema",
            Self::Seven => "http://json-schema.org/draft-07/schema",
            Self::Year2019 => "https://json-schema.org/draft/2019-09/schema",
            Self::Year2020 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// The keyword that gives a schema its own address.
    pub(super) fn id_keyword(self) -> &'static str {
        match self {
            Self::Four => "id",
            _ => "$id",
        }
    }

    /// The keywords that hold schemas.
    pub(super) fn keywords(self) -> impl Iterator<Item = (&'static str, Place)> {
        KEYWORDS
            .iter()
            .filter(move |(since, ..)| *since <= self)
            .map(|(_, keyword, place)| (*keyword, *place))
    }
}

/// What `https://json-schema.org/` has under an address.
pub(super) fn published(url: &str) -> Option<Arc<Value>> {
    let path = url
        .strip_prefix("http://json-schema.org/")
        .or(url.strip_prefix("https://json-schema.org/"))?;
    let schema: &LazyLock<Arc<Value>> = match path {
        "draft-04/schema" => &meta::DRAFT4,
        "draft-06/schema" => &meta::DRAFT6,
        "draft-07/schema" => &meta::DRAFT7,
        "draft/2019-09/schema" => &meta::DRAFT201909,
        "draft/2019-09/meta/core" => &meta::DRAFT201909_CORE,
        "draft/2019-09/meta/applicator" => &meta::DRAFT201909_APPLICATOR,
        "draft/2019-09/meta/validation" => &meta::DRAFT201909_VALIDATION,
        "draft/2019-09/meta/meta-data" => &meta::DRAFT201909_META_DATA,
        "draft/2019-09/meta/format" => &meta::DRAFT201909_FORMAT,
        "draft/2019-09/meta/content" => &meta::DRAFT201909_CONTENT,
        "draft/2020-12/schema" | "schema" => &meta::DRAFT202012,
        "draft/2020-12/meta/core" => &meta::DRAFT202012_CORE,
        "draft/2020-12/meta/applicator" => &meta::DRAFT202012_APPLICATOR,
        "draft/2020-12/meta/unevaluated" => &meta::DRAFT202012_UNEVALUATED,
        "draft/2020-12/meta/validation" => &meta::DRAFT202012_VALIDATION,
        "draft/2020-12/meta/meta-data" => &meta::DRAFT202012_META_DATA,
        "draft/2020-12/meta/format-annotation" => &meta::DRAFT202012_FORMAT_ANNOTATION,
        "draft/2020-12/meta/format-assertion" => &meta::DRAFT202012_FORMAT_ASSERTION,
        "draft/2020-12/meta/content" => &meta::DRAFT202012_CONTENT,
        _ => return None,
    };
    Some(Arc::clone(schema))
}
