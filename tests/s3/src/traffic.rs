//! What was asked of the server.

use http::{Method, Uri};

/// An operation of the S3 API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of the S3 API")]
pub enum Operation {
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CreateMultipartUpload,
    DeleteObject,
    GetObject,
    HeadBucket,
    HeadObject,
    ListMultipartUploads,
    ListObjectsV2,
    PutObject,
    UploadPart,
    Other,
}

impl Operation {
    /// The operation changes what is stored.
    pub fn is_write(self) -> bool {
        matches!(
            self,
            Self::AbortMultipartUpload
                | Self::CompleteMultipartUpload
                | Self::CreateMultipartUpload
                | Self::DeleteObject
                | Self::PutObject
                | Self::UploadPart
        )
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it asked for.
    pub operation: Operation,
    /// The path and the query.
    pub target: String,
    /// It carried `If-Match` or `If-None-Match`.
    pub is_conditional: bool,
}

impl Request {
    pub(crate) fn new(method: &Method, uri: &Uri, is_conditional: bool) -> Self {
        let query = uri.query().unwrap_or_default();
        let has = |name: &str| {
            let mut names = query.split('&').map(|pair| pair.split('=').next());
            names.any(|found| found == Some(name))
        };
        let names_object = uri.path().trim_start_matches('/').contains('/');
        let operation = match (method.as_str(), names_object) {
            ("GET", false) if has("uploads") => Operation::ListMultipartUploads,
            ("GET", _) if has("list-type") => Operation::ListObjectsV2,
            ("HEAD", false) => Operation::HeadBucket,
            ("GET", true) => Operation::GetObject,
            ("HEAD", true) => Operation::HeadObject,
            ("PUT", true) if has("uploadId") => Operation::UploadPart,
            ("PUT", true) => Operation::PutObject,
            ("POST", true) if has("uploads") => Operation::CreateMultipartUpload,
            ("POST", true) if has("uploadId") => Operation::CompleteMultipartUpload,
            ("DELETE", true) if has("uploadId") => Operation::AbortMultipartUpload,
            ("DELETE", true) => Operation::DeleteObject,
            ("GET", false) if has("prefix") => Operation::ListObjectsV2,
            _ => Operation::Other,
        };
        Self {
            operation,
            target: uri.to_string(),
            is_conditional,
        }
    }
}
