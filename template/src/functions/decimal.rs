//! Sprig's arithmetic on decimal numbers (`addf` and its like), as `shopspring/decimal` does it:
//! floats become the shortest decimals that name them, which are computed with exactly, but for
//! quotients, which are rounded to sixteen places.

use num_bigint::{BigInt, BigUint, Sign};

use super::{Function, functions, math::float};
use crate::{call::Call, limits::BYTES_PER_STEP, state::Outcome, value::Value};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "add1f" (Any) => add1f;
    "addf" (.. Any) => addf;
    "divf" (Any, .. Any) => divf;
    "mulf" (Any, .. Any) => mulf;
    "subf" (Any, .. Any) => subf;
];

/// How many places a quotient is rounded to.
const QUOTIENT_PLACES: i64 = 16;
/// No float is as large as ten to this power, and none but zero as small as to minus it.
const BEYOND_FLOATS: i64 = 400;

/// `coefficient × 10^exponent`
#[derive(Debug, Clone)]
struct Decimal {
    coefficient: BigInt,
    exponent: i64,
}

impl Decimal {
    fn new(coefficient: i64, exponent: i64) -> Self {
        Self {
            coefficient: coefficient.into(),
            exponent,
        }
    }

    /// The shortest decimal that names the float, or what Go panics with for what is no number.
    fn of_float(number: f64) -> Result<Self, String> {
        if !number.is_finite() {
            let shown = match number {
                _ if number.is_nan() => "NaN",
                _ if number > 0.0 => "+Inf",
                _ => "-Inf",
            };
            return Err(format!("Cannot create a Decimal from {shown}"));
        }
        let shortest = format!("{number:e}");
        let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let coefficient = format!("{whole}{fraction}").parse().unwrap_or(0);
        let exponent = exponent.parse().unwrap_or(0_i64);
        let places = i64::try_from(fraction.len()).unwrap_or(0);
        Ok(Self::new(coefficient, exponent - places))
    }

    /// The coefficient at a smaller exponent.
    fn at(&self, exponent: i64) -> BigInt {
        &self.coefficient * power_of_ten(self.exponent - exponent)
    }

    fn plus(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        Self {
            coefficient: self.at(exponent) + other.at(exponent),
            exponent,
        }
    }

    fn minus(&self, other: &Self) -> Self {
        let negated = Self {
            coefficient: -&other.coefficient,
            exponent: other.exponent,
        };
        self.plus(&negated)
    }

    fn times(&self, other: &Self) -> Self {
        Self {
            coefficient: &self.coefficient * &other.coefficient,
            exponent: self.exponent + other.exponent,
        }
    }

    /// The quotient, where half of the last place is rounded away from zero.
    fn divided_by(&self, other: &Self) -> Result<Self, String> {
        if other.coefficient.sign() == Sign::NoSign {
            return Err("decimal division by 0".to_owned());
        }
        let shift = self.exponent - other.exponent + QUOTIENT_PLACES;
        let (dividend, divisor) = if shift < 0 {
            let divisor = &other.coefficient * power_of_ten(-shift);
            (self.coefficient.clone(), divisor)
        } else {
            let dividend = &self.coefficient * power_of_ten(shift);
            (dividend, other.coefficient.clone())
        };
        let mut quotient = &dividend / &divisor;
        let remainder = dividend % &divisor;
        if remainder.magnitude() * 2_u32 >= *divisor.magnitude() {
            let is_negative = self.coefficient.sign() != other.coefficient.sign();
            quotient += if is_negative { -1 } else { 1 };
        }
        Ok(Self {
            coefficient: quotient,
            exponent: -QUOTIENT_PLACES,
        })
    }

    /// The nearest float.
    fn to_float(&self) -> f64 {
        let digits = self.coefficient.magnitude().bits() * 30103 / 100_000;
        let first = i64::try_from(digits)
            .unwrap_or(i64::MAX)
            .saturating_add(self.exponent);
        if self.coefficient.sign() == Sign::NoSign || first < -BEYOND_FLOATS {
            return 0.0;
        }
        if first > BEYOND_FLOATS {
            let is_negative = self.coefficient.sign() == Sign::Minus;
            return if is_negative {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            };
        }
        format!("{}e{}", self.coefficient, self.exponent)
            .parse()
            .unwrap_or(0.0)
    }

    /// How much of the budget working with it takes.
    fn steps(&self) -> usize {
        let bytes = self.coefficient.bits() / 8 + self.exponent.unsigned_abs() / 2;
        usize::try_from(bytes).unwrap_or(usize::MAX) / BYTES_PER_STEP
    }
}

fn power_of_ten(exponent: i64) -> BigInt {
    let exponent = u32::try_from(exponent).unwrap_or(0);
    BigUint::from(10_u32).pow(exponent).into()
}

type Operation = fn(&Decimal, &Decimal) -> Result<Decimal, String>;

fn decimal(call: &mut Call<'_, '_>, index: usize) -> Outcome<Decimal> {
    let number = float(call, index)?;
    Decimal::of_float(number).map_err(|problem| call.failure(problem))
}

/// The first number and all arguments from `from` on, one after the other.
fn fold(
    call: &mut Call<'_, '_>,
    mut result: Decimal,
    from: usize,
    operation: Operation,
) -> Outcome<Value> {
    for index in from..call.count() {
        let next = decimal(call, index)?;
        call.state().step(result.steps() + next.steps())?;
        result = operation(&result, &next).map_err(|problem| call.failure(problem))?;
    }
    let number = result.to_float();
    Ok(call.computed(number))
}

fn add1f(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let number = decimal(call, 0)?;
    let sum = number.plus(&Decimal::new(1, 0)).to_float();
    Ok(call.computed(sum))
}

fn addf(call: &mut Call<'_, '_>) -> Outcome<Value> {
    fold(call, Decimal::new(0, 0), 0, |left, right| {
        Ok(left.plus(right))
    })
}

fn subf(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let first = decimal(call, 0)?;
    fold(call, first, 1, |left, right| Ok(left.minus(right)))
}

fn mulf(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let first = decimal(call, 0)?;
    fold(call, first, 1, |left, right| Ok(left.times(right)))
}

fn divf(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let first = decimal(call, 0)?;
    fold(call, first, 1, Decimal::divided_by)
}
