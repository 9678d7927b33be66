//! Random texts and numbers. They are made of the seed that whoever renders gives for the call;
//! without one the call is refused.

use sha2::{Digest as _, Sha256};

use super::{Function, functions};
use crate::{
    call::Call,
    host::Generation,
    spans::Class,
    state::Outcome,
    value::{Source, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "randAlpha" (Int) => rand_alpha;
    "randAlphaNum" (Int) => rand_alpha_num;
    "randAscii" (Int) => rand_ascii;
    "randInt" (Int, Int) => rand_int;
    "randNumeric" (Int) => rand_numeric;
    "uuidv4" () => uuidv4;
];

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ALPHANUMERIC: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const DIGITS: &[u8] = b"0123456789";

/// An endless stream of numbers that follows from a seed: SHA-256 over it and a counter.
struct Stream {
    seed: [u8; 32],
    counter: u64,
}

impl Stream {
    fn block(&mut self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.counter.to_be_bytes());
        self.counter += 1;
        hash.finalize().into()
    }

    /// A number below `limit`, each equally likely.
    fn below(&mut self, limit: u64) -> u64 {
        let unbiased = u64::MAX - u64::MAX % limit;
        loop {
            let block = self.block();
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&block[..8]);
            let number = u64::from_be_bytes(bytes);
            if number < unbiased {
                return number % limit;
            }
        }
    }
}

/// What `make` makes of the seed, or the value that is fixed for this call.
fn generated(call: &mut Call<'_, '_>, make: impl FnOnce(&mut Stream) -> Value) -> Outcome<Value> {
    Ok(match call.generation()? {
        Generation::Fixed(node) => {
            let source = Source {
                class: Class::Opaque,
                origins: call.used,
            };
            Value::from_tree(&node.value, source)
        }
        Generation::Seeded { seed, .. } => {
            let value = make(&mut Stream { seed, counter: 0 });
            call.generated(value)
        }
        Generation::Refuse => return Err(call.failure("the value is refused")),
    })
}

/// So many characters out of an alphabet.
fn text(call: &mut Call<'_, '_>, alphabet: &[u8]) -> Outcome<Value> {
    let count = usize::try_from(call.integer(0)?).unwrap_or(0);
    call.state().check_length(count)?;
    call.state().step(count)?;
    generated(call, |stream| {
        let characters: Vec<u8> = (0..count)
            .map(|_| {
                let index = stream.below(alphabet.len() as u64);
                alphabet[usize::try_from(index).unwrap_or(0)]
            })
            .collect();
        Value::from(characters)
    })
}

fn rand_alpha(call: &mut Call<'_, '_>) -> Outcome<Value> {
    text(call, LETTERS)
}

fn rand_alpha_num(call: &mut Call<'_, '_>) -> Outcome<Value> {
    text(call, ALPHANUMERIC)
}

fn rand_numeric(call: &mut Call<'_, '_>) -> Outcome<Value> {
    text(call, DIGITS)
}

fn rand_ascii(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let printable: Vec<u8> = (b' '..=b'~').collect();
    text(call, &printable)
}

/// At least the first, and less than the second.
fn rand_int(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (least, end) = (call.integer(0)?, call.integer(1)?);
    let width = end
        .checked_sub(least)
        .and_then(|width| u64::try_from(width).ok());
    let Some(width) = width.filter(|&width| width > 0) else {
        return Err(call.failure("invalid argument to Intn"));
    };
    generated(call, |stream| {
        let number = i64::try_from(stream.below(width)).unwrap_or(0);
        Value::from(least.saturating_add(number))
    })
}

fn uuidv4(call: &mut Call<'_, '_>) -> Outcome<Value> {
    generated(call, |stream| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&stream.block()[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = format!("{:032x}", u128::from_be_bytes(bytes));
        let parts = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        Value::from(parts.join("-"))
    })
}
