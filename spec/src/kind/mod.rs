//! The kinds of file that people and Cairn write: each with `apiVersion` and `kind`, unknown keys refused.

mod bundle;
mod cluster;
mod generated;
mod health;
mod host;
mod lock;
mod pack;
mod pack_test;
mod plan;
mod profile;

use std::{borrow::Cow, fmt};

use crate::agent::{DesiredState, Keyring};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, de::DeserializeOwned};

pub use bundle::{
    BundleChart, BundleImage, BundleLayer, BundleManifest, BundlePack, BundleProfile, BundleSecret,
    ImageList,
};
pub use cluster::{
    ClusterManifest, ClusterMetadata, ClusterOverride, ClusterProfile, ClusterSpec, SecretRef,
};
pub use generated::{GeneratedValue, GeneratedValues, GeneratedValuesManifest};
pub use health::HealthRule;
pub use host::{
    HostCommand, HostFile, HostPackage, HostPlan, HostPlanStep, HostRole, HostStep, HostSteps,
    HostUnit, UnitState,
};
pub use lock::{Lock, LockedChart, LockedPack, PackLock};
pub use pack::{
    Constraints, LayerKind, LintAllow, LintSettings, Maintainer, PackChart, PackConflict,
    PackConstraint, PackManifest, PackMetadata, PackRequirement, PackSpec, Platform,
    PresetManifest, PresetMetadata, PresetSpec, Provides,
};
pub use pack_test::{
    ExpectedDiagnostic, ExpectedObject, ObjectPattern, PackTest, PackTestExpect, PackTestMetadata,
    PackTestSpec,
};
pub use plan::{
    Gate, LeftOut, ObjectId, Plan, PlanEdge, PlanHook, PlanLayer, PlanObject, PlanStage, Stage,
};
pub use profile::{
    ImageMirror, LayerChart, LayerSpec, ProfileManifest, ProfileMetadata, ProfileSpec, ProfileType,
    ProfileUse, RegistrySpec, VariableSpec,
};

/// The only version of our formats so far.
pub const API_VERSION: &str = "cairn.dev/v1";

/// A kind of file.
pub trait Kind: DeserializeOwned + JsonSchema {
    /// The value of its `kind` key.
    const KIND: &'static str;
}

macro_rules! literal {
    ($(#[$doc:meta])* $name:ident = $text:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name;

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                if text == $text {
                    Ok(Self)
                } else {
                    Err(de::Error::custom(format!("expected `{}`, found `{text}`", $text)))
                }
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "const": $text })
            }
        }
    };
}

macro_rules! kinds {
    ($($marker:ident $file:ident = $text:literal;)*) => {
        $(
            literal!(
                /// The value of a `kind` key.
                $marker = $text
            );

            impl Kind for $file {
                const KIND: &'static str = $text;
            }
        )*

        /// The schema of every kind, by the name of its file under `spec/schemas/`.
        pub fn all_schemas() -> Vec<(String, serde_json::Value)> {
            vec![$((format!("{}.json", file_name($text)), crate::schema_of::<$file>())),*]
        }
    };
}

literal!(
    /// The value of an `apiVersion` key.
    ApiVersion = API_VERSION
);

kinds! {
    PackKind PackManifest = "Pack";
    PresetKind PresetManifest = "Preset";
    PackTestKind PackTest = "PackTest";
    HostStepsKind HostSteps = "HostSteps";
    ProfileKind ProfileManifest = "Profile";
    ClusterKind ClusterManifest = "Cluster";
    LockKind Lock = "Lock";
    PackLockKind PackLock = "PackLock";
    BundleKind BundleManifest = "Bundle";
    PlanKind Plan = "Plan";
    ImageListKind ImageList = "ImageList";
    HostPlanKind HostPlan = "HostPlan";
    GeneratedValuesKind GeneratedValuesManifest = "GeneratedValues";
    DesiredStateKind DesiredState = "DesiredState";
    KeyringKind Keyring = "Keyring";
}

/// Whether a value says nothing that its absence would not say.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `PackTest` is `pack-test`.
fn file_name(kind: &str) -> String {
    let mut name = String::new();
    for character in kind.chars() {
        if character.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}
