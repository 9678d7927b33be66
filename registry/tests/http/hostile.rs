//! Requests that nobody sends by mistake: each is answered with a status and a code, none with
//! "internal error", and the server goes on.

use std::{fmt::Write as _, time::Duration};

use cairn_spec::Digest;
use insta::assert_snapshot;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    auth_harness::{Guarded, basic},
    harness::{OCI_INDEX, OCI_MANIFEST, Server},
};

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What stands for the digest of the empty blob.
const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Sends bytes as they are; the status and the code of the answer.
async fn raw(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be refused before all of it is sent.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(
        read.is_ok(),
        "no answer to {:?}",
        String::from_utf8_lossy(request)
    );
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or("closed");
    assert!(!status.starts_with("50") || status == "503", "{answer}");
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let code = body["errors"][0]["code"].as_str().unwrap_or_default();
    format!("{status} {code}").trim_end().to_owned()
}

/// A request with headers and a body, on a connection of its own.
async fn ask(address: &str, line: &str, headers: &[&str], body: &[u8]) -> String {
    let mut request = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n").into_bytes();
    for header in headers {
        request.extend_from_slice(header.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    if !headers
        .iter()
        .any(|header| header.starts_with("content-length"))
    {
        request.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    raw(address, &request).await
}

fn shortened(text: &str) -> String {
    let printable: String = text.chars().flat_map(char::escape_default).collect();
    let printable = printable.replace(EMPTY, "EMPTY");
    match printable.char_indices().nth(90) {
        Some((end, _)) => format!("{}… ({} bytes)", &printable[..end], text.len()),
        None => printable,
    }
}

#[tokio::test]
async fn hostile_paths() {
    let server = Server::start().await;
    server.push_tagged("a", "v1", "1").await;
    let long = "a".repeat(201);
    let deep = "a/".repeat(90);
    let paths = [
        "//",
        "/v2//",
        "/v2/../etc/passwd",
        "/v2/..%2f..%2fetc%2fpasswd/manifests/v1",
        "/v2/%2e%2e/%2e%2e/blobs/sha256:00",
        "/v2/a/../a/manifests/v1",
        "/v2/a%00b/manifests/v1",
        "/v2/a%0d%0ax:y/manifests/v1",
        "/v2/a%2fb/tags/list",
        "/v2/%61/tags/list",
        "/v2/%/tags/list",
        "/v2/%zz/tags/list",
        "/v2/%+1/tags/list",
        "/v2/%ff%fe/tags/list",
        "/v2/A/tags/list",
        "/v2/a_/tags/list",
        "/v2/.a/tags/list",
        "/v2/a//b/tags/list",
        "/v2/_catalog/tags/list",
        "/v2/-/manifests/v1",
        "/v2/a/manifests/",
        "/v2/a/manifests/.v1",
        "/v2/a/manifests/v%201",
        "/v2/a/manifests/v1/",
        "/v2/a/manifests/latest?../../x",
        "/v2/a/manifests/sha256:",
        "/v2/a/manifests/sha256:zz",
        "/v2/a/manifests/SHA256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "/v2/a/manifests/sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        "/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e",
        "/v2/a/blobs/sha256:../../../../../../../../../../../../../../../../../../etc/passwd0",
        "/v2/a/blobs/sha256%3ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "/v2/a/blobs/uploads/../../x",
        "/v2/a/blobs/uploads/00000000-0000-0000-0000-000000000000",
        "/v2/a/blobs/uploads/ZZZZZZZZZZZZZZZZZZZZZZZZZZ-sha256-00000000000000000000000000000000",
        "/v2/a/referrers/v1",
        "/v2/a/referrers/sha256:0",
        "/v2/a/tags/list?n=-1",
        "/v2/a/tags/list?n=+1",
        "/v2/a/tags/list?n=1e3",
        "/v2/a/tags/list?n=9223372036854775807",
        "/v2/a/tags/list?n=99999999999999999999999",
        "/v2/a/tags/list?last=%00%ff",
        "/v2/_catalog?n=0&last=../..",
        "/v2/_oci/ext/%64iscover",
        "/v2/a/_cairn/trust/..",
        "/healthz/../v2/",
        "/metrics",
        "http://other.example/v2/",
        "*",
        "v2/",
    ];
    let long_paths = [
        format!("/v2/{long}/tags/list"),
        format!("/v2/{deep}a/tags/list"),
        format!("/v2/a/manifests/{}", "t".repeat(129)),
        format!("/v2/a/blobs/sha256:{}", "0".repeat(65)),
        format!("/v2/{}", "/".repeat(7000)),
        format!("/v2/{}", "%25".repeat(2500)),
    ];
    let mut table = String::new();
    for path in paths
        .into_iter()
        .chain(long_paths.iter().map(String::as_str))
    {
        for method in ["GET", "PUT"] {
            let got = ask(&server.address, &format!("{method} {path}"), &[], b"x").await;
            writeln!(table, "{got:32} {method} {}", shortened(path)).unwrap();
        }
    }
    assert_snapshot!(table);
    assert_eq!(server.status("GET", "/v2/a/manifests/v1").await, 200);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "it is a table, a row a request")]
async fn hostile_manifests() {
    let server = Server::start().await;
    server.push_blob("a", b"").await;
    let config = format!(r#"{{"mediaType":"a/b","digest":"{EMPTY}","size":0}}"#);
    let manifest = |rest: &str| format!(r#"{{"schemaVersion":2,"config":{config}{rest}}}"#);
    let huge = format!(r#","annotations":{{"a":"{}"}}"#, "x".repeat(5 << 20));
    let many = format!(r#","layers":[{}]"#, vec![config.as_str(); 20_000].join(","));
    let cases = [
        (OCI_MANIFEST, String::new()),
        (OCI_MANIFEST, "null".to_owned()),
        (OCI_MANIFEST, "[]".to_owned()),
        (OCI_MANIFEST, "\u{feff}{}".to_owned()),
        (OCI_MANIFEST, "{".repeat(100_000)),
        (OCI_MANIFEST, "[".repeat(100_000)),
        (
            OCI_MANIFEST,
            format!(r#"{{"a":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000)),
        ),
        (OCI_MANIFEST, manifest("")),
        (OCI_MANIFEST, manifest(r#","schemaVersion":2"#)),
        (OCI_MANIFEST, manifest(r#","layers":null"#)),
        (OCI_MANIFEST, manifest(r#","layers":{}"#)),
        (OCI_MANIFEST, manifest(r#","manifests":[]"#)),
        (
            OCI_MANIFEST,
            manifest(r#","subject":{"mediaType":"a/b","digest":"sha256:0","size":1}"#),
        ),
        (OCI_MANIFEST, manifest(r#","annotations":{"a":1}"#)),
        (
            OCI_MANIFEST,
            manifest(r#","annotations":{"\u0000\r\n":"\ud800"}"#),
        ),
        (
            OCI_MANIFEST,
            manifest(r#","mediaType":"application/vnd.oci.image.index.v1+json""#),
        ),
        (OCI_MANIFEST, manifest(&huge)),
        (OCI_MANIFEST, manifest(&many)),
        (
            OCI_MANIFEST,
            manifest("").replace("\"size\":0", "\"size\":-1"),
        ),
        (
            OCI_MANIFEST,
            manifest("").replace("\"size\":0", "\"size\":1e400"),
        ),
        (
            OCI_MANIFEST,
            manifest("").replace("\"size\":0", "\"size\":18446744073709551616"),
        ),
        (
            OCI_MANIFEST,
            manifest("").replace("sha256:e3", "sha256:../e3"),
        ),
        (OCI_MANIFEST, manifest("").replace("sha256:e3", "sha256:ff")),
        (
            OCI_MANIFEST,
            manifest("").replace("Version\":2", "Version\":\"2\""),
        ),
        (
            OCI_MANIFEST,
            manifest("").replace("Version\":2", "Version\":1"),
        ),
        (OCI_INDEX, manifest("")),
        (
            OCI_INDEX,
            r#"{"schemaVersion":2,"manifests":[{}]}"#.to_owned(),
        ),
        ("text/html", manifest("")),
        ("", manifest("")),
        (
            "application/vnd.oci.image.manifest.v1+json\u{1}",
            manifest(""),
        ),
        (
            "a/b, application/vnd.oci.image.manifest.v1+json",
            manifest(""),
        ),
    ];
    let mut table = String::new();
    for (content_type, body) in &cases {
        let header = format!("content-type: {content_type}");
        let got = ask(
            &server.address,
            "PUT /v2/a/manifests/v1",
            &[&header],
            body.as_bytes(),
        )
        .await;
        let kind = content_type.rsplit('.').nth(1).unwrap_or(content_type);
        writeln!(table, "{got:32} {} {}", shortened(kind), shortened(body)).unwrap();
    }
    for target in [
        "PUT /v2/a/manifests/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "PUT /v2/a/manifests/v1?tag=..&tag=x",
        "DELETE /v2/a/manifests/none",
    ] {
        let got = ask(&server.address, target, &[], manifest("").as_bytes()).await;
        writeln!(table, "{got:32} {}", shortened(target)).unwrap();
    }
    let invalid = ask(
        &server.address,
        "PUT /v2/a/manifests/v1",
        &[],
        b"{\"a\":\"\xff\xfe\"}",
    )
    .await;
    writeln!(table, "{invalid:32} not UTF-8").unwrap();
    assert_snapshot!(table);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "it is a table, a row a request")]
async fn hostile_ranges_and_uploads() {
    let server = Server::start().await;
    let blob = server.push_blob("a", &[7; 100]).await;
    let mut table = String::new();
    for range in [
        "bytes=0-",
        "bytes=-",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=99-98",
        "bytes=100-",
        "bytes=-0",
        "bytes=-18446744073709551615",
        "bytes=0-18446744073709551615",
        "bytes=18446744073709551615-18446744073709551615",
        "bytes=0-99999999999999999999999",
        "bytes=0-0,1-1",
        "bytes=0-0, 0-0, 0-0, 0-0, 0-0, 0-0",
        "bytes=0x0-0x9",
        "bytes= 0 - 9",
        "BYTES=0-9",
        "items=0-9",
        "bytes=0-9\u{e9}",
        "",
    ] {
        let header = format!("range: {range}");
        let line = format!("GET /v2/a/blobs/{blob}");
        let got = ask(&server.address, &line, &[&header], b"").await;
        writeln!(table, "{got:32} range: {}", shortened(range)).unwrap();
    }
    for headers in [
        &["content-range: 0-4"][..],
        &["content-range: 1-5"],
        &["content-range: 4-0"],
        &["content-range: -5"],
        &["content-range: +0-+4"],
        &["content-range: 0-18446744073709551615"],
        &["content-range: 0-9"],
        &["content-range: bytes 0-4/5"],
        &["content-range: bytes */5"],
        &["content-range: a-b"],
        &["content-range: 0-4", "content-range: 5-9"],
        &["content-length: 5", "content-length: 5"],
        &["content-length: -1"],
        &["content-length: 18446744073709551616"],
        &["content-length: 5", "transfer-encoding: chunked"],
        &["transfer-encoding: gzip", "content-length: 5"],
        &["expect: 200-maybe"],
        &["content-encoding: gzip"],
    ] {
        let location = server.start_upload("a").await;
        let got = ask(
            &server.address,
            &format!("PATCH {location}"),
            headers,
            b"hello",
        )
        .await;
        writeln!(table, "{got:32} PATCH {headers:?}").unwrap();
    }
    let digest = Digest::sha256(b"hello");
    for query in [
        "",
        "?digest=",
        "?digest=sha256:0",
        "?digest=md5:d41d8cd98f00b204e9800998ecf8427e",
        &format!("?digest={EMPTY}"),
        &format!("?digest={digest}&digest={EMPTY}"),
        &format!("?digest={digest}%00"),
        &format!("?DIGEST={digest}"),
        "?digest=%zz",
    ] {
        let location = server.start_upload("a").await;
        let got = ask(
            &server.address,
            &format!("PUT {location}{query}"),
            &[],
            b"hello",
        )
        .await;
        writeln!(table, "{got:32} PUT {}", shortened(query)).unwrap();
    }
    let location = server.start_upload("a").await;
    for target in [
        location.replace("/v2/a/", "/v2/b/"),
        location.replace("-sha256-", "-sha512-"),
        location[..location.len() - 1].to_owned(),
        format!("{location}0"),
        location.to_lowercase(),
    ] {
        let got = ask(&server.address, &format!("PATCH {target}"), &[], b"hello").await;
        writeln!(table, "{got:32} PATCH of another upload").unwrap();
    }
    for query in [
        "?mount=..&from=a",
        &format!("?mount={blob}&from=../a"),
        &format!("?mount={blob}&from="),
        "?digest-algorithm=md5",
        "?digest=sha256:zz",
    ] {
        let line = format!("POST /v2/b/blobs/uploads/{query}");
        let got = ask(&server.address, &line, &[], b"").await;
        let query = query.replace(blob.as_str(), "BLOB");
        writeln!(table, "{got:32} POST {}", shortened(&query)).unwrap();
    }
    assert_snapshot!(table);
}

#[tokio::test]
async fn hostile_requests_as_such() {
    let server = Server::start().await;
    let mut table = String::new();
    for request in [
        "",
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET /v2/\r\n\r\n",
        "GET /v2/ HTTP/9.9\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nhost: x\r\nhost: y\r\nconnection: close\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\n host: x\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nhost : x\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nx\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nhost: x\0\r\n\r\n",
        "G\u{e9}T /v2/ HTTP/1.1\r\nhost: x\r\n\r\n",
        "TRACE /v2/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "CONNECT x:443 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "get /v2/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n",
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings, close\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: ';\r\nx-forwarded-proto: javascript\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: \u{1b}[31m\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}",
    ] {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        // The half that is left can only end.
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{request:?}");
        let answer = String::from_utf8_lossy(&answer);
        let status = match answer
            .strip_prefix("HTTP/1.1 ")
            .or(answer.strip_prefix("HTTP/1.0 "))
        {
            Some(rest) => rest.split(' ').next().unwrap_or_default(),
            None => "closed",
        };
        assert_ne!(status, "500", "{request:?}");
        writeln!(table, "{status:8} {}", shortened(request)).unwrap();
    }
    assert_snapshot!(table);
    assert_eq!(server.status("GET", "/v2/").await, 200);
}

#[tokio::test]
async fn hostile_credentials() {
    let guarded = Guarded::start().await;
    guarded.push("apps/a", "v1").await;
    let long = format!("Bearer {}", "a".repeat(13_000));
    let mut table = String::new();
    for value in [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YWRh",
        "Basic OnBhc3N3b3Jk",
        "Basic /////w==",
        "Bearer",
        "Bearer .",
        "Bearer ..",
        "Bearer a.b",
        "Bearer a.b.c.d",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.",
        "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.AAAA",
        "Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLy4uL2Rldi9udWxsIn0.e30.AAAA",
        "Bearer cairn_",
        "Bearer cairn_../../x",
        "Negotiate AAAA",
        "basic YWRhOmFkYS1wYXNzd29yZA==, Basic YWRhOmFkYS1wYXNzd29yZA==",
        long.as_str(),
    ] {
        let header = format!("authorization: {value}");
        let line = "GET /v2/apps/a/manifests/v1";
        let got = ask(&guarded.server.address, line, &[&header], b"").await;
        writeln!(table, "{got:32} {}", shortened(value)).unwrap();
    }
    let twice = format!("authorization: {}", basic("bob", "bob-password"));
    let line = "GET /v2/apps/a/manifests/v1";
    let got = ask(&guarded.server.address, line, &[&twice, &twice], b"").await;
    writeln!(table, "{got:32} two headers").unwrap();
    let sign_in = format!("authorization: {}", basic("bob", "bob-password"));
    for query in [
        "",
        "?scope=",
        "?scope=repository:..:pull",
        "?scope=repository:apps/a:pull,push,delete,*,root",
        "?scope=registry:catalog:*",
        "?service=other&scope=repository:apps/a:pull",
        "?scope=:::&scope=a&scope=repository:",
        "?offline_token=maybe&client_id=%00",
        &format!("?{}", "scope=repository:apps/a:pull&".repeat(70)),
    ] {
        let line = format!("GET /v2/token{query}");
        let got = ask(&guarded.server.address, &line, &[&sign_in], b"").await;
        writeln!(table, "{got:32} token {}", shortened(query)).unwrap();
    }
    for form in [
        "",
        "grant_type=password",
        "grant_type=password&username=bob&password=wrong",
        "grant_type=refresh_token&refresh_token=a.b.c",
        "grant_type=%zz",
        &"x=y&".repeat(30_000),
    ] {
        let kind = "content-type: application/x-www-form-urlencoded";
        let line = "POST /v2/token";
        let got = ask(&guarded.server.address, line, &[kind], form.as_bytes()).await;
        writeln!(table, "{got:32} form {}", shortened(form)).unwrap();
    }
    assert_snapshot!(table);
}
