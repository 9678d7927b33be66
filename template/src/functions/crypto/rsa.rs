//! RSA keys: made from a seed, read as Go reads them, and signing with PKCS #1 v1.5.

use std::{cmp::Ordering, num::NonZeroU64, sync::OnceLock, thread};

use crypto_bigint::{
    BoxedUint, ConcatenatingMul as _, Gcd as _, Limb, NonZero, Odd, Resize as _,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use sha2::{Digest as _, Sha256};

use super::{
    der,
    go_asn1::{Elements, is_positive},
    prime::{first_prime, power_of_two, random, remainder},
};
use crate::{
    beside::Beside,
    functions::seed::{Stream, derive},
};

const EXPONENT: u64 = 65_537;
/// The smallest key that signs, in bits, as in Go.
const MIN_BITS: u32 = 1024;
/// The largest key that is read, in bits: larger ones take seconds for a signature.
const MAX_BITS: u32 = 8192;

/// A private key of two primes, its numbers as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RsaKey {
    modulus: Vec<u8>,
    exponent: u64,
    private_exponent: Vec<u8>,
    p: Vec<u8>,
    q: Vec<u8>,
    /// The private exponent modulo `p - 1`.
    dp: Vec<u8>,
    /// The private exponent modulo `q - 1`.
    dq: Vec<u8>,
    /// The inverse of `q` modulo `p`.
    q_inverse: Vec<u8>,
}

/// How large a generated key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum KeySize {
    Bits2048,
    Bits4096,
}

impl RsaKey {
    /// The key that follows from a seed.
    pub(super) fn generate(seed: [u8; 32], size: KeySize) -> Self {
        let half = |name: &str| {
            let stream = Stream::new(derive(&seed, name));
            match size {
                KeySize::Bits2048 => half_prime(stream, 1024),
                KeySize::Bits4096 => half_prime(stream, 2048),
            }
        };
        let q = OnceLock::new();
        let p = thread::scope(|scope| {
            let beside = Beside::begin(scope);
            beside.give(|| drop(q.set(half("rsa/q"))));
            half("rsa/p")
        });
        let q = q.into_inner().unwrap_or_else(|| half("rsa/q"));
        Self::of_primes(&p, &q)
    }

    /// Both primes are odd, differ, and have a predecessor without a factor of the exponent.
    fn of_primes(p: &BoxedUint, q: &BoxedUint) -> Self {
        let (p_less_one, q_less_one) = (less_one(p), less_one(q));
        // λ(n), the least common multiple of both.
        let product = p_less_one.concatenating_mul(&q_less_one);
        let divisor = p_less_one.gcd_vartime(&q_less_one);
        let lambda = match NonZero::new(divisor).into_option() {
            Some(divisor) => product.wrapping_div_vartime(&divisor),
            None => product,
        };
        Self {
            modulus: bytes(&p.concatenating_mul(q)),
            exponent: EXPONENT,
            private_exponent: bytes(&inverse_of_exponent(&lambda)),
            dp: bytes(&inverse_of_exponent(&p_less_one)),
            dq: bytes(&inverse_of_exponent(&q_less_one)),
            q_inverse: inverse_modulo(q, p).map_or_else(Vec::new, |inverse| bytes(&inverse)),
            p: bytes(p),
            q: bytes(q),
        }
    }

    /// Reads PKCS #1 (RFC 8017, appendix A.1.2).
    pub(super) fn parse(der: &[u8]) -> Result<Self, String> {
        let mut outer = Elements::new(der);
        let mut fields = outer.structure("pkcs1PrivateKey")?;
        let version = fields.small_integer()?;
        let modulus = fields.big_integer()?;
        let exponent = fields.small_integer()?;
        let required = [
            fields.big_integer()?,
            fields.big_integer()?,
            fields.big_integer()?,
        ];
        let mut computed = [None; 3];
        for value in &mut computed {
            *value = fields.optional_big_integer()?;
        }
        if !outer.is_empty() {
            return Err("asn1: syntax error: trailing data".to_owned());
        }
        if version > 1 {
            return Err("x509: unsupported private key version".to_owned());
        }
        let numbers = [modulus].into_iter().chain(required);
        if !numbers
            .chain(computed.into_iter().flatten())
            .all(is_positive)
        {
            return Err("x509: private key contains zero or negative value".to_owned());
        }
        if !fields.is_empty() {
            return Err("crypto/rsa: keys of more than two primes are not supported".to_owned());
        }
        let [private_exponent, p, q] = required;
        if [modulus, p, q].into_iter().any(|number| number == [1]) {
            return Err("modulus must be > 1".to_owned());
        }
        check_public(modulus, exponent)?;
        let (p_number, q_number) = (number(p), number(q));
        let whole = number(private_exponent);
        let [dp, dq, q_inverse] = computed;
        let reduced = |given: Option<&[u8]>, prime: &BoxedUint| match given {
            Some(given) => given.to_vec(),
            None => modulo(&whole, &less_one(prime)).map_or_else(Vec::new, |rest| bytes(&rest)),
        };
        let key = Self {
            modulus: der::trimmed(modulus).to_vec(),
            exponent: u64::try_from(exponent).unwrap_or_default(),
            private_exponent: der::trimmed(private_exponent).to_vec(),
            dp: der::trimmed(&reduced(dp, &p_number)).to_vec(),
            dq: der::trimmed(&reduced(dq, &q_number)).to_vec(),
            q_inverse: match q_inverse {
                Some(given) => der::trimmed(given).to_vec(),
                None => inverse_modulo(&q_number, &p_number)
                    .map_or_else(Vec::new, |inverse| bytes(&inverse)),
            },
            p: der::trimmed(p).to_vec(),
            q: der::trimmed(q).to_vec(),
        };
        key.check()?;
        Ok(key)
    }

    /// Whether the numbers belong together, in Go's order.
    fn check(&self) -> Result<(), String> {
        let error = |reason: &str| Err(format!("crypto/rsa: {reason}"));
        let (p, q) = (number(&self.p), number(&self.q));
        if bytes(&p.concatenating_mul(&q)) != self.modulus {
            return error("p * q != n");
        }
        for (prime, reduced) in [(&p, &self.dp), (&q, &self.dq)] {
            let product = number(reduced).concatenating_mul(BoxedUint::from(self.exponent));
            match modulo(&product, &less_one(prime)) {
                None => return error("invalid prime"),
                Some(rest) if bytes(&rest) != [1] => return error("invalid CRT exponent"),
                Some(_) => {}
            }
        }
        let product = q.concatenating_mul(number(&self.q_inverse));
        if modulo(&product, &p).is_none_or(|rest| bytes(&rest) != [1]) {
            return error("invalid CRT coefficient");
        }
        let whole = number(&self.private_exponent);
        for (prime, reduced, name) in [(&p, &self.dp, "dP"), (&q, &self.dq, "dQ")] {
            let rest = modulo(&whole, &less_one(prime));
            if rest.is_none_or(|rest| bytes(&rest) != *reduced) {
                return error(&format!("d does not match {name}"));
            }
        }
        let bits = bit_length(&self.modulus);
        let difference = match p.cmp_vartime(&q) {
            Ordering::Less => q.wrapping_sub(&p),
            _ => p.wrapping_sub(&q),
        };
        if difference.bits_vartime() + 100 <= bits / 2 {
            return error("|p - q| too small");
        }
        if whole.bits_vartime() <= bits / 2 {
            return error("d too small");
        }
        Ok(())
    }

    pub(super) fn to_pkcs1(&self) -> Vec<u8> {
        der::sequence(&[
            der::integer(&[0]),
            der::integer(&self.modulus),
            der::integer(&self.exponent.to_be_bytes()),
            der::integer(&self.private_exponent),
            der::integer(&self.p),
            der::integer(&self.q),
            der::integer(&self.dp),
            der::integer(&self.dq),
            der::integer(&self.q_inverse),
        ])
    }

    /// The public key as PKCS #1 has it.
    pub(super) fn public_key(&self) -> Vec<u8> {
        der::sequence(&[
            der::integer(&self.modulus),
            der::integer(&self.exponent.to_be_bytes()),
        ])
    }

    /// The signature of a message's SHA-256 (RFC 8017, section 8.2.1).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let bits = bit_length(&self.modulus);
        if bits < MIN_BITS {
            return Err(format!(
                "crypto/rsa: {bits}-bit keys are insecure (see https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size)"
            ));
        }
        let encoded = encoded_digest(message, self.modulus.len());
        let message = number(&encoded);
        let is_right = |signature: &BoxedUint| {
            let opened = self.public_operation(signature);
            opened.is_some_and(|opened| bytes(&opened) == der::trimmed(&encoded))
        };
        self.private_operation(&message)
            .filter(is_right)
            .map(|signature| {
                let bytes = bytes(&signature);
                let mut padded = vec![0; self.modulus.len().saturating_sub(bytes.len())];
                padded.extend_from_slice(&bytes);
                padded
            })
            .ok_or_else(|| {
                "x509: signature returned by signer is invalid: crypto/rsa: verification error"
                    .to_owned()
            })
    }

    /// By the Chinese remainder theorem (RFC 8017, section 5.2.1).
    fn private_operation(&self, message: &BoxedUint) -> Option<BoxedUint> {
        let (p, q) = (number(&self.p), number(&self.q));
        let of_p = power(message, &number(&self.dp), &p)?;
        let of_q = power(message, &number(&self.dq), &q)?;
        let divisor = NonZero::new(p.clone()).into_option()?;
        let difference = of_p.sub_mod(&modulo(&of_q, &p)?, &divisor);
        let product = difference.concatenating_mul(number(&self.q_inverse));
        let factor = modulo(&product, &p)?;
        Some(factor.concatenating_mul(&q).wrapping_add(&of_q))
    }

    fn public_operation(&self, signature: &BoxedUint) -> Option<BoxedUint> {
        let modulus = number(&self.modulus);
        power(signature, &BoxedUint::from(self.exponent), &modulus)
    }
}

fn check_public(modulus: &[u8], exponent: i64) -> Result<(), String> {
    let error = |reason: String| Err(format!("crypto/rsa: {reason}"));
    let bits = bit_length(modulus);
    if bits > MAX_BITS {
        return error(format!(
            "keys of more than {MAX_BITS} bits are not supported"
        ));
    }
    if modulus.last().is_none_or(|last| last & 1 == 0) {
        return error("public modulus is even".to_owned());
    }
    if exponent < 2 {
        return error("public exponent too small or negative".to_owned());
    }
    if exponent & 1 == 0 {
        return error("public exponent is even".to_owned());
    }
    if i32::try_from(exponent).is_err() {
        return error("public exponent too large".to_owned());
    }
    Ok(())
}

/// A prime whose two highest bits are set, so that the product of two has twice its bits.
fn half_prime(mut stream: Stream, bits: u32) -> BoxedUint {
    let fixed = power_of_two(bits - 1)
        | power_of_two(bits - 2).resize(bits)
        | BoxedUint::one().resize(bits);
    let two = BoxedUint::from(2_u8);
    loop {
        let start = random(&mut stream, bits) | &fixed;
        let found = first_prime(&start, &two, &mut stream, |candidate| {
            remainder(candidate, EXPONENT) != 1
        });
        if let Some(prime) = found {
            return prime;
        }
    }
}

/// The number that times the exponent is 1 modulo an even number: `(1 + k·modulus) / exponent` for
/// the `k` that makes it whole.
fn inverse_of_exponent(modulus: &BoxedUint) -> BoxedUint {
    let divisor = NonZero::<Limb>::from_u64(EXPONENT_NOT_ZERO);
    let rest = modulus.rem_limb(divisor).0;
    // The exponent is a prime: `rest^(exponent - 2)` is the inverse of `rest`.
    let (mut power, mut left, mut inverse) = (rest, EXPONENT - 2, 1);
    while left > 0 {
        if left & 1 == 1 {
            inverse = inverse * power % EXPONENT;
        }
        power = power * power % EXPONENT;
        left >>= 1;
    }
    let factor = (EXPONENT - inverse) % EXPONENT;
    let product = modulus.concatenating_mul(BoxedUint::from(factor));
    product
        .wrapping_add(BoxedUint::one())
        .div_rem_limb(divisor)
        .0
}

const EXPONENT_NOT_ZERO: NonZeroU64 = match NonZeroU64::new(EXPONENT) {
    Some(exponent) => exponent,
    None => NonZeroU64::MIN,
};

/// SHA-256 of a message, as EMSA-PKCS1-v1_5 pads it to so many bytes.
fn encoded_digest(message: &[u8], length: usize) -> Vec<u8> {
    let info = der::sequence(&[
        der::sequence(&[der::object_identifier(der::oid::SHA256), der::null()]),
        der::octet_string(&Sha256::digest(message)),
    ]);
    let mut encoded = vec![0, 1];
    encoded.resize(length.saturating_sub(info.len() + 1), 0xff);
    encoded.push(0);
    encoded.extend_from_slice(&info);
    encoded
}

/// The base to the exponent, modulo an odd number.
fn power(base: &BoxedUint, exponent: &BoxedUint, modulus: &BoxedUint) -> Option<BoxedUint> {
    let base = modulo(base, modulus)?;
    let params = BoxedMontyParams::new_vartime(Odd::new(modulus.clone()).into_option()?);
    let form = BoxedMontyForm::new(base, &params);
    Some(form.pow(exponent).retrieve())
}

/// The remainder, with the precision of the divisor; none of a division by zero.
fn modulo(number: &BoxedUint, divisor: &BoxedUint) -> Option<BoxedUint> {
    let divisor = NonZero::new(divisor.clone()).into_option()?;
    Some(number.rem_vartime(&divisor))
}

fn inverse_modulo(number: &BoxedUint, modulus: &BoxedUint) -> Option<BoxedUint> {
    let modulus = Odd::new(modulus.clone()).into_option()?;
    modulo(number, modulus.as_ref())?
        .invert_odd_mod_vartime(&modulus)
        .into_option()
}

fn less_one(number: &BoxedUint) -> BoxedUint {
    number.wrapping_sub(BoxedUint::one())
}

fn number(big_endian: &[u8]) -> BoxedUint {
    match big_endian {
        [] => BoxedUint::zero(),
        digits => BoxedUint::from_be_slice_vartime(digits),
    }
}

fn bytes(number: &BoxedUint) -> Vec<u8> {
    number.to_be_bytes_trimmed_vartime().into_vec()
}

fn bit_length(big_endian: &[u8]) -> u32 {
    let digits = der::trimmed(big_endian);
    let Some(first) = digits.first() else {
        return 0;
    };
    let bits = digits.len().saturating_mul(8);
    u32::try_from(bits)
        .unwrap_or(u32::MAX)
        .saturating_sub(first.leading_zeros())
}
