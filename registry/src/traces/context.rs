//! Where in a trace something happens, and how that is written in a header.
//!
//! <https://www.w3.org/TR/trace-context/#traceparent-header>

use std::fmt;

/// What future versions may have after what is read here, in bytes.
const MAX_BYTES: usize = 256;

/// Where in a trace something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceContext {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) is_sampled: bool,
}

impl TraceContext {
    /// The beginning of a trace.
    pub(crate) fn random() -> Self {
        Self {
            trace_id: rand::random(),
            span_id: rand::random(),
            is_sampled: false,
        }
    }

    /// A place below this one.
    pub(crate) fn child(&self) -> Self {
        Self {
            span_id: rand::random(),
            ..*self
        }
    }

    /// Reads a `traceparent`; what is malformed is no trace.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let mut fields = text.split('-');
        let version = byte(fields.next()?)?;
        let mut context = Self {
            trace_id: [0; 16],
            span_id: [0; 8],
            is_sampled: false,
        };
        hex::decode_to_slice(fields.next()?, &mut context.trace_id).ok()?;
        hex::decode_to_slice(fields.next()?, &mut context.span_id).ok()?;
        context.is_sampled = byte(fields.next()?)? & 1 == 1;
        let is_whole = version != 0xff && (version != 0 || fields.next().is_none());
        let is_named = context.trace_id != [0; 16] && context.span_id != [0; 8];
        (is_whole && is_named).then_some(context)
    }

    /// The trace, as logs name it.
    pub(crate) fn trace_id(&self) -> String {
        hex::encode(self.trace_id)
    }
}

fn byte(text: &str) -> Option<u8> {
    let mut byte = [0];
    hex::decode_to_slice(text, &mut byte).ok()?;
    Some(byte[0])
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace_id, span_id) = (hex::encode(self.trace_id), hex::encode(self.span_id));
        write!(
            f,
            "00-{trace_id}-{span_id}-{:02x}",
            u8::from(self.is_sampled)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_written() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = TraceContext::parse(text).unwrap();
        assert_eq!(context.to_string(), text);
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        // Of later versions, what is known is read.
        let later = text.replacen("00", "01", 1) + "-more";
        assert_eq!(TraceContext::parse(&later), Some(context));
        let other_flags = text.replace("-01", "-02");
        assert!(!TraceContext::parse(&other_flags).unwrap().is_sampled);
        for malformed in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
        ] {
            assert_eq!(TraceContext::parse(malformed), None, "{malformed}");
        }
    }
}
