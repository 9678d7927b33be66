//! cosign's encrypted private keys: a PEM block whose content is JSON that names scrypt and
//! `secretbox` (`XSalsa20` with `Poly1305`) and holds the encrypted PKCS#8 DER.
//!
//! <https://github.com/secure-systems-lab/go-securesystemslib/tree/main/encrypted>
//! <https://nacl.cr.yp.to/secretbox.html>

use base64::{Engine as _, engine::general_purpose::STANDARD};
use poly1305::{Poly1305, universal_hash::KeyInit as _};
use salsa20::{
    XSalsa20,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use serde::Deserialize;
use zeroize::Zeroizing;

/// The label that cosign 2 and later write.
pub(super) const LABEL: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// The label that cosign 1 wrote.
pub(super) const OLD_LABEL: &str = "ENCRYPTED COSIGN PRIVATE KEY";

/// The most memory, in bytes, that a key may make scrypt use (256 MiB; cosign's keys use 64 MiB).
const MAX_SCRYPT_BYTES: u64 = 256 * 1024 * 1024;
/// The most passes over that memory.
const MAX_SCRYPT_PARALLELISM: u32 = 4;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

#[derive(Deserialize)]
struct Envelope {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Deserialize)]
struct Kdf {
    name: String,
    params: ScryptParams,
    salt: String,
}

#[derive(Deserialize)]
struct ScryptParams {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// Decrypts the content of a PEM block to PKCS#8 DER.
pub(super) fn decrypt(content: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let envelope: Envelope = serde_json::from_slice(content)
        .map_err(|_| "its content is not the JSON that cosign writes".to_owned())?;
    if envelope.kdf.name != "scrypt" || envelope.cipher.name != "nacl/secretbox" {
        return Err(format!(
            "`{}` with `{}` is not supported, only `scrypt` with `nacl/secretbox`",
            envelope.kdf.name, envelope.cipher.name
        ));
    }
    let decode = |text: &str, what| {
        STANDARD
            .decode(text)
            .map_err(|_| format!("its {what} is not base64"))
    };
    let salt = decode(&envelope.kdf.salt, "salt")?;
    let nonce: [u8; NONCE_BYTES] = decode(&envelope.cipher.nonce, "nonce")?
        .try_into()
        .map_err(|_| format!("its nonce does not have {NONCE_BYTES} bytes"))?;
    let boxed = decode(&envelope.ciphertext, "ciphertext")?;
    let params = scrypt_params(&envelope.kdf.params)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    scrypt::scrypt(password, &salt, &params, &mut *key).map_err(|error| error.to_string())?;
    open(&key, &nonce, &boxed).ok_or_else(|| "the password is wrong".to_owned())
}

fn scrypt_params(ScryptParams { n, r, p }: &ScryptParams) -> Result<scrypt::Params, String> {
    let bytes = n.saturating_mul(128).saturating_mul(u64::from(*r));
    if !n.is_power_of_two() || bytes > MAX_SCRYPT_BYTES || *p > MAX_SCRYPT_PARALLELISM {
        return Err("its scrypt parameters are out of bounds".to_owned());
    }
    let log_n = u8::try_from(n.trailing_zeros()).unwrap_or(u8::MAX);
    scrypt::Params::new(log_n, *r, *p).map_err(|error| error.to_string())
}

/// Opens a secretbox: the first 32 bytes of the key stream are the key of the authenticator, the
/// box is the tag and then the ciphertext.
fn open(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    boxed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (tag, ciphertext) = boxed.split_at_checked(TAG_BYTES)?;
    let mut stream = XSalsa20::new(key.into(), nonce.into());
    let mut poly_key = Zeroizing::new([0; KEY_BYTES]);
    stream.apply_keystream(&mut *poly_key);
    let expected = Poly1305::new((&*poly_key).into()).compute_unpadded(ciphertext);
    // Compared without an early end, so that time tells nothing.
    let difference = expected
        .iter()
        .zip(tag)
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    if difference != 0 {
        return None;
    }
    let mut message = Zeroizing::new(ciphertext.to_vec());
    stream.apply_keystream(&mut message);
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of "Cryptography in `NaCl`", section 10.
    #[test]
    fn nacls_test_vector_opens() {
        let key = hex::decode("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
            .unwrap();
        let nonce = hex::decode("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37").unwrap();
        let boxed = hex::decode(
            "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce\
             48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c972\
             71d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae\
             90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b3\
             7973f622a43d14a6599b1f654cb45a74e355a5",
        )
        .unwrap();
        let key = key.try_into().unwrap();
        let nonce = nonce.try_into().unwrap();
        let message = open(&key, &nonce, &boxed).unwrap();
        assert!(message.starts_with(&[0xbe, 0x07, 0x5f, 0xc5, 0x3c, 0x81, 0xf2, 0xd5]));
        let mut tampered = boxed.clone();
        tampered[20] ^= 1;
        assert!(open(&key, &nonce, &tampered).is_none());
        assert!(open(&key, &nonce, b"short").is_none());
    }

    #[test]
    fn hostile_parameters_are_refused() {
        let envelope = |n: &str, r: u32| {
            format!(
                r#"{{"kdf":{{"name":"scrypt","params":{{"N":{n},"r":{r},"p":1}},"salt":""}},
                "cipher":{{"name":"nacl/secretbox","nonce":"{}"}},"ciphertext":""}}"#,
                STANDARD.encode([0; NONCE_BYTES])
            )
        };
        for (n, r) in [
            ("0", 8),
            ("3", 8),
            ("1073741824", 8),
            ("18446744073709551615", 8),
            ("1024", u32::MAX),
        ] {
            let reason = decrypt(envelope(n, r).as_bytes(), b"").unwrap_err();
            assert!(reason.contains("out of bounds"), "{n} {r}: {reason}");
        }
        assert!(decrypt(b"{}", b"").is_err());
    }
}
