//! Kubernetes' quantities: `100m`, `1.5Gi`, `1e3`
//! (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).

use std::{borrow::Cow, collections::BTreeMap};

use cairn_spec::agent::Resources;
use serde::{Deserialize, Deserializer};

/// More digits than this say nothing that anybody has.
const MAX_DIGITS: usize = 24;

/// A quantity in thousandths, rounded up; none if it is not one. What is too large is the largest.
pub(super) fn milli(text: &str) -> Option<u64> {
    scaled(text, 3)
}

/// A quantity in whole units, rounded up.
pub(super) fn whole(text: &str) -> Option<u64> {
    scaled(text, 0)
}

fn scaled(text: &str, decimals: i32) -> Option<u64> {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.' && letter != '+')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let (mantissa, fraction) = mantissa(number.strip_prefix('+').unwrap_or(number))?;
    let (binary, exponent) = factor(suffix)?;
    let exponent = exponent
        .saturating_add(decimals)
        .saturating_sub(i32::try_from(fraction).ok()?);
    let value = mantissa.saturating_mul(binary);
    let power = 10_u128.saturating_pow(exponent.unsigned_abs());
    let value = if exponent >= 0 {
        value.saturating_mul(power)
    } else {
        value.div_ceil(power)
    };
    Some(u64::try_from(value).unwrap_or(u64::MAX))
}

/// The digits as one number, and how many of them stand behind the point.
fn mantissa(number: &str) -> Option<(u128, usize)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let is_number = !digits.is_empty() && digits.len() <= MAX_DIGITS;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || !is_plain {
        return None;
    }
    Some((digits.parse().ok()?, fraction.len()))
}

/// A binary factor, and a power of ten.
fn factor(suffix: &str) -> Option<(u128, i32)> {
    let exponent = match suffix {
        "" => 0,
        "n" => -9,
        "u" => -6,
        "m" => -3,
        "k" => 3,
        "M" => 6,
        "G" => 9,
        "T" => 12,
        "P" => 15,
        "E" => 18,
        _ => {
            if let Some(power) = suffix.strip_prefix(['e', 'E']) {
                return Some((1, power.parse().ok()?));
            }
            let place = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
                .iter()
                .position(|binary| *binary == suffix)?;
            return Some((1_u128 << (10 * (place + 1)), 0));
        }
    };
    Some((1, exponent))
}

/// Amounts by the names of resources; those that are not reported are left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amounts(pub(super) Resources);

impl<'de> Deserialize<'de> for Amounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = Option::<BTreeMap<String, Quantity>>::deserialize(deserializer)?;
        let named = named.unwrap_or_default();
        let get = |name: &str, read: fn(&str) -> Option<u64>| {
            let quantity = named.get(name).map(Quantity::text);
            quantity.and_then(|text| read(&text)).unwrap_or_default()
        };
        Ok(Self(Resources {
            cpu_m: get("cpu", milli),
            memory_bytes: get("memory", whole),
            ephemeral_storage_bytes: get("ephemeral-storage", whole),
            pods: get("pods", whole),
        }))
    }
}

/// API servers write texts; other authors write numbers, too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Quantity {
    Text(String),
    Number(serde_json::Number),
}

impl Quantity {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
        }
    }
}

/// Adds amounts, each up to the largest.
pub(super) fn add(to: &mut Resources, more: &Resources) {
    each(to, more, u64::saturating_add);
}

/// The greater of each amount.
pub(super) fn at_least(to: &mut Resources, other: &Resources) {
    each(to, other, u64::max);
}

fn each(to: &mut Resources, other: &Resources, with: fn(u64, u64) -> u64) {
    to.cpu_m = with(to.cpu_m, other.cpu_m);
    to.memory_bytes = with(to.memory_bytes, other.memory_bytes);
    to.ephemeral_storage_bytes = with(to.ephemeral_storage_bytes, other.ephemeral_storage_bytes);
    to.pods = with(to.pods, other.pods);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (text, thousandths) in [
            ("0", 0),
            ("100m", 100),
            ("1", 1_000),
            ("1.5", 1_500),
            (".5", 500),
            ("2.", 2_000),
            ("+3", 3_000),
            ("1e3", 1_000_000),
            ("12E-1", 1_200),
            ("1n", 1),
            ("100n", 1),
            ("1Ki", 1_024_000),
            ("0.5Gi", 536_870_912_000),
            ("999999999999999999E", u64::MAX),
        ] {
            assert_eq!(milli(text), Some(thousandths), "{text}");
        }
        for text in [
            "", "m", "-1", "1x", "1.2.3", "1Kib", "1e", "0x1", "１", "1 Gi",
        ] {
            assert_eq!(milli(text), None, "{text}");
        }
        assert_eq!(whole("1500m"), Some(2));
    }

    #[test]
    fn amounts_leave_out_what_is_not_reported() {
        let amounts: Amounts =
            serde_json::from_str(r#"{"cpu": 2, "memory": "1Ki", "gpu": "7", "pods": "110"}"#)
                .unwrap();
        let expected = Resources {
            cpu_m: 2_000,
            memory_bytes: 1_024,
            ephemeral_storage_bytes: 0,
            pods: 110,
        };
        assert_eq!(amounts.0, expected);
        assert_eq!(
            serde_json::from_str::<Amounts>("null").unwrap().0,
            Resources::default()
        );
    }
}
