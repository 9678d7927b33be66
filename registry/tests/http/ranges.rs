//! Ranges of blobs, for resuming a download (end-2).

use crate::harness::{Server, error_of, has_header, header, noise};

#[tokio::test]
async fn ranges_of_a_blob_are_served() {
    let server = Server::start().await;
    for length in [3000_usize, 1_500_000] {
        let content = noise(length);
        let digest = server.push_blob("a", &content).await;
        let path = format!("/v2/a/blobs/{digest}");
        for (range, first, end) in [
            ("bytes=500-1499", 500, 1500),
            ("bytes=500-", 500, length),
            ("bytes=-500", length - 500, length),
            ("bytes=0-0", 0, 1),
            (&*format!("bytes=2000-{}", length + 5000), 2000, length),
            (&*format!("bytes=-{}", length + 5000), 0, length),
        ] {
            let request = server.request("GET", &path).header("range", range);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 206, "{range}");
            assert_eq!(
                header(&response, "content-range"),
                format!("bytes {first}-{}/{length}", end - 1)
            );
            assert_eq!(
                header(&response, "content-length"),
                (end - first).to_string()
            );
            assert!(
                response.bytes().await.unwrap() == content[first..end],
                "{range}"
            );
        }
        for range in ["bytes=500-0", &*format!("bytes={length}-")] {
            let request = server.request("GET", &path).header("range", range);
            let response = request.send().await.unwrap();
            assert_eq!(
                header(&response, "content-range"),
                format!("bytes */{length}")
            );
            assert_eq!(error_of(response).await.0, 416, "{range}");
        }
        for range in ["bytes=0-1,5-6", "bytes=x-y", "lines=1-2"] {
            let request = server.request("GET", &path).header("range", range);
            assert_eq!(request.send().await.unwrap().status(), 200, "{range}");
        }
    }
}

#[tokio::test]
async fn a_range_holds_only_for_the_content_it_was_begun_with() {
    let server = Server::start().await;
    let digest = server.push_blob("a", &noise(100)).await;
    let path = format!("/v2/a/blobs/{digest}");
    for (tag, expected) in [
        (format!("\"{digest}\""), 206),
        ("\"other\"".to_owned(), 200),
    ] {
        let request = server.request("GET", &path).header("range", "bytes=5-");
        let response = request.header("if-range", tag).send().await.unwrap();
        assert_eq!(response.status(), expected);
    }
    let head = server.request("HEAD", &path).header("range", "bytes=5-");
    let head = head.send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert!(!has_header(&head, "content-range"));
}
