//! Random texts and numbers. They are made of the seed that whoever renders gives for the call;
//! without one the call is refused.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Function, functions,
    seed::{Kind, Stream, generated},
};
use crate::{call::Call, state::Outcome, value::Value};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "randAlpha" (Int) => rand_alpha;
    "randAlphaNum" (Int) => rand_alpha_num;
    "randAscii" (Int) => rand_ascii;
    "randBytes" (Int) => rand_bytes;
    "randInt" (Int, Int) => rand_int;
    "randNumeric" (Int) => rand_numeric;
    "shuffle" (String) => shuffle;
    "uuidv4" () => uuidv4;
];

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ALPHANUMERIC: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const DIGITS: &[u8] = b"0123456789";

/// So many characters out of an alphabet.
fn text(call: &mut Call<'_, '_>, alphabet: &[u8]) -> Outcome<Value> {
    let count = usize::try_from(call.integer(0)?).unwrap_or(0);
    if count == 0 {
        return Ok(call.computed(""));
    }
    call.state().check_length(count)?;
    call.state().step(count)?;
    generated(call, Kind::Text, |seed| {
        let mut stream = seed.stream();
        let characters: Vec<u8> = (0..count)
            .map(|_| alphabet[index_below(&mut stream, alphabet.len())])
            .collect();
        Ok(characters.into())
    })
}

fn index_below(stream: &mut Stream, count: usize) -> usize {
    usize::try_from(stream.below(count as u64)).unwrap_or(0)
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

/// So many bytes, in base64.
fn rand_bytes(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let Ok(count) = usize::try_from(call.integer(0)?) else {
        return Err(call.failure("runtime error: makeslice: len out of range"));
    };
    if count == 0 {
        return Ok(call.computed(""));
    }
    call.state().check_length(count.saturating_mul(4) / 3)?;
    generated(call, Kind::Text, |seed| {
        Ok(STANDARD.encode(seed.stream().bytes(count)).into())
    })
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
    generated(call, Kind::Integer, |seed| {
        let number = i64::try_from(seed.stream().below(width)).unwrap_or(0);
        Ok(least.saturating_add(number).into())
    })
}

/// What it takes to draw the place of one character.
const SHUFFLE_STEPS: usize = 16;

/// The characters of a text in another order.
fn shuffle(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.read_text(0)?;
    let mut characters = Vec::new();
    for chunk in text.as_bytes().utf8_chunks() {
        characters.extend(chunk.valid().chars());
        characters.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    call.state()
        .step(characters.len().saturating_mul(SHUFFLE_STEPS))?;
    if characters.len() < 2 {
        return call.computed_text(characters.into_iter().collect());
    }
    call.state().check_length(text.len().saturating_mul(3))?;
    generated(call, Kind::Text, |seed| {
        let mut stream = seed.stream();
        for last in (1..characters.len()).rev() {
            let other = index_below(&mut stream, last + 1);
            characters.swap(last, other);
        }
        Ok(characters.iter().collect::<String>().into())
    })
}

fn uuidv4(call: &mut Call<'_, '_>) -> Outcome<Value> {
    generated(call, Kind::Text, |seed| {
        let mut bytes: [u8; 16] = seed.stream().array();
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
        Ok(parts.join("-").into())
    })
}
