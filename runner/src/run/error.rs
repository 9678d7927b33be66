//! Why a run ended.

use cairn_spec::{Digest, LayerName, ObjectId, SecretRef, VariableName};

use super::store::StoreError;
use crate::{
    bundle::BundleError,
    cluster::{ClusterError, Refusal, Unhealthy},
    inventory::Damage,
    journal::Refused,
    rights::Missing,
};

/// Why a run ended. What was done until then is remembered, and done by the next run if need be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The cluster does not do what it is asked to.
    #[error("failed to {doing}")]
    Cluster {
        /// What was attempted.
        doing: String,
        /// What it says.
        #[source]
        source: ClusterError,
    },
    /// The bundle cannot be read back.
    #[error("failed to read the bundle")]
    Bundle(#[from] BundleError),
    /// A secret that the bundle needs is not in the cluster.
    #[error("the bundle needs the secret `{variable}`, {}", place(reference.as_ref()))]
    SecretMissing {
        /// The variable that stands for it.
        variable: VariableName,
        /// Where the cluster should have it.
        reference: Option<SecretRef>,
    },
    /// Whoever runs it lacks rights, so nothing was begun.
    #[error("{} missing", rights(missing))]
    RightsMissing {
        /// Which.
        missing: Vec<Missing>,
    },
    /// The journal does not allow it.
    #[error(transparent)]
    Journal(#[from] Refused),
    /// The journal cannot be read.
    #[error("the journal in the cluster is damaged: {0}")]
    JournalDamaged(String),
    /// An inventory is another cluster's.
    #[error(transparent)]
    Inventory(#[from] Damage),
    /// What was applied last is another bundle, or not all of this one.
    #[error("`{0}` is not what was applied last, from end to end")]
    NotApplied(Digest),
    /// A bundle cannot be kept, or is not kept as it was.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object is there and not Cairn's.
    #[error("{id} is there already and is not Cairn's")]
    Foreign {
        /// The object.
        id: Box<ObjectId>,
    },
    /// An object has been deleted and does not go.
    #[error(
        "{id} is being deleted and does not go: something must finish what its finalizers ask for"
    )]
    Going {
        /// The object.
        id: Box<ObjectId>,
    },
    /// Another run is under way.
    #[error("`{holder}` is at work in this cluster: {doing}")]
    Busy {
        /// Whose run it is.
        holder: String,
        /// What it does.
        doing: String,
    },
    /// Another run has taken over, since this one seemed dead.
    #[error("`{by}` has taken over in this cluster")]
    TakenOver {
        /// Whose run it is.
        by: String,
    },
    /// The bundle failed, and the cluster has gone back.
    #[error("{failure}; went back to `{to}`")]
    RolledBack {
        /// The bundle that is there now.
        to: Digest,
        /// Why the other one failed.
        failure: Box<RunError>,
    },
    /// The bundle failed, and so did the way back.
    #[error("{failure}; failed to go back to `{to}`")]
    NotRolledBack {
        /// The bundle that should be there.
        to: Digest,
        /// Why the other one failed.
        failure: Box<RunError>,
        /// Why the cluster could not go back.
        #[source]
        source: Box<RunError>,
    },
    /// The API server refuses an object of the bundle.
    #[error("layer `{layer}`: {id} cannot be applied: {refusal}")]
    Refused {
        /// The layer.
        layer: LayerName,
        /// The object.
        id: Box<ObjectId>,
        /// What the API server says.
        refusal: Box<Refusal>,
    },
    /// A layer does not become healthy.
    #[error("layer `{layer}` is not healthy: {}", first(unhealthy))]
    Unhealthy {
        /// The layer.
        layer: LayerName,
        /// Time was over; else an object has failed.
        timed_out: bool,
        /// What is not as it should be.
        unhealthy: Vec<Unhealthy>,
    },
}

fn place(reference: Option<&SecretRef>) -> String {
    match reference {
        Some(SecretRef {
            namespace,
            name,
            key,
        }) => format!("but Secret {namespace}/{name} with the key `{key}` is not there"),
        None => "but nothing says which Secret holds it".to_owned(),
    }
}

impl RunError {
    /// The cluster does not say which kinds it has.
    pub(super) fn kinds(source: ClusterError) -> Self {
        Self::Cluster {
            doing: "ask which kinds there are".to_owned(),
            source,
        }
    }
}

fn rights(missing: &[Missing]) -> String {
    match missing {
        [one] => format!("the right to {one} is"),
        all => format!("{} rights are", all.len()),
    }
}

fn first(unhealthy: &[Unhealthy]) -> String {
    let Some(first) = unhealthy.first() else {
        return "nothing is known of why".to_owned();
    };
    let more = match unhealthy.len() {
        1 => String::new(),
        all => format!(" (and {} more)", all - 1),
    };
    format!("{}: {}{more}", first.id, first.verdict.message)
}
