//! What a request asks for, told from its path alone: for numbers and limits, before anything else
//! is known of it.

use http::Method;

use crate::operations::metrics::{MethodClass, RouteClass};

impl RouteClass {
    /// The class of a request's path. It may differ from the endpoint of a malformed one.
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/v2" | "/v2/" => return Self::Base,
            "/v2/_catalog" => return Self::Catalog,
            "/healthz" | "/readyz" => return Self::Health,
            _ => {}
        }
        if !path.starts_with("/v2/") {
            return if path.starts_with("/token") {
                Self::Token
            } else {
                Self::Other
            };
        }
        let mut from_right = path.rsplitn(4, '/');
        let last = from_right.next().unwrap_or_default();
        let second = from_right.next().unwrap_or_default();
        let third = from_right.next().unwrap_or_default();
        match (third, second, last) {
            ("blobs", "uploads", _) | (_, "blobs", "uploads") => Self::Upload,
            (_, "blobs", _) => Self::Blob,
            (_, "manifests", _) => Self::Manifest,
            (_, "tags", "list") => Self::Tags,
            (_, "referrers", _) => Self::Referrers,
            _ => Self::Other,
        }
    }
}

impl MethodClass {
    pub(super) fn of(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_a_class() {
        for (path, class) in [
            ("/v2/", RouteClass::Base),
            ("/v2/_catalog", RouteClass::Catalog),
            ("/v2/a/b/manifests/v1", RouteClass::Manifest),
            ("/v2/a/blobs/uploads/manifests/v1", RouteClass::Manifest),
            ("/v2/a/b/blobs/sha256:1", RouteClass::Blob),
            ("/v2/a/blobs/uploads", RouteClass::Upload),
            ("/v2/a/blobs/uploads/", RouteClass::Upload),
            ("/v2/a/blobs/uploads/01ARZ", RouteClass::Upload),
            ("/v2/a/tags/list", RouteClass::Tags),
            ("/v2/a/referrers/sha256:1", RouteClass::Referrers),
            ("/v2/a/b", RouteClass::Other),
            ("/readyz", RouteClass::Health),
            ("/", RouteClass::Other),
        ] {
            assert_eq!(RouteClass::of(path), class, "{path}");
        }
    }
}
