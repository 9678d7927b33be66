//! Traces as OpenTelemetry's own library reads them.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use cairn_tests::{RegistryProcess, Sandbox};
use serde_json::Value;

use crate::harness::program;

/// Takes traces, and prints each request as a line of JSON.
const COLLECTOR: &str = r#"
import http.server, json, sys
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        request = ExportTraceServiceRequest.FromString(body)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        print(json.dumps(MessageToDict(request)), flush=True)
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
print(server.server_port, flush=True)
server.serve_forever()
"#;

#[test]
#[ignore = "needs opentelemetry-proto"]
fn opentelemetry_reads_what_the_registry_sends() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    sandbox.write("collector.py", COLLECTOR)?;
    let mut collector = Command::new(program("opentelemetry-proto"))
        .arg(sandbox.path().join("collector.py"))
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(collector.stdout.take().context("no output")?).lines();
    let port = lines.next().context("the collector did not start")??;

    let mut command = sandbox.command();
    command
        .env(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://127.0.0.1:{port}"),
        )
        .env("OTEL_SERVICE_NAME", "packs")
        .env("OTEL_BSP_SCHEDULE_DELAY", "60000");
    let mut registry = RegistryProcess::spawn(&mut command, &["--data", "data"])?;
    let run = sandbox.ok(&format!("registry healthcheck {}", registry.address))?;
    ensure!(run.status.success());
    // The last spans are sent before the process ends.
    registry.stop()?;
    let request: Value = serde_json::from_str(&lines.next().context("no traces came")??)?;
    collector.kill()?;
    collector.wait()?;

    let of_resource = &request["resourceSpans"][0];
    let service = &of_resource["resource"]["attributes"][0];
    assert_eq!(service["key"], "service.name");
    assert_eq!(service["value"]["stringValue"], "packs");
    let spans = of_resource["scopeSpans"][0]["spans"]
        .as_array()
        .context("no spans")?;
    let named = |name: &str| {
        let found = spans.iter().find(|span| span["name"] == name);
        found.with_context(|| format!("no span `{name}` in {request}"))
    };
    let health = named("GET health")?;
    assert_eq!(health["kind"], "SPAN_KIND_SERVER");
    assert_eq!(health["flags"], 1);
    let attributes = health["attributes"].as_array().context("no attributes")?;
    let status = attributes
        .iter()
        .find(|attribute| attribute["key"] == "http.response.status_code");
    let status = status.context("no status")?;
    assert_eq!(status["value"]["intValue"], "200");
    Ok(())
}
