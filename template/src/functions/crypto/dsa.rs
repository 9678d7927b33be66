//! DSA keys of 2048 and 256 bits, in the form that OpenSSL once gave them. They sign nothing.

use crypto_bigint::{
    BoxedUint, NonZero, Odd, Resize as _,
    modular::{BoxedMontyForm, BoxedMontyParams},
};

use super::{
    der,
    go_asn1::Elements,
    prime::{first_prime, power_of_two, random},
};
use crate::functions::seed::{Stream, derive};

const P_BITS: u32 = 2048;
const Q_BITS: u32 = 256;

/// The numbers of a private key: P, Q, G, Y and X.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DsaKey {
    numbers: [Vec<u8>; 5],
}

impl DsaKey {
    /// The key that follows from a seed.
    pub(super) fn generate(seed: [u8; 32]) -> Self {
        let mut stream = Stream::new(derive(&seed, "dsa"));
        loop {
            if let Some(key) = Self::of_stream(&mut stream) {
                return key;
            }
        }
    }

    fn of_stream(stream: &mut Stream) -> Option<Self> {
        let one = BoxedUint::one();
        let two = BoxedUint::from(2_u8);
        let lowest_and_highest = power_of_two(Q_BITS - 1) | BoxedUint::one().resize(Q_BITS);
        let start = random(stream, Q_BITS) | lowest_and_highest;
        let order = first_prime(&start, &two, stream, |_| true)?;
        // P is the first prime that is one more than an even multiple of Q.
        let step = order.clone().resize(Q_BITS + 64).wrapping_shl_vartime(1);
        let above = random(stream, P_BITS) | power_of_two(P_BITS - 1);
        let rest = above.rem_vartime(&NonZero::new(step.clone()).into_option()?);
        let start = above.wrapping_sub(&rest).wrapping_add(&one);
        let modulus = first_prime(&start, &step, stream, |prime| {
            prime.bits_vartime() == P_BITS
        })?;
        let params = BoxedMontyParams::new_vartime(Odd::new(modulus.clone()).into_option()?);
        let divisor = NonZero::new(order.clone()).into_option()?;
        let (cofactor, _) = modulus.wrapping_sub(&one).div_rem_vartime(&divisor);
        let generator = BoxedMontyForm::new(two.resize(P_BITS), &params).pow(&cofactor);
        if generator == BoxedMontyForm::one(&params) {
            return None;
        }
        // Between 1 and Q - 1.
        let below = NonZero::new(order.wrapping_sub(&one)).into_option()?;
        let secret = random(stream, Q_BITS)
            .rem_vartime(&below)
            .wrapping_add(&one);
        let public = generator.pow(&secret).retrieve();
        let bytes = |number: &BoxedUint| number.to_be_bytes().into_vec();
        Some(Self {
            numbers: [
                bytes(&modulus),
                bytes(&order),
                bytes(&generator.retrieve()),
                bytes(&public),
                bytes(&secret),
            ],
        })
    }

    pub(super) fn parse(der: &[u8]) -> Result<Self, String> {
        let mut fields = Elements::new(der).structure("DSAKeyFormat")?;
        fields.small_integer()?;
        let mut numbers: [Vec<u8>; 5] = Default::default();
        for number in &mut numbers {
            *number = fields.big_integer()?.to_vec();
        }
        Ok(Self { numbers })
    }

    pub(super) fn to_der(&self) -> Vec<u8> {
        let mut parts = vec![der::integer(&[0])];
        parts.extend(self.numbers.iter().map(|number| der::integer(number)));
        der::sequence(&parts)
    }
}
