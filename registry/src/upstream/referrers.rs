//! Referrers: those that are here, and those that an upstream lists.

use std::sync::Arc;

use cairn_spec::{Digest, RepositoryName};

use super::{Failure, PullThrough, Source};
use crate::{
    Result,
    service::{Descriptor, ReferrersPage},
};

impl PullThrough {
    /// The referrers of a subject that follow `last`, of one type if one is given; and why those of
    /// upstreams are not among them, if they are not.
    pub(crate) async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&Digest>,
    ) -> Result<(ReferrersPage, Option<String>)> {
        let (remote, lacking) = match self.remote_referrers(repository, subject).await {
            Ok(remote) => (remote, None),
            Err(failure) => (Arc::default(), Some(failure.warning())),
        };
        let page =
            self.registry
                .referrers_with(repository, subject, &remote, (artifact_type, last));
        Ok((page.await?, lacking))
    }

    async fn remote_referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Arc<Vec<Descriptor>>, Failure> {
        let key = (repository.clone(), subject.clone());
        if let Some(known) = self.referrers.get(&key).await {
            return Ok(known);
        }
        let mut failed = Failure::Missing;
        for source in self.sources(repository) {
            let Source { upstream, remote } = &source;
            let what = source.name_of(format_args!("referrers of {subject}"));
            match upstream
                .ask(&what, remote.referrers_of(subject, None))
                .await
            {
                Err(failure) => failed = failed.or(failure),
                Ok(listed) => {
                    let listed: Vec<Descriptor> = listed.into_iter().map(local).collect();
                    // A list without any is what registries say of repositories that they lack.
                    if listed.is_empty() {
                        continue;
                    }
                    let listed = Arc::new(listed);
                    self.referrers.insert(key, Arc::clone(&listed)).await;
                    return Ok(listed);
                }
            }
        }
        match failed {
            Failure::Missing => {
                let none: Arc<Vec<Descriptor>> = Arc::default();
                self.referrers.insert(key, Arc::clone(&none)).await;
                Ok(none)
            }
            failed => Err(failed),
        }
    }
}

fn local(remote: cairn_spec::Descriptor) -> Descriptor {
    Descriptor {
        annotations: (!remote.annotations.is_empty())
            .then(|| remote.annotations.into_iter().collect()),
        media_type: remote.media_type,
        digest: remote.digest,
        size: remote.size,
        artifact_type: remote.artifact_type,
    }
}
