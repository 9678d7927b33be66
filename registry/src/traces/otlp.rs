//! Spans as OTLP's protobuf messages, as far as they are used here.
//!
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/v1.10.0/opentelemetry/proto/trace/v1/trace.proto>,
//! <https://protobuf.dev/programming-guides/encoding/>

use bytes::Bytes;

use super::{Span, Value};

/// The instrumentation scope of all spans.
const SCOPE: &str = "cairn-registry";
/// `STATUS_CODE_ERROR`
const STATUS_ERROR: u64 = 2;
/// Of the trace flags. Whether a parent is remote is not said.
const FLAG_SAMPLED: u32 = 1;

/// An `ExportTraceServiceRequest`. `resource` says who sends it.
pub(super) fn export_request(resource: &[(String, String)], spans: &[Span]) -> Bytes {
    let mut resource_message = Message::default();
    for (key, value) in resource {
        resource_message.message(1, &key_value(key, &Value::Text(value.clone())));
    }
    let mut scope = Message::default();
    scope.text(1, SCOPE);
    scope.text(2, env!("CARGO_PKG_VERSION"));
    let mut scope_spans = Message::default();
    scope_spans.message(1, &scope);
    for span in spans {
        scope_spans.message(2, &span_message(span));
    }
    let mut resource_spans = Message::default();
    resource_spans.message(1, &resource_message);
    resource_spans.message(2, &scope_spans);
    let mut request = Message::default();
    request.message(1, &resource_spans);
    request.0.into()
}

fn span_message(span: &Span) -> Message {
    let mut message = Message::default();
    message.bytes(1, &span.context.trace_id);
    message.bytes(2, &span.context.span_id);
    if let Some(parent) = &span.parent {
        message.bytes(4, parent);
    }
    message.text(5, &span.name);
    message.number(6, span.kind as u64);
    message.fixed_64(7, span.started_unix_ns);
    message.fixed_64(8, span.ended_unix_ns);
    for (key, value) in &span.attributes {
        message.message(9, &key_value(key, value));
    }
    if let Some(failure) = &span.failure {
        let mut status = Message::default();
        status.text(2, failure);
        status.number(3, STATUS_ERROR);
        message.message(15, &status);
    }
    message.fixed_32(16, FLAG_SAMPLED);
    message
}

fn key_value(key: &str, value: &Value) -> Message {
    let mut any = Message::default();
    match value {
        Value::Text(text) => any.text(1, text),
        Value::Number(number) => any.number(3, number.cast_unsigned()),
    }
    let mut message = Message::default();
    message.text(1, key);
    message.message(2, &any);
    message
}

/// A message being written. Fields of the default value are written, too: that is allowed.
#[derive(Default)]
struct Message(Vec<u8>);

/// Wire types.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED_32: u64 = 5;

impl Message {
    fn varint(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            if number < 0x80 {
                return self.0.push(low);
            }
            self.0.push(low | 0x80);
            number >>= 7;
        }
    }

    fn tag(&mut self, field: u64, wire_type: u64) {
        self.varint((field << 3) | wire_type);
    }

    fn number(&mut self, field: u64, number: u64) {
        self.tag(field, VARINT);
        self.varint(number);
    }

    fn fixed_64(&mut self, field: u64, number: u64) {
        self.tag(field, FIXED_64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn fixed_32(&mut self, field: u64, number: u32) {
        self.tag(field, FIXED_32);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.tag(field, LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }
}
