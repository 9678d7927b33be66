//! Which rights whoever asks has, as the API server says it.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::Method;
use serde_json::{Value, json};

use super::{
    Cluster, ClusterError,
    request::{Call, JSON},
};
use crate::rights::{Missing, Needs, Right, Rule};

impl Cluster {
    /// Which of these rights are missing. Nothing is known to be missing when the API server does not say.
    pub async fn missing_rights(&self, mut needs: Needs) -> Result<Vec<Missing>, ClusterError> {
        // Most who apply bundles may do everything: then one question is enough.
        let everything = Right {
            namespace: None,
            group: "*".to_owned(),
            resource: "*".to_owned(),
            verb: "*",
        };
        if self.may(&everything, None).await? {
            return Ok(Vec::new());
        }
        let namespaces: Vec<String> = needs.namespaces().into_iter().map(str::to_owned).collect();
        let asked = namespaces.iter().map(|namespace| self.rules_in(namespace));
        let mut answers = stream::iter(asked).buffered(self.pace.concurrency.max(1));
        let mut rules = Vec::new();
        while let Some(answer) = answers.next().await {
            rules.push(answer?);
        }
        for (namespace, rules) in namespaces.iter().zip(&rules) {
            needs.grant(namespace, rules);
        }
        // Rules need not be all that grants something.
        let asked = needs.0.into_iter().map(|(right, names)| async {
            if self.may(&right, None).await? {
                return Ok(None);
            }
            let is_about_names = !names.is_empty();
            let mut missing = Missing {
                right,
                names: BTreeSet::new(),
            };
            for name in names {
                if !self.may(&missing.right, Some(&name)).await? {
                    missing.names.insert(name);
                }
            }
            Ok((!is_about_names || !missing.names.is_empty()).then_some(missing))
        });
        let mut answers = stream::iter(asked).buffered(self.pace.concurrency.max(1));
        let mut missing = Vec::new();
        while let Some(answer) = answers.next().await {
            missing.extend(answer?);
        }
        Ok(missing)
    }

    async fn may(&self, right: &Right, name: Option<&str>) -> Result<bool, ClusterError> {
        let (resource, subresource) = match right.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource)),
            None => (right.resource.as_str(), None),
        };
        let spec = json!({"resourceAttributes": {
            "namespace": right.namespace, "verb": right.verb, "group": right.group,
            "resource": resource, "subresource": subresource, "name": name,
        }});
        let status = self.review("SelfSubjectAccessReview", &spec).await?;
        Ok(status.is_none_or(|status| status["allowed"] == true))
    }

    async fn rules_in(&self, namespace: &str) -> Result<Vec<Rule>, ClusterError> {
        let spec = json!({"namespace": namespace});
        let status = self.review("SelfSubjectRulesReview", &spec).await?;
        let rules = status.map(|mut status| status["resourceRules"].take());
        Ok(rules
            .and_then(|rules| serde_json::from_value(rules).ok())
            .unwrap_or_default())
    }

    /// The status of a review; none if whoever asks may not even ask that.
    async fn review(&self, kind: &str, spec: &Value) -> Result<Option<Value>, ClusterError> {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec});
        let call = Call {
            method: Method::POST,
            path: format!(
                "/apis/authorization.k8s.io/v1/{}s",
                kind.to_ascii_lowercase()
            ),
            accept: JSON,
            content_type: JSON,
            body: Bytes::from(review.to_string()),
        };
        match self.ask(&call).await {
            Ok(mut answer) => Ok(Some(answer.value["status"].take())),
            Err(error) if error.has_code(403) || error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
