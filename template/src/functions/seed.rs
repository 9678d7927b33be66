//! Values that are generated: what is chosen for a call, and the endless stream of numbers that
//! follows from a seed.

use sha2::{Digest as _, Sha256};

use super::crypto::Certificate;
use crate::{
    call::Call,
    go::format::print,
    host::Generation,
    spans::Class,
    state::Outcome,
    value::{Data, IntKind, Source, Value},
};

/// Where all of a generated value comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed {
    bytes: [u8; 32],
    /// Seconds since 1970.
    pub(super) now: i64,
}

impl Seed {
    /// The seed of a part of the value.
    pub(super) fn part(&self, name: &str) -> [u8; 32] {
        derive(&self.bytes, name)
    }

    pub(super) fn stream(&self) -> Stream {
        Stream::new(self.bytes)
    }
}

/// Another seed, which says nothing of this one.
pub(super) fn derive(seed: &[u8; 32], name: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed);
    // Longer than the counter of a stream, so that no block of it is a seed.
    hash.update(b"cairn.dev/seed/");
    hash.update(name);
    hash.finalize().into()
}

/// An endless stream of numbers that follows from a seed: SHA-256 over it and a counter.
#[derive(Debug)]
pub(super) struct Stream {
    seed: [u8; 32],
    counter: u64,
}

impl Stream {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    pub(super) fn block(&mut self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.counter.to_be_bytes());
        self.counter += 1;
        hash.finalize().into()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count.next_multiple_of(32));
        while bytes.len() < count {
            bytes.extend_from_slice(&self.block());
        }
        bytes.truncate(count);
        bytes
    }

    pub(super) fn array<const COUNT: usize>(&mut self) -> [u8; COUNT] {
        let mut array = [0; COUNT];
        for chunk in array.chunks_mut(32) {
            chunk.copy_from_slice(&self.block()[..chunk.len()]);
        }
        array
    }

    /// A number below `limit`, each equally likely.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        let unbiased = u64::MAX - u64::MAX % limit;
        loop {
            let number = u64::from_be_bytes(self.array());
            if number < unbiased {
                return number % limit;
            }
        }
    }
}

/// What a value must be that is chosen for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Certificate,
}

/// What `make` makes of the seed, or the value that is chosen for this call.
pub(super) fn generated(
    call: &mut Call<'_, '_>,
    kind: Kind,
    make: impl FnOnce(&Seed) -> Result<Value, String>,
) -> Outcome<Value> {
    let generation = call.generation()?;
    let source = Source {
        class: Class::Opaque,
        origins: call.used,
    };
    let value = match generation {
        Generation::Fixed(node) => {
            let value = Value::from_tree(&node.value, source);
            return fixed(call, kind, &value, source);
        }
        Generation::Seeded { seed, now } => make(&Seed { bytes: seed, now }),
        Generation::Refuse | Generation::Unavailable(_) => Err("the value is refused".to_owned()),
    };
    match value {
        Ok(value) => Ok(opaque(call, value, source)),
        Err(reason) => Err(call.failure(reason)),
    }
}

/// The value with where it came from: nobody knows more of it than what it was made with.
fn opaque(call: &mut Call<'_, '_>, value: Value, source: Source) -> Value {
    if let Data::Object(object) = &value.data
        && let Some(certificate) = object.as_any().downcast_ref::<Certificate>()
    {
        return call.generated(certificate.with_source(source));
    }
    call.generated(value)
}

/// The value that is chosen, if it is of the kind that the function gives.
fn fixed(call: &mut Call<'_, '_>, kind: Kind, value: &Value, source: Source) -> Outcome<Value> {
    let (found, expected) = match kind {
        Kind::Text => (value.as_bytes().is_some().then(|| value.clone()), "a text"),
        Kind::Integer => (integer(value), "an integer"),
        Kind::Certificate => (
            Certificate::of_map(value).map(Value::object),
            "a map with the texts `Cert` and `Key`",
        ),
    };
    if let Some(value) = found {
        return Ok(opaque(call, value, source));
    }
    let message = format!("the value that is chosen for it must be {expected}");
    Err(call.failure(message))
}

/// The integer, also where it is written as a text, as in a Secret.
fn integer(value: &Value) -> Option<Value> {
    let text = match value.data {
        Data::Int(..) | Data::Str(_) => print(value),
        _ => return None,
    };
    let number: i64 = std::str::from_utf8(&text).ok()?.parse().ok()?;
    Some(Data::Int(number, IntKind::Int).into())
}
