//! Where content is kept, and how that is opened.

use std::{fmt, path::PathBuf, sync::Arc};

use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problems, RedirectConfig};
use crate::{
    Error, Result,
    storage::{
        Check, EmbeddedMetadata, FilePayloads, MemoryMetadata, MemoryPayloads, Metadata, Payloads,
        checks, s3,
    },
};

/// Where content is kept: in a file, one key that names the kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "StorageFields", try_from = "StorageFields")]
pub enum StorageConfig {
    /// In a directory of this machine, which one process holds at a time.
    Directory(PathBuf),
    /// In an S3 bucket, which any number of processes share.
    S3(Box<S3Config>),
    /// In memory; everything is lost when the process ends.
    Memory,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self::Directory(PathBuf::from(".cairn/registry"))
    }
}

/// The kinds of storage as keys; one of them is given.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct StorageFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s3: Option<S3Config>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Nothing>,
}

/// `{}`
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl From<StorageConfig> for StorageFields {
    fn from(config: StorageConfig) -> Self {
        let mut fields = Self::default();
        match config {
            StorageConfig::Directory(directory) => fields.directory = Some(directory),
            StorageConfig::S3(config) => fields.s3 = Some(*config),
            StorageConfig::Memory => fields.memory = Some(Nothing {}),
        }
        fields
    }
}

impl TryFrom<StorageFields> for StorageConfig {
    type Error = &'static str;

    fn try_from(fields: StorageFields) -> Result<Self, Self::Error> {
        match (fields.directory, fields.s3, fields.memory) {
            (Some(directory), None, None) => Ok(Self::Directory(directory)),
            (None, Some(config), None) => Ok(Self::S3(Box::new(config))),
            (None, None, Some(Nothing {})) => Ok(Self::Memory),
            _ => Err("`storage` wants exactly one of `directory`, `s3` and `memory`"),
        }
    }
}

/// A bucket, the store it is in, and how to talk to that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct S3Config {
    /// The bucket's name. It must exist.
    pub bucket: String,
    /// Below which prefix of the bucket everything is kept; empty for all of it.
    pub prefix: String,
    /// The store's URL; AWS without.
    pub endpoint: Option<String>,
    /// The bucket's region; otherwise that of the environment or profile.
    pub region: Option<String>,
    /// The bucket is named in the path, not in the host name, as most stores other than AWS want.
    pub path_style: bool,
    /// Certificates (PEM) to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// Who the registry is to the store; otherwise the environment, a profile, or the machine
    /// tells: what every AWS tool understands.
    pub credentials: Option<S3Credentials>,
    /// The profile of the AWS configuration files.
    pub profile: Option<String>,
    /// How large a part of a large blob is, in bytes. A blob has at most 10,000.
    pub part_bytes: usize,
    /// How long one request may take, in seconds, and a body may stand still.
    pub request_timeout_s: u64,
    /// How often a request is tried.
    pub attempts: u32,
    /// How many registries use the bucket.
    pub replicas: Replicas,
    /// Who downloads large blobs from the store itself; nobody does by default.
    pub redirects: Option<RedirectConfig>,
}

/// The least that stores take for a part that is not the last.
const SMALLEST_PART_BYTES: usize = 5 * 1024 * 1024;
/// The most that stores take for a part.
const LARGEST_PART_BYTES: usize = 5 * 1024 * 1024 * 1024;

impl Default for S3Config {
    fn default() -> Self {
        Self {
            bucket: String::new(),
            prefix: String::new(),
            endpoint: None,
            region: None,
            path_style: false,
            ca_file: None,
            credentials: None,
            profile: None,
            part_bytes: 16 * 1024 * 1024,
            request_timeout_s: 30,
            attempts: 8,
            replicas: Replicas::Many,
            redirects: None,
        }
    }
}

impl S3Config {
    /// Fails on values that cannot work, before the store is asked.
    pub(crate) fn validate(&self) -> Result<()> {
        let invalid = |setting, value: String, reason: &str| {
            Err(Error::Config {
                setting,
                value,
                source: reason.to_owned().into(),
            })
        };
        if self.bucket.is_empty() {
            return invalid(
                "storage.s3.bucket",
                self.bucket.clone(),
                "name the bucket to use",
            );
        }
        let for_clients = self.redirects.as_ref().map(|it| &it.endpoint);
        for (setting, endpoint) in [
            ("storage.s3.endpoint", Some(&self.endpoint)),
            ("storage.s3.redirects.endpoint", for_clients),
        ] {
            if let Some(Some(endpoint)) = endpoint
                && !is_url(endpoint)
            {
                return invalid(
                    setting,
                    endpoint.clone(),
                    "expected a URL that starts with `https://` or `http://`",
                );
            }
        }
        if let Some(keys) = &self.credentials
            && keys.secret_access_key.is_some() == keys.secret_access_key_file.is_some()
        {
            return invalid(
                "storage.s3.credentials",
                keys.access_key_id.clone(),
                "give either `secretAccessKey` or `secretAccessKeyFile`",
            );
        }
        if self.part_bytes == 0 || self.part_bytes > LARGEST_PART_BYTES {
            return invalid(
                "storage.s3.partBytes",
                self.part_bytes.to_string(),
                "expected at most 5 GiB, and at least what the store takes",
            );
        }
        if self.part_bytes < SMALLEST_PART_BYTES {
            tracing::warn!(
                s3.part_bytes = self.part_bytes,
                "most stores refuse parts of less than 5 MiB"
            );
        }
        if self.attempts == 0 || self.request_timeout_s == 0 {
            return invalid(
                "storage.s3.attempts",
                self.attempts.to_string(),
                "`attempts` and `requestTimeoutS` must be at least 1",
            );
        }
        Ok(())
    }
}

fn is_url(text: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
}

/// A pair of static keys; the secret is here or in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct S3Credentials {
    /// Names the key.
    pub access_key_id: String,
    /// Proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<Secret>,
    /// A file with the secret alone; it is read again every five minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_access_key_file: Option<PathBuf>,
}

/// A secret: it is never shown, also not when a configuration is printed.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(secret)")
    }
}

/// How many registries use a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Replicas {
    /// One: it makes up for a store that does not mind conditions. A second one would destroy
    /// content.
    One,
    /// Any number.
    #[default]
    Many,
}

impl StorageConfig {
    pub(super) fn check(&self, problems: &mut Problems<'_>) {
        let Self::S3(config) = self else { return };
        problems.refused(config.validate());
        if let Some(redirects) = &config.redirects {
            redirects.check(&mut problems.below("storage/s3/redirects"));
        }
    }

    pub(super) fn check_files(&self, problems: &mut Problems<'_>) {
        let Self::S3(config) = self else { return };
        let mut problems = problems.below("storage/s3");
        if let Some(path) = &config.ca_file {
            problems.file("caFile", path);
        }
        let keys = config.credentials.as_ref();
        if let Some(path) = keys.and_then(|keys| keys.secret_access_key_file.as_ref()) {
            problems.file("credentials/secretAccessKeyFile", path);
        }
    }

    /// Tries what the registry will rely on, and leaves nothing behind.
    pub async fn examine(&self) -> Result<Vec<Check>> {
        match self {
            Self::Memory => Ok(Vec::new()),
            Self::S3(config) => Ok(s3::examine(config).boxed().await?.checks()),
            Self::Directory(directory) => checks::examine_directory(directory.clone()).await,
        }
    }

    /// Opens both stores, creating what is missing.
    pub(crate) async fn open(&self) -> Result<(Arc<dyn Payloads>, Arc<dyn Metadata>)> {
        Ok(match self {
            Self::Memory => (
                Arc::new(MemoryPayloads::default()),
                Arc::new(MemoryMetadata::default()),
            ),
            Self::S3(config) => {
                let (payloads, metadata) = s3::open(config).boxed().await?;
                (Arc::new(payloads), Arc::new(metadata))
            }
            Self::Directory(directory) => {
                let directory = directory.clone();
                let open = move || {
                    let payloads = FilePayloads::open(&directory)?;
                    let metadata = EmbeddedMetadata::open(&directory.join("metadata.redb"))?;
                    Ok::<_, Error>((payloads, metadata))
                };
                let (payloads, metadata) = tokio::task::spawn_blocking(open)
                    .await
                    .map_err(|_| Error::Closed)??;
                (Arc::new(payloads), Arc::new(metadata))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<StorageConfig, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn one_key_names_the_kind() {
        let directory = StorageConfig::Directory("data".into());
        assert_eq!(parsed(r#"{"directory": "data"}"#), Ok(directory));
        assert_eq!(parsed(r#"{"memory": {}}"#), Ok(StorageConfig::Memory));
        let config = S3Config {
            bucket: "b".to_owned(),
            replicas: Replicas::One,
            credentials: Some(S3Credentials {
                access_key_id: "id".to_owned(),
                secret_access_key: Some(Secret::new("hunter2")),
                secret_access_key_file: None,
            }),
            ..S3Config::default()
        };
        let text = r#"{"s3": {"bucket": "b", "replicas": "one",
            "credentials": {"accessKeyId": "id", "secretAccessKey": "hunter2"}}}"#;
        assert_eq!(
            parsed(text),
            Ok(StorageConfig::S3(Box::new(config.clone())))
        );
        let printed = serde_json::to_string(&StorageConfig::S3(Box::new(config.clone()))).unwrap();
        assert!(!format!("{printed} {config:?}").contains("hunter2"));
        let error = parsed("{}").unwrap_err();
        assert!(error.contains("exactly one of"), "{error}");
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        let valid = S3Config {
            bucket: "b".to_owned(),
            ..S3Config::default()
        };
        assert!(valid.validate().is_ok());
        for (broken, setting) in [
            (S3Config::default(), "storage.s3.bucket"),
            (
                S3Config {
                    endpoint: Some("store:9000".to_owned()),
                    ..valid.clone()
                },
                "storage.s3.endpoint",
            ),
            (
                S3Config {
                    part_bytes: 0,
                    ..valid.clone()
                },
                "storage.s3.partBytes",
            ),
            (
                S3Config {
                    attempts: 0,
                    ..valid.clone()
                },
                "storage.s3.attempts",
            ),
            (
                S3Config {
                    credentials: Some(S3Credentials {
                        access_key_id: "id".to_owned(),
                        secret_access_key: None,
                        secret_access_key_file: None,
                    }),
                    ..valid.clone()
                },
                "storage.s3.credentials",
            ),
            (
                S3Config {
                    redirects: Some(RedirectConfig {
                        clients: Vec::new(),
                        except: Vec::new(),
                        endpoint: Some("store".to_owned()),
                        expires_s: 1,
                    }),
                    ..valid
                },
                "storage.s3.redirects.endpoint",
            ),
        ] {
            let error = broken.validate().unwrap_err().to_string();
            assert!(error.contains(setting), "{error}");
        }
    }
}
