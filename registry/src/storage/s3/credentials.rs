//! Who the registry is to the store: a pair of keys, of which the secret may be in a file.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, future},
};

use crate::{
    Error, Result,
    config::{S3Credentials, Secret},
};

/// How long a secret that was read counts before the file is read again.
const SECRET_LIFETIME: Duration = Duration::from_mins(5);
/// The longest secret that is read, in bytes.
const SECRET_BYTES: usize = 1024;

/// The provider of the keys that a configuration names.
pub(super) fn provider(keys: &S3Credentials) -> Result<SharedCredentialsProvider> {
    let id = keys.access_key_id.clone();
    if let Some(secret) = &keys.secret_access_key {
        let credentials = credentials(id, secret, None);
        return Ok(SharedCredentialsProvider::new(credentials));
    }
    let path = keys.secret_access_key_file.clone().unwrap_or_default();
    let last = Mutex::new(read(&path)?);
    Ok(SharedCredentialsProvider::new(KeyFile { id, path, last }))
}

fn credentials(id: String, secret: &Secret, until: Option<SystemTime>) -> Credentials {
    Credentials::new(id, secret.expose(), None, until, "configuration")
}

/// A secret in a file, which whoever rotates keys may replace.
#[derive(Debug)]
struct KeyFile {
    id: String,
    path: PathBuf,
    /// What was read last: it counts on while the file cannot be read.
    last: Mutex<Secret>,
}

impl ProvideCredentials for KeyFile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match read(&self.path) {
            Ok(secret) => *last = secret,
            Err(error) => {
                tracing::warn!(%error, "failed to read the store's key again: going on with the one before");
            }
        }
        let until = SystemTime::now() + SECRET_LIFETIME;
        let credentials = credentials(self.id.clone(), &last, Some(until));
        future::ProvideCredentials::ready(Ok(credentials))
    }
}

/// The secret in a file, without the line's end that editors add.
fn read(path: &Path) -> Result<Secret> {
    let unusable = |source: Box<dyn std::error::Error + Send + Sync>| Error::Config {
        setting: "storage.s3.credentials.secretAccessKeyFile",
        value: path.display().to_string(),
        source,
    };
    let text = fs::read_to_string(path).map_err(|source| unusable(source.into()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() || secret.len() > SECRET_BYTES || secret.contains('\n') {
        let reason = format!("expected one line of at most {SECRET_BYTES} bytes");
        return Err(unusable(reason.into()));
    }
    Ok(Secret::new(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_in_a_file_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let keys = S3Credentials {
            access_key_id: "id".to_owned(),
            secret_access_key: None,
            secret_access_key_file: Some(path.clone()),
        };
        let error = provider(&keys).unwrap_err().to_string();
        assert!(error.contains("secretAccessKeyFile"), "{error}");
        fs::write(&path, "\n").unwrap();
        assert!(provider(&keys).is_err());

        fs::write(&path, "first\n").unwrap();
        let in_file = provider(&keys).unwrap();
        let credentials = in_file.provide_credentials().await.unwrap();
        assert_eq!(credentials.secret_access_key(), "first");
        assert!(credentials.expiry().is_some(), "it is read again");
        fs::write(&path, "second").unwrap();
        let credentials = in_file.provide_credentials().await.unwrap();
        assert_eq!(credentials.secret_access_key(), "second");
        fs::remove_file(&path).unwrap();
        let credentials = in_file.provide_credentials().await.unwrap();
        assert_eq!(credentials.secret_access_key(), "second");
    }
}
