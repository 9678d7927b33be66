//! Gets the secrets that a bundle refers to, from the cluster's own Secrets.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cairn_spec::{ObjectId, SecretRef, VariableName};

use super::RunError;
use crate::{
    bundle::{Bundle, BundleError, Secrets},
    cluster::Cluster,
};

/// The secrets of a bundle with the values that the cluster has. One that is not there is an error if an
/// object needs it; files of hosts may need others.
pub async fn secrets(cluster: &Cluster, bundle: &Bundle) -> Result<Secrets, RunError> {
    let mut values: BTreeMap<VariableName, String> = BTreeMap::new();
    for (variable, secret) in &bundle.manifest.secrets {
        if let Some(reference) = &secret.secret_ref
            && let Some(value) = value(cluster, variable, reference).await?
        {
            values.insert(variable.clone(), value);
        }
    }
    let secrets = Secrets::new(&bundle.manifest, &values);
    if values.len() < bundle.manifest.secrets.len() {
        check(bundle, &secrets)?;
    }
    Ok(secrets)
}

/// Fills in all objects once: what cannot be filled in is said before anything is applied.
fn check(bundle: &Bundle, secrets: &Secrets) -> Result<(), RunError> {
    let stages = bundle.layers.iter().flat_map(|layer| &layer.stages);
    for batch in stages.flat_map(|stage| stage.batches(secrets)) {
        match batch {
            Ok(_) => {}
            Err(BundleError::SecretMissing(variable)) => {
                let secret = bundle.manifest.secrets.get(&variable);
                let reference = secret.and_then(|secret| secret.secret_ref.clone());
                return Err(RunError::SecretMissing {
                    variable,
                    reference,
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn value(
    cluster: &Cluster,
    variable: &VariableName,
    reference: &SecretRef,
) -> Result<Option<String>, RunError> {
    let id = ObjectId {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        namespace: Some(reference.namespace.clone()),
        name: reference.name.clone(),
    };
    let secret = cluster.get(&id).await.map_err(|source| RunError::Cluster {
        doing: format!("read the secret of `{variable}`"),
        source,
    })?;
    let encoded = secret
        .as_ref()
        .and_then(|secret| secret["data"][reference.key.as_str()].as_str());
    let decoded = encoded.and_then(|encoded| BASE64.decode(encoded).ok());
    Ok(decoded.and_then(|bytes| String::from_utf8(bytes).ok()))
}
