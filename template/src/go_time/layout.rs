//! Layouts: texts that show how the reference time, Mon Jan 2 15:04:05 MST 2006, is to be
//! written.

/// A part of a layout that stands for a part of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    LongMonth,
    Month,
    NumberOfMonth(Width),
    LongWeekday,
    Weekday,
    Day(Width),
    DayOfYear(Width),
    Hour,
    Hour12(Width),
    Minute(Width),
    Second(Width),
    LongYear,
    Year,
    /// `PM` or `pm`.
    HalfDay {
        is_upper: bool,
    },
    ZoneName,
    Offset {
        form: OffsetForm,
        /// None is written as `Z`.
        is_iso: bool,
    },
    Fraction {
        digits: usize,
        without_zeros: bool,
        separator: u8,
    },
}

/// What fills a number up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Free,
    Blanks,
    Zeros,
}

/// How the offset of a zone is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OffsetForm {
    Hours,
    Minutes,
    ColonMinutes,
    Seconds,
    ColonSeconds,
}

/// A text of the layout before an element.
pub(super) struct Chunk<'l> {
    pub(super) before: &'l [u8],
    /// The element as the layout writes it; none where the layout ends.
    pub(super) element: Option<(Element, &'l [u8])>,
    pub(super) after: &'l [u8],
}

/// The first element of a layout.
pub(super) fn next(layout: &[u8]) -> Chunk<'_> {
    for start in 0..layout.len() {
        let rest = &layout[start..];
        if let Some((element, length)) = element(rest) {
            let (text, after) = rest.split_at(length);
            return Chunk {
                before: &layout[..start],
                element: Some((element, text)),
                after,
            };
        }
    }
    Chunk {
        before: layout,
        element: None,
        after: &[],
    }
}

/// The elements with fixed names; of those that begin alike, the first that fits counts.
static NAMES: &[(&[u8], Element)] = &[
    (b"January", Element::LongMonth),
    (b"Jan", Element::Month),
    (b"Monday", Element::LongWeekday),
    (b"Mon", Element::Weekday),
    (b"MST", Element::ZoneName),
    (b"01", Element::NumberOfMonth(Width::Zeros)),
    (b"02", Element::Day(Width::Zeros)),
    (b"03", Element::Hour12(Width::Zeros)),
    (b"04", Element::Minute(Width::Zeros)),
    (b"05", Element::Second(Width::Zeros)),
    (b"06", Element::Year),
    (b"002", Element::DayOfYear(Width::Zeros)),
    (b"15", Element::Hour),
    (b"1", Element::NumberOfMonth(Width::Free)),
    (b"2006", Element::LongYear),
    (b"2", Element::Day(Width::Free)),
    (b"_2", Element::Day(Width::Blanks)),
    (b"__2", Element::DayOfYear(Width::Blanks)),
    (b"3", Element::Hour12(Width::Free)),
    (b"4", Element::Minute(Width::Free)),
    (b"5", Element::Second(Width::Free)),
    (b"PM", Element::HalfDay { is_upper: true }),
    (b"pm", Element::HalfDay { is_upper: false }),
];

/// The offsets behind `-` or `Z`; of those that begin alike, the first that fits counts.
static OFFSETS: &[(&[u8], OffsetForm)] = &[
    (b"070000", OffsetForm::Seconds),
    (b"07:00:00", OffsetForm::ColonSeconds),
    (b"0700", OffsetForm::Minutes),
    (b"07:00", OffsetForm::ColonMinutes),
    (b"07", OffsetForm::Hours),
];

fn element(rest: &[u8]) -> Option<(Element, usize)> {
    match rest {
        // A literal `_` before a year.
        [b'_', b'2', b'0', b'0', b'6', ..] => return None,
        [sign @ (b'-' | b'Z'), after @ ..] => {
            let (name, form) = OFFSETS.iter().find(|(name, _)| after.starts_with(name))?;
            let is_iso = *sign == b'Z';
            return Some((
                Element::Offset {
                    form: *form,
                    is_iso,
                },
                name.len() + 1,
            ));
        }
        [separator @ (b'.' | b','), digit @ (b'0' | b'9'), ..] => {
            let digits = rest[1..].iter().take_while(|&byte| byte == digit).count();
            let ends = !rest.get(1 + digits).is_some_and(u8::is_ascii_digit);
            let fraction = Element::Fraction {
                digits: digits & MOST_DIGITS,
                without_zeros: *digit == b'9',
                separator: *separator,
            };
            return ends.then_some((fraction, 1 + digits));
        }
        _ => {}
    }
    NAMES
        .iter()
        .find(|(name, element)| {
            // `Month` is no `Mon`.
            let is_short = matches!(element, Element::Month | Element::Weekday);
            rest.starts_with(name)
                && !(is_short && rest.get(name.len()).is_some_and(u8::is_ascii_lowercase))
        })
        .map(|(name, element)| (*element, name.len()))
}

/// Go keeps no more bits of how many digits a fraction has.
const MOST_DIGITS: usize = 0xfff;
