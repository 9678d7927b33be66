//! The bundle form: a Sigstore bundle, version 0.3, as a referrer of what it signs.
//!
//! <https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto>
//! <https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md>

use cairn_spec::{Artifact, Descriptor, Envelope, media_type};
use serde::{Deserialize, Serialize};

use super::{
    COSIGN_SIGN, Form, SignOptions, VerifiedSignature, concerns_one_signature,
    dsse::{self, Statement},
};
use crate::{
    Error, PrivateKey, PublicKey, limits,
    store::{Fetch, Push, Resolve, fetch_manifest, push_artifact},
};

const CONTENT: &str = "dev.sigstore.bundle.content";
const PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";
const CREATED: &str = "org.opencontainers.image.created";
/// Bundles of other versions are not listed by this one's artifact type.
const ANY_BUNDLE: &str = "application/vnd.dev.sigstore.bundle";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    #[serde(skip_deserializing)]
    verification_material: VerificationMaterial,
    dsse_envelope: Envelope,
}

/// Only a hint: whoever verifies brings the keys along.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct VerificationMaterial {
    public_key: KeyHint,
}

#[derive(Default, Serialize)]
struct KeyHint {
    hint: String,
}

/// Which bundles are looked for, and how large they may be.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// Signatures.
    Signatures,
    /// Everything else.
    Attestations,
}

/// A bundle whose envelope verifies and whose statement is about the subject.
pub(super) struct Opened<'k> {
    /// The bundle's manifest.
    pub(super) manifest: Descriptor,
    pub(super) statement: Statement,
    pub(super) signers: Vec<&'k PublicKey>,
}

pub(super) async fn sign(
    store: &impl Push,
    subject: &Descriptor,
    key: &PrivateKey,
    options: &SignOptions,
) -> Result<(), Error> {
    let predicate = serde_json::json!({});
    let statement = Statement::new(
        &subject.digest,
        &options.annotations,
        COSIGN_SIGN,
        predicate,
    );
    push(store, subject, &statement, key, options.created_unix_s).await?;
    Ok(())
}

pub(super) async fn verify(
    store: &(impl Fetch + Resolve),
    subject: &Descriptor,
    keys: &[PublicKey],
) -> Result<Vec<VerifiedSignature>, Error> {
    let opened = open_all(store, subject, keys, Wanted::Signatures).await?;
    Ok(opened
        .iter()
        .flat_map(|opened| signatures(subject, &opened.statement, &opened.signers))
        .collect())
}

/// The signatures on `subject` that a verified statement stands for.
pub(super) fn signatures(
    subject: &Descriptor,
    statement: &Statement,
    signers: &[&PublicKey],
) -> Vec<VerifiedSignature> {
    let Some(annotations) = statement.about(&subject.digest) else {
        return Vec::new();
    };
    if statement.predicate_type != COSIGN_SIGN {
        return Vec::new();
    }
    signers
        .iter()
        .map(|key| VerifiedSignature {
            key_id: key.id().to_owned(),
            form: Form::Bundle,
            annotations: annotations.clone(),
        })
        .collect()
}

/// Signs a statement and stores it as a referrer; returns the referrer.
pub(super) async fn push(
    store: &impl Push,
    subject: &Descriptor,
    statement: &Statement,
    key: &PrivateKey,
    created_unix_s: Option<u64>,
) -> Result<Descriptor, Error> {
    let artifact = artifact(subject, statement, key, created_unix_s)?;
    push_artifact(store, &artifact).await
}

/// The bundle as an artifact: the same inputs give the same bytes.
pub(super) fn artifact(
    subject: &Descriptor,
    statement: &Statement,
    key: &PrivateKey,
    created_unix_s: Option<u64>,
) -> Result<Artifact, Error> {
    let bundle = Bundle {
        media_type: media_type::SIGSTORE_BUNDLE.to_owned(),
        verification_material: VerificationMaterial {
            public_key: KeyHint {
                hint: key.public_key()?.hint(),
            },
        },
        dsse_envelope: dsse::seal(statement, key)?,
    };
    let bytes = serde_json::to_vec(&bundle).map_err(|error| Error::Malformed {
        what: statement.predicate_type.clone(),
        reason: error.to_string(),
    })?;
    Artifact::builder(media_type::SIGSTORE_BUNDLE)
        .layer(media_type::SIGSTORE_BUNDLE, bytes)
        .subject(subject)
        .annotation(
            CREATED,
            cairn_spec::rfc_3339(created_unix_s.unwrap_or_default()),
        )
        .annotation(CONTENT, "dsse-envelope")
        .annotation(PREDICATE_TYPE, &statement.predicate_type)
        .build()
        .map_err(Error::artifact(&subject.digest))
}

/// All bundles on a manifest that one of `keys` signed.
pub(super) async fn open_all<'k>(
    store: &(impl Fetch + Resolve),
    subject: &Descriptor,
    keys: &'k [PublicKey],
    wanted: Wanted,
) -> Result<Vec<Opened<'k>>, Error> {
    // Unfiltered, because tools disagree on what artifact type they list bundles under.
    let mut referrers = store.referrers(subject, None).await?;
    referrers.retain(|referrer| wanted.may_be(referrer));
    if referrers.len() > limits::MAX_SIGNATURES {
        return Err(Error::Limit {
            what: format!("bundles on {}", subject.digest),
            limit: limits::MAX_SIGNATURES as u64,
            unit: "referrers",
        });
    }
    let mut found = Vec::new();
    for referrer in referrers {
        match open(store, subject, &referrer, keys, wanted).await {
            Ok(Some((statement, signers))) => found.push(Opened {
                manifest: referrer.bare(),
                statement,
                signers,
            }),
            Ok(None) => {}
            Err(error) if concerns_one_signature(&error) => {
                tracing::debug!(%error, oci.digest = %referrer.digest, "a bundle is not usable");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

async fn open<'k>(
    store: &impl Fetch,
    subject: &Descriptor,
    referrer: &Descriptor,
    keys: &'k [PublicKey],
    wanted: Wanted,
) -> Result<Option<(Statement, Vec<&'k PublicKey>)>, Error> {
    let manifest = fetch_manifest(store, referrer).await?;
    let [layer] = manifest.layers() else {
        return Ok(None);
    };
    if !layer.media_type.starts_with(ANY_BUNDLE) {
        return Ok(None);
    }
    let bytes = store
        .fetch(layer)
        .await?
        .read_all(wanted.max_bytes())
        .await?;
    Ok(read(&bytes, keys).filter(|(statement, _)| statement.about(&subject.digest).is_some()))
}

/// Reads a bundle; `None` when it is not one, or when none of `keys` signed it.
pub(super) fn read<'k>(
    bytes: &[u8],
    keys: &'k [PublicKey],
) -> Option<(Statement, Vec<&'k PublicKey>)> {
    let bundle: Bundle = serde_json::from_slice(bytes).ok()?;
    if !bundle.media_type.starts_with(ANY_BUNDLE) {
        return None;
    }
    dsse::open(&bundle.dsse_envelope, keys)
}

impl Wanted {
    fn max_bytes(self) -> u64 {
        match self {
            Self::Signatures => limits::MAX_SIGNATURE_BYTES,
            Self::Attestations => limits::MAX_ATTESTATION_BYTES,
        }
    }

    /// The list's annotations spare reading what is not wanted. They are not trusted: the
    /// statement inside decides.
    fn may_be(self, referrer: &Descriptor) -> bool {
        let is_bundle = referrer.is_manifest()
            && referrer
                .artifact_type
                .as_ref()
                .is_none_or(|artifact_type| artifact_type.starts_with(ANY_BUNDLE));
        let predicate_type = referrer.annotations.get(PREDICATE_TYPE);
        let says_signature = predicate_type.map(|found| found == COSIGN_SIGN);
        is_bundle
            && match self {
                Self::Signatures => says_signature.unwrap_or(true),
                Self::Attestations => !says_signature.unwrap_or(false),
            }
    }
}
