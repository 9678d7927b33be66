//! How objects are at this moment, judged as waiting for them judges.

use std::collections::BTreeMap;

use cairn_spec::ObjectId;
use serde_json::Value;

use super::{Cluster, ClusterError, pods::Pods, wait::now};
use crate::health::{Facts, Status, Verdict, assess, with_pods};

impl Cluster {
    /// The verdict on each object, given as it is there. Pods are asked for only where a workload is not
    /// as it should be.
    pub async fn judge(
        &self,
        found: &BTreeMap<ObjectId, Value>,
    ) -> Result<BTreeMap<ObjectId, Verdict>, ClusterError> {
        let now = now();
        let mut promising = BTreeMap::new();
        let mut verdicts = BTreeMap::new();
        for (id, live) in found {
            let kind = (&id.api_version, &id.kind);
            let promises_conditions = match promising.get(&kind) {
                Some(known) => *known,
                None => self.promises_conditions(id).await?,
            };
            promising.insert(kind, promises_conditions);
            let is_claim = id.kind == "PersistentVolumeClaim" && id.group().is_empty();
            let created = live["metadata"]["creationTimestamp"].as_str();
            let facts = Facts {
                now,
                applied: created.and_then(|it| it.parse().ok()).unwrap_or_default(),
                binds_on_use: is_claim && self.binds_on_use(live).await?,
                promises_conditions,
                load_balancer_address: false,
            };
            verdicts.insert(id.clone(), assess(live, &facts));
        }
        let late: Vec<ObjectId> = verdicts
            .iter()
            .filter(|(_, verdict)| verdict.status == Status::InProgress)
            .map(|(id, _)| id.clone())
            .collect();
        let pods = Pods::now(self, &late).await?;
        for id in late {
            if let (Some(verdict), Some(live)) = (verdicts.get_mut(&id), found.get(&id)) {
                *verdict = with_pods(verdict.clone(), pods.newest(&id, live), now);
            }
        }
        Ok(verdicts)
    }
}
