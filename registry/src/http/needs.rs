//! What every endpoint and method needs to be allowed, in one table.

use cairn_spec::{RepositoryName, Tag};
use http::Method;

use super::{endpoint::Endpoint, query::Query};
use crate::{
    auth::{Action, Need, Permission},
    service::Reference,
};

/// What a request needs; `None` where the endpoint does not know the method, so nothing is served.
pub(super) fn needs(endpoint: &Endpoint, method: &Method, query: &Query) -> Option<Need> {
    use Endpoint as At;
    let need = match (method.as_str(), endpoint) {
        ("GET" | "HEAD", At::Base | At::Discover) => Need::Answer,
        ("GET" | "HEAD", At::Catalog) => Need::Catalog,
        (
            "GET" | "HEAD",
            At::Blob(name, _)
            | At::Manifest(name, _)
            | At::Tags(name)
            | At::Referrers(name, _)
            | At::Trust(name, _),
        ) => one(Action::Pull, name),
        // The source of a mount is asked for when it is known that it matters: without it, the
        // request still starts an upload. Whoever may push may also give up: some clients do after
        // a mount that failed.
        ("POST", At::Uploads(name)) | ("GET" | "PATCH" | "PUT" | "DELETE", At::Upload(name, _)) => {
            one(Action::Push, name)
        }
        ("PUT", At::Manifest(name, reference)) => pushed(name, reference, query),
        ("DELETE", At::Blob(name, _) | At::Manifest(name, Reference::Digest(_))) => {
            one(Action::Delete, name)
        }
        ("DELETE", At::Manifest(name, Reference::Tag(tag))) => {
            Need::Permissions(vec![permission(Action::Delete, name, Some(tag.clone()))])
        }
        _ => return None,
    };
    Some(need)
}

/// Every tag of the request, or the content alone.
fn pushed(name: &RepositoryName, reference: &Reference, query: &Query) -> Need {
    let own = match reference {
        Reference::Tag(tag) => Some(tag.clone()),
        Reference::Digest(_) => None,
    };
    // Parameters that are no tags are refused before anything is stored.
    let further = query.all("tag").filter_map(|tag| tag.parse::<Tag>().ok());
    let push = |tag| permission(Action::Push, name, tag);
    let permissions = [push(own)].into_iter();
    Need::Permissions(
        permissions
            .chain(further.map(|tag| push(Some(tag))))
            .collect(),
    )
}

/// The right to push to a repository, whatever the tag.
pub(super) fn push_to(repository: &RepositoryName) -> Need {
    one(Action::Push, repository)
}

fn one(action: Action, repository: &RepositoryName) -> Need {
    Need::Permissions(vec![permission(action, repository, None)])
}

fn permission(action: Action, repository: &RepositoryName, tag: Option<Tag>) -> Permission {
    Permission {
        action,
        repository: repository.clone(),
        tag,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use http::Uri;
    use insta::assert_snapshot;

    use super::*;

    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    /// One target of each kind of endpoint; [`kind`] fails to compile when one is added.
    fn targets() -> Vec<String> {
        vec![
            "/v2/".to_owned(),
            "/v2/_catalog".to_owned(),
            "/v2/_oci/ext/discover".to_owned(),
            "/v2/a/b/blobs/uploads/".to_owned(),
            "/v2/a/b/blobs/uploads/01ARZ3NDEKTSV4RRFFQ69G5FAV-sha256-000102030405060708090a0b0c0d0e0f".to_owned(),
            format!("/v2/a/b/blobs/{DIGEST}"),
            "/v2/a/b/manifests/v1".to_owned(),
            format!("/v2/a/b/manifests/{DIGEST}"),
            format!("/v2/a/b/manifests/{DIGEST}?tag=v1&tag=v2"),
            "/v2/a/b/tags/list".to_owned(),
            format!("/v2/a/b/referrers/{DIGEST}"),
            "/v2/a/b/_cairn/trust/v1".to_owned(),
        ]
    }

    fn kind(endpoint: &Endpoint) -> usize {
        match endpoint {
            Endpoint::Base => 0,
            Endpoint::Catalog => 1,
            Endpoint::Discover => 2,
            Endpoint::Uploads(_) => 3,
            Endpoint::Upload(..) => 4,
            Endpoint::Blob(..) => 5,
            Endpoint::Manifest(..) => 6,
            Endpoint::Tags(_) => 7,
            Endpoint::Referrers(..) => 8,
            Endpoint::Trust(..) => 9,
        }
    }

    #[test]
    fn every_endpoint_and_method_has_a_decision() {
        let mut table = String::new();
        let mut kinds = std::collections::BTreeSet::new();
        for target in targets() {
            let uri: Uri = target.parse().unwrap();
            let endpoint = Endpoint::parse(uri.path()).unwrap();
            kinds.insert(kind(&endpoint));
            for method in METHODS {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let need = match needs(&endpoint, &method, &Query::of(&uri)) {
                    None => continue,
                    Some(Need::Answer) => "answer".to_owned(),
                    Some(Need::Catalog) => "catalog".to_owned(),
                    Some(Need::Permissions(all)) => {
                        assert!(!all.is_empty(), "{method} {target}");
                        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                        all.join(", ")
                    }
                };
                let target = target.replace(DIGEST, "DIGEST");
                writeln!(table, "{method} {target}: {need}").unwrap();
            }
        }
        assert_eq!(kinds.len(), 10, "an endpoint is missing");
        assert_snapshot!(table);
    }
}
