//! Writes that count only if nobody has written meanwhile.

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::{
    Cluster, ClusterError, id_of,
    request::{Call, JSON},
};
use crate::inventory::FIELD_MANAGER;

impl Cluster {
    /// Creates an object, or replaces the version of it that `metadata.resourceVersion` names; gives
    /// what is there then. None if there is another version, or one where none was expected.
    ///
    /// An answer may get lost, so what is refused is compared with what is there: who writes says in
    /// `data` or `spec` who it was.
    pub async fn swap(&self, object: &Value) -> Result<Option<Value>, ClusterError> {
        let id = id_of(object);
        let resource = self.resource_of(&id).await?;
        let is_new = object["metadata"]["resourceVersion"].is_null();
        let (method, path) = if is_new {
            (Method::POST, resource.path(id.namespace.as_deref()))
        } else {
            (Method::PUT, resource.path_of(&id))
        };
        let call = Call {
            method,
            path: format!("{path}?fieldManager={FIELD_MANAGER}"),
            accept: JSON,
            content_type: JSON,
            body: Bytes::from(object.to_string()),
        };
        let error = match self.ask(&call).await {
            Ok(answer) => return Ok(Some(answer.value)),
            Err(error) if error.has_code(409) || error.is_not_found() => error,
            Err(error) => return Err(error),
        };
        match self.get(&id).await? {
            Some(live) if ["data", "spec"].iter().all(|key| live[key] == object[key]) => {
                Ok(Some(live))
            }
            // Neither is it there nor can it be made: its namespace is missing.
            None if is_new => Err(error),
            _ => Ok(None),
        }
    }
}
