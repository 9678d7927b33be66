//! Finds primes that follow from a seed.
//!
//! The search is ours, not a library's, since its result must stay the same when libraries
//! change: from a number of the seed's stream on, the first number of a progression that is
//! prime. Multiples of small primes are sieved out, the rest is put to the Miller-Rabin test.

use std::sync::LazyLock;

use crypto_bigint::{
    BoxedUint, Limb, NonZero, Odd, Resize as _,
    modular::{BoxedMontyForm, BoxedMontyParams},
};

use crate::functions::seed::Stream;

/// Numbers with a factor below this are sieved out.
const SIEVE_LIMIT: u32 = 1 << 16;
/// How many numbers of a progression are looked at before another one is begun: for primes of
/// 2048 bits one in 700 is prime.
const WINDOW: usize = 1 << 14;
/// Tests with a base of chance, after that with the base 2. Few composite numbers of 1024 bits pass
/// one of them, and nobody chose these numbers (FIPS 186-5, table B.1, asks for 5).
const ROUNDS: usize = 5;
/// The same for small numbers.
const ROUNDS_BELOW_1024_BITS: usize = 32;

/// The odd primes below the limit, in groups whose product is a word.
static SMALL_PRIMES: LazyLock<Vec<(u64, Vec<u32>)>> = LazyLock::new(|| {
    let limit = SIEVE_LIMIT as usize;
    let mut is_composite = vec![false; limit];
    let mut groups = Vec::new();
    let mut group = (1_u64, Vec::new());
    for number in (3..limit).step_by(2) {
        if is_composite[number] {
            continue;
        }
        for multiple in (number * number..limit).step_by(number) {
            is_composite[multiple] = true;
        }
        let prime = u32::try_from(number).unwrap_or(SIEVE_LIMIT);
        if let Some(product) = group.0.checked_mul(u64::from(prime)) {
            group.0 = product;
        } else {
            groups.push(std::mem::take(&mut group));
            group.0 = u64::from(prime);
        }
        group.1.push(prime);
    }
    groups.push(group);
    groups
});

/// The first prime among `start`, `start + step`, … that `accepts` takes, as far as one looks.
/// The start is odd and the step even.
pub(super) fn first_prime(
    start: &BoxedUint,
    step: &BoxedUint,
    stream: &mut Stream,
    accepts: impl Fn(&BoxedUint) -> bool,
) -> Option<BoxedUint> {
    let mut candidate = start.clone();
    for is_composite in sieve(start, step)? {
        if candidate.cmp_vartime(start).is_lt() {
            // It is longer than the start was.
            return None;
        }
        if !is_composite && accepts(&candidate) && is_prime(&candidate, stream) {
            return Some(candidate);
        }
        candidate.wrapping_add_assign(step);
    }
    None
}

/// Which numbers of a progression have a small factor; none if all have the same one.
fn sieve(start: &BoxedUint, step: &BoxedUint) -> Option<Vec<bool>> {
    let mut composite = vec![false; WINDOW];
    for (product, primes) in SMALL_PRIMES.iter() {
        let (start, step) = (remainder(start, *product), remainder(step, *product));
        for &prime in primes {
            let divisor = u64::from(prime);
            let (start, step) = (start % divisor, step % divisor);
            if step == 0 {
                if start == 0 {
                    return None;
                }
                continue;
            }
            let first = (divisor - start) * inverse(step, divisor) % divisor;
            let first = usize::try_from(first).unwrap_or(WINDOW);
            for index in (first..WINDOW).step_by(prime as usize) {
                composite[index] = true;
            }
        }
    }
    Some(composite)
}

pub(super) fn remainder(number: &BoxedUint, divisor: u64) -> u64 {
    match NonZero::new(Limb::from(divisor)).into_option() {
        Some(divisor) => number.rem_limb(divisor).0,
        None => 0,
    }
}

/// The number that `number` times is 1, modulo a prime below 2^32.
fn inverse(number: u64, prime: u64) -> u64 {
    let (mut power, mut exponent, mut result) = (number, prime - 2, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * power % prime;
        }
        power = power * power % prime;
        exponent >>= 1;
    }
    result
}

fn is_prime(number: &BoxedUint, stream: &mut Stream) -> bool {
    let bits = number.bits_vartime();
    if bits < 2 {
        return false;
    }
    let Some(test) = MillerRabin::new(number) else {
        return false;
    };
    let rounds = if bits >= 1024 {
        ROUNDS
    } else {
        ROUNDS_BELOW_1024_BITS
    };
    let precision = number.bits_precision();
    test.passes(&BoxedUint::from(2_u8).resize(precision))
        && (0..rounds).all(|_| test.passes(&random(stream, precision)))
}

/// A number of so many bits, or fewer.
pub(super) fn random(stream: &mut Stream, bits: u32) -> BoxedUint {
    let bytes = stream.bytes(bits.div_ceil(8) as usize);
    BoxedUint::from_be_slice_vartime(&bytes)
}

/// The number whose only bit that is set is this one, counted from 0.
pub(super) fn power_of_two(exponent: u32) -> BoxedUint {
    BoxedUint::one()
        .resize(exponent + 1)
        .wrapping_shl_vartime(exponent)
}

struct MillerRabin {
    params: BoxedMontyParams,
    one: BoxedMontyForm,
    minus_one: BoxedMontyForm,
    /// The number less one, without its factors of two.
    odd_part: BoxedUint,
    twos: u32,
}

impl MillerRabin {
    fn new(number: &BoxedUint) -> Option<Self> {
        let modulus = Odd::new(number.clone()).into_option()?;
        let params = BoxedMontyParams::new_vartime(modulus);
        let one = BoxedMontyForm::one(&params);
        let less_one = number.wrapping_sub(BoxedUint::one());
        let twos = less_one.trailing_zeros_vartime();
        Some(Self {
            minus_one: -&one,
            one,
            odd_part: less_one.wrapping_shr_vartime(twos),
            twos,
            params,
        })
    }

    fn passes(&self, base: &BoxedUint) -> bool {
        let base = base.rem_vartime(self.params.modulus().as_nz_ref());
        if base.bits_vartime() == 0 {
            return true;
        }
        let mut power = BoxedMontyForm::new(base, &self.params).pow(&self.odd_part);
        if power == self.one || power == self.minus_one {
            return true;
        }
        for _ in 1..self.twos {
            power = power.square();
            if power == self.minus_one {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primes_are_told_from_composites() {
        let mut stream = Stream::new([1; 32]);
        // A strong pseudoprime to many small bases, a Carmichael number, a square, a strong
        // pseudoprime to the base 2.
        for composite in [3_825_123_056_546_413_051_u64, 561, 65_537 * 65_537, 2047, 1] {
            assert!(
                !is_prime(&BoxedUint::from(composite), &mut stream),
                "{composite}"
            );
        }
        for prime in [3_u64, 65_537, 18_446_744_073_709_551_557] {
            assert!(is_prime(&BoxedUint::from(prime), &mut stream), "{prime}");
        }
    }

    #[test]
    fn the_first_prime_of_a_progression_is_found() {
        let mut stream = Stream::new([1; 32]);
        let start = power_of_two(100).wrapping_add(BoxedUint::one());
        let two = BoxedUint::from(2_u8);
        let found = first_prime(&start, &two, &mut stream, |_| true).unwrap();
        // As tables say.
        assert_eq!(
            found.wrapping_sub(power_of_two(100)),
            BoxedUint::from(277_u16).resize(128)
        );
        let (multiples, step) = (BoxedUint::from(21_u8), BoxedUint::from(6_u8));
        assert_eq!(first_prime(&multiples, &step, &mut stream, |_| true), None);
    }
}
