//! Tags and repositories, page by page (end-8, catalog, discovery).

use serde_json::json;

use crate::harness::{Server, error_of, has_header, header, in_memory, json_of};

/// The names on each page, from a first request on.
async fn pages(server: &Server, first: &str, field: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let response = server.send("GET", &path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(header(&response, "content-type"), "application/json");
        next = has_header(&response, "link").then(|| {
            let link = header(&response, "link");
            let target = link.strip_prefix('<').unwrap();
            target.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
        });
        let body = json_of(response).await;
        let names = serde_json::from_value(body[field].clone()).unwrap();
        pages.push(names);
    }
    pages
}

#[tokio::test]
async fn tags_are_listed_in_order() {
    let server = Server::start().await;
    for tag in ["b", "a", "B", "1.10", "1.9", "_x"] {
        server.push_tagged("a/b", tag, "1").await;
    }
    let all = ["1.10", "1.9", "B", "_x", "a", "b"];
    let list = server.get_json("/v2/a/b/tags/list").await;
    assert_eq!(list, json!({"name": "a/b", "tags": all}));
    let paged = pages(&server, "/v2/a/b/tags/list?n=4", "tags").await;
    assert_eq!(paged, [&all[..4], &all[4..]]);
    // The last full page does not promise another one.
    let paged = pages(&server, "/v2/a/b/tags/list?n=3", "tags").await;
    assert_eq!(paged, [&all[..3], &all[3..]]);
    let after = pages(&server, "/v2/a/b/tags/list?last=A", "tags").await;
    assert_eq!(after, [&all[2..]]);
    let none = server.send("GET", "/v2/a/b/tags/list?n=0").await;
    assert!(!has_header(&none, "link"));
    assert_eq!(json_of(none).await["tags"], json!([]));
    for n in ["-1", "x", ""] {
        let path = format!("/v2/a/b/tags/list?n={n}");
        let refused = error_of(server.send("GET", &path).await).await;
        assert_eq!(refused, (400, "PAGINATION_NUMBER_INVALID".to_owned()));
    }
    let unknown = error_of(server.send("GET", "/v2/nowhere/tags/list").await).await;
    assert_eq!(unknown, (404, "NAME_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn repositories_are_listed_in_order() {
    let server = Server::start().await;
    assert_eq!(
        pages(&server, "/v2/_catalog", "repositories").await,
        [[""; 0]]
    );
    let names = ["a", "a-b", "a/b", "a/b/c", "b"];
    for name in names.iter().rev() {
        server.push_tagged(name, "v1", "1").await;
    }
    assert_eq!(
        pages(&server, "/v2/_catalog", "repositories").await,
        [names]
    );
    let paged = pages(&server, "/v2/_catalog?n=2", "repositories").await;
    assert_eq!(paged, [&names[..2], &names[2..4], &names[4..]]);
    let after = pages(&server, "/v2/_catalog?last=a/b", "repositories").await;
    assert_eq!(after, [&names[3..]]);
}

#[tokio::test]
async fn an_unbounded_list_is_still_paged() {
    let mut config = in_memory();
    config.limits.page_entries = 2;
    let server = Server::with(config).await;
    for tag in ["a", "b", "c"] {
        server.push_tagged("a", tag, "1").await;
    }
    for path in ["/v2/a/tags/list", "/v2/a/tags/list?n=1000"] {
        assert_eq!(
            pages(&server, path, "tags").await,
            [&["a", "b"][..], &["c"]]
        );
    }
}

#[tokio::test]
async fn the_registry_says_what_it_speaks() {
    let server = Server::start().await;
    for path in ["/v2/", "/v2"] {
        let response = server.send("GET", path).await;
        assert_eq!(response.status(), 200);
        let version = header(&response, "docker-distribution-api-version");
        assert_eq!(version, "registry/2.0");
    }
    let extensions = server.get_json("/v2/_oci/ext/discover").await;
    assert_eq!(extensions, json!({"extensions": []}));
}
