//! Passwords: their hashes, and those that follow from a master password.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{
    call::Call,
    functions::seed::{Kind, generated},
    state::Outcome,
    value::{Data, Value},
};

/// What Go's `bcrypt.DefaultCost` is.
const BCRYPT_COST: u32 = 10;
/// bcrypt reads no more, in bytes.
const MAX_BCRYPT_PASSWORD: usize = 72;
/// What a hash takes: 50 ms, and more where it is slow.
const BCRYPT_STEPS: usize = 2_000_000;
/// What a derivation takes: 150 ms and 32 MiB, and more where that is slow.
const DERIVATION_STEPS: usize = 5_000_000;

pub(super) fn bcrypt(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let password = call.read_text(0)?;
    hashed(call, "", password.as_bytes())
}

pub(super) fn htpasswd(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (user, password) = (call.read_text(0)?, call.read_text(1)?);
    let user = user.as_bytes();
    if user.contains(&b':') {
        return call.computed_bytes([b"invalid username: ", user].concat());
    }
    let prefix = [user, b":"].concat();
    if password.len() > MAX_BCRYPT_PASSWORD {
        return call.computed_bytes([&prefix, TOO_LONG.as_bytes()].concat());
    }
    let Ok(prefix) = String::from_utf8(prefix) else {
        return Err(call.error(0, "must be UTF-8"));
    };
    hashed(call, &prefix, password.as_bytes())
}

const TOO_LONG: &str =
    "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes";

fn hashed(call: &mut Call<'_, '_>, prefix: &str, password: &[u8]) -> Outcome<Value> {
    if password.len() > MAX_BCRYPT_PASSWORD {
        return call.computed_text(TOO_LONG.to_owned());
    }
    call.state().step(BCRYPT_STEPS)?;
    generated(call, Kind::Text, |seed| {
        let salt = seed.stream().array();
        let parts = ::bcrypt::hash_with_salt(password, BCRYPT_COST, salt)
            .map_err(|error| error.to_string())?;
        let hash = parts.format_for_version(::bcrypt::Version::TwoA);
        Ok(format!("{prefix}{hash}").into())
    })
}

/// The algorithm of Master Password, version 1: <https://en.wikipedia.org/wiki/Master_Password_(algorithm)>.
const SCOPE: &[u8] = b"com.lyndir.masterpassword";

/// What each type of password may look like; each letter is a set of characters.
const TEMPLATES: &[(&str, &[&str])] = &[
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("short", &["Cvcn"]),
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    ("pin", &["nnnn"]),
];

fn characters(set: u8) -> &'static [u8] {
    match set {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// A password that follows from a master password: counter, type, master password, user and
/// site.
pub(super) fn derive_password(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let counter = call.value(0)?;
    call.read(&counter);
    let counter = match counter.data {
        // As a conversion to `uint32` does it.
        Data::Int(counter, _) => {
            let [_, _, _, _, low @ ..] = counter.to_be_bytes();
            u32::from_be_bytes(low)
        }
        _ => return Err(call.error(0, "must be an integer")),
    };
    let kind = call.read_text(1)?;
    let (password, user, site) = (call.read_text(2)?, call.read_text(3)?, call.read_text(4)?);
    let templates = TEMPLATES
        .iter()
        .find(|(name, _)| name.as_bytes() == kind.as_bytes());
    let Some((_, templates)) = templates else {
        let problem = [b"cannot find password template ", kind.as_bytes()].concat();
        return call.computed_bytes(problem);
    };
    call.state().step(DERIVATION_STEPS)?;
    let mut salt = SCOPE.to_vec();
    push_sized(&mut salt, user.as_bytes());
    let mut key = [0; 64];
    let derived = scrypt::Params::new(15, 8, 2)
        .map_err(|error| error.to_string())
        .and_then(|params| {
            scrypt::scrypt(password.as_bytes(), &salt, &params, &mut key)
                .map_err(|error| error.to_string())
        });
    if let Err(error) = derived {
        return Err(call.failure(error));
    }
    let mut message = SCOPE.to_vec();
    push_sized(&mut message, site.as_bytes());
    message.extend_from_slice(&counter.to_be_bytes());
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(&key) else {
        return Err(call.failure("the key is too long"));
    };
    hmac.update(&message);
    let seed = hmac.finalize().into_bytes();
    let template = pick(templates, seed[0]).copied().unwrap_or_default();
    let bytes: Vec<u8> = template
        .bytes()
        .zip(&seed[1..])
        .filter_map(|(set, &number)| pick(characters(set), number).copied())
        .collect();
    call.computed_bytes(bytes)
}

fn push_sized(buffer: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    buffer.extend_from_slice(&length.to_be_bytes());
    buffer.extend_from_slice(bytes);
}

fn pick<T>(among: &[T], number: u8) -> Option<&T> {
    among.get(usize::from(number) % among.len())
}
