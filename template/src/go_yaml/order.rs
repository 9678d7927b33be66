//! The order in which go-yaml writes keys: numbers within keys by value, letters last.

use std::cmp::Ordering;

use unicode_general_category::{GeneralCategory, get_general_category};

use super::Dialect;

/// Compares two keys as go-yaml's sorter does.
///
/// It is not a total order for every set of keys (Go's is none either), so the caller sorts
/// with [`sort`], which never panics and moves keys as Go's `sort.Sort` does.
pub(super) fn less(left: &str, right: &str, dialect: Dialect) -> bool {
    let common = left
        .bytes()
        .zip(right.bytes())
        .take_while(|(l, r)| l == r)
        .count();
    let mut start = common;
    while !left.is_char_boundary(start) {
        start -= 1;
    }
    let (Some(l), Some(r)) = (left[start..].chars().next(), right[start..].chars().next()) else {
        return left.len() < right.len();
    };
    let before = &left[..start];
    match (is_letter(l), is_letter(r)) {
        (true, true) => return l < r,
        (true, false) | (false, true) => {
            let after_digit = before.chars().next_back().is_some_and(is_digit);
            return match dialect {
                Dialect::V3 if after_digit => is_letter(l),
                _ => is_letter(r),
            };
        }
        (false, false) => {}
    }
    // A zero that follows other digits is part of their number, so it cannot be a leading one.
    let within_number = (l == '0' || r == '0')
        && before
            .chars()
            .rev()
            .take_while(|c| is_digit(*c))
            .any(|c| c != '0');
    let (l_number, l_length) = number(&left[start..], i64::from(within_number));
    let (r_number, r_length) = number(&right[start..], i64::from(within_number));
    (l_number, l_length, l).cmp(&(r_number, r_length, r)) == Ordering::Less
}

/// The value of the digits at the start, wrapping as Go's `int64` does, and how many they are.
fn number(text: &str, begin: i64) -> (i64, usize) {
    text.chars()
        .take_while(|c| is_digit(*c))
        .fold((begin, 0), |(value, length), digit| {
            let digit = i64::from(u32::from(digit)) - i64::from(u32::from('0'));
            (value.wrapping_mul(10).wrapping_add(digit), length + 1)
        })
}

fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    matches!(
        get_general_category(c),
        GeneralCategory::UppercaseLetter
            | GeneralCategory::LowercaseLetter
            | GeneralCategory::TitlecaseLetter
            | GeneralCategory::ModifierLetter
            | GeneralCategory::OtherLetter
    )
}

fn is_digit(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_digit();
    }
    get_general_category(c) == GeneralCategory::DecimalNumber
}

/// Whether the keys stand in the order of [`less`] as they are.
pub(super) fn is_sorted<'k>(keys: impl Iterator<Item = &'k str>, dialect: Dialect) -> bool {
    keys.is_sorted_by(|left, right| !less(right, left, dialect))
}

/// Sorts by [`less`]. Merge by hand, since the standard sort may panic where an order is
/// not total.
pub(super) fn sort<T>(entries: &mut [(&str, T)], dialect: Dialect)
where
    T: Copy,
{
    let mut width = 1;
    let mut from = entries.to_vec();
    let mut to = from.clone();
    while width < from.len() {
        for start in (0..from.len()).step_by(2 * width) {
            let middle = (start + width).min(from.len());
            let end = (start + 2 * width).min(from.len());
            let (mut l, mut r) = (start, middle);
            for slot in &mut to[start..end] {
                if l < middle && (r >= end || !less(from[r].0, from[l].0, dialect)) {
                    *slot = from[l];
                    l += 1;
                } else {
                    *slot = from[r];
                    r += 1;
                }
            }
        }
        std::mem::swap(&mut from, &mut to);
        width *= 2;
    }
    entries.copy_from_slice(&from);
}
