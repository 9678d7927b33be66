//! `encryptAES` and `decryptAES`: AES-256 in CBC mode, with the initialisation vector before it
//! and all of it in base64.

use ::base64::{Engine as _, engine::general_purpose::STANDARD};
use aes::{
    Aes256,
    cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _},
};

use crate::{
    call::Call,
    functions::seed::{Kind, generated},
    go::base64,
    state::Outcome,
    value::Value,
};

const BLOCK: usize = 16;

/// The password, cut or filled up with zeros to the length of a key.
fn cipher(password: &[u8]) -> Aes256 {
    let mut key = [0; 32];
    for (byte, &of_password) in key.iter_mut().zip(password) {
        *byte = of_password;
    }
    Aes256::new(&key.into())
}

pub(super) fn encrypt(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (password, text) = (call.read_text(0)?, call.read_text(1)?);
    if text.is_empty() {
        return Ok(call.computed(""));
    }
    call.state().check_length(text.len().saturating_mul(2))?;
    call.state().step(text.len())?;
    let cipher = cipher(password.as_bytes());
    generated(call, Kind::Text, |seed| {
        let mut content = text.as_bytes().to_vec();
        let padding = BLOCK - content.len() % BLOCK;
        content.resize(content.len() + padding, padding.to_be_bytes()[7]);
        let mut previous: [u8; BLOCK] = seed.stream().array();
        let mut out = previous.to_vec();
        for block in content.chunks_exact(BLOCK) {
            for (mixed, &byte) in previous.iter_mut().zip(block) {
                *mixed ^= byte;
            }
            let mut encrypted = previous.into();
            cipher.encrypt_block(&mut encrypted);
            previous = encrypted.into();
            out.extend_from_slice(&previous);
        }
        Ok(STANDARD.encode(out).into())
    })
}

/// What is wrong with the text makes Go panic, and its words are the error.
pub(super) fn decrypt(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (password, encoded) = (call.read_text(0)?, call.read_text(1)?);
    if encoded.is_empty() {
        return Ok(call.computed(""));
    }
    call.state().step(encoded.len())?;
    let bytes = match base64::decode(encoded.as_bytes()) {
        Ok(bytes) => bytes,
        Err(at) => return Err(call.failure(format!("illegal base64 data at input byte {at}"))),
    };
    // Go's buffer is as long as the text could be at most.
    let capacity = encoded.len() / 4 * 3;
    let problem = if capacity < BLOCK {
        format!("slice bounds out of range [:{BLOCK}] with capacity {capacity}")
    } else if bytes.len() < BLOCK {
        format!("slice bounds out of range [{BLOCK}:{}]", bytes.len())
    } else if bytes.len() == BLOCK {
        "index out of range [-1]".to_owned()
    } else if bytes.len() % BLOCK != 0 {
        return Err(call.failure("crypto/cipher: input not full blocks"));
    } else {
        let mut decrypted = decrypted(&cipher(password.as_bytes()), &bytes);
        let padding = decrypted.last().map_or(0, |&last| usize::from(last));
        match decrypted.len().checked_sub(padding) {
            Some(length) => {
                decrypted.truncate(length);
                return call.computed_bytes(decrypted);
            }
            None => format!(
                "slice bounds out of range [:-{}]",
                padding - decrypted.len()
            ),
        }
    };
    Err(call.failure(format!("runtime error: {problem}")))
}

/// What stands after the first block, which is the initialisation vector.
fn decrypted(cipher: &Aes256, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let blocks = bytes.chunks_exact(BLOCK);
    for (previous, block) in blocks.clone().zip(blocks.skip(1)) {
        let mut whole = [0; BLOCK];
        whole.copy_from_slice(block);
        let mut plain = whole.into();
        cipher.decrypt_block(&mut plain);
        out.extend(plain.iter().zip(previous).map(|(byte, mixed)| byte ^ mixed));
    }
    out
}
