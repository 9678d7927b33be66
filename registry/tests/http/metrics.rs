//! The numbers as a scraper sees them.

use std::net::{Ipv4Addr, SocketAddr};

use cairn_registry::MetricsConfig;

use crate::harness::{Server, header, in_memory};

#[tokio::test]
async fn metrics_tell_what_was_done() {
    let mut config = in_memory();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.metrics = Some(MetricsConfig { listen });
    let server = Server::with(config).await;
    server.push_tagged("secret/name", "v1", "1").await;
    server.status("GET", "/v2/secret/name/manifests/v1").await;
    server.status("GET", "/v2/secret/name/manifests/v2").await;
    // The registry's own listener does not tell.
    assert_eq!(server.status("GET", "/metrics").await, 404);

    let response = server.metrics().await;
    let media_type = header(&response, "content-type");
    assert!(media_type.starts_with("application/openmetrics-text"));
    let text = response.text().await.unwrap();
    for line in [
        r#"cairn_registry_http_requests_total{route="manifest",method="GET",status="200"} 1"#,
        r#"cairn_registry_http_requests_total{route="manifest",method="GET",status="404"} 1"#,
        r#"cairn_registry_http_requests_total{route="manifest",method="PUT",status="201"} 1"#,
        r#"cairn_registry_http_request_duration_seconds_count{route="manifest",method="GET"} 2"#,
        r#"cairn_registry_http_requests_total{route="upload",method="POST",status="202"} 2"#,
        "cairn_registry_connections 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.contains(
        r#"storage_operation_duration_seconds_count{operation="record_write",outcome="ok"}"#
    ));
    assert!(text.contains("cairn_registry_process_resident_memory_bytes "));
    assert!(!text.contains("secret"), "{text}");
    server.stop().await;
}
