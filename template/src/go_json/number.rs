//! Floats as Go's `strconv` and `encoding/json` print them: the shortest digits that read back
//! the same, in the notation that each of them chooses.

/// The sign, the shortest digits, and the power of ten of the first digit.
struct Shortest {
    negative: bool,
    digits: Vec<u8>,
    exponent: i32,
}

fn shortest(text: &str) -> Shortest {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    Shortest {
        negative,
        digits: mantissa.bytes().filter(u8::is_ascii_digit).collect(),
        exponent: exponent.parse().unwrap_or_default(),
    }
}

impl Shortest {
    /// `%e`: at least two digits of exponent.
    fn scientific(&self, out: &mut String) {
        self.sign(out);
        self.push(out, 0..1);
        if self.digits.len() > 1 {
            out.push('.');
            self.push(out, 1..self.digits.len());
        }
        out.push_str(if self.exponent < 0 { "e-" } else { "e+" });
        let magnitude = self.exponent.unsigned_abs();
        if magnitude < 10 {
            out.push('0');
        }
        out.push_str(&magnitude.to_string());
    }

    /// `%f`: no exponent.
    fn fixed(&self, out: &mut String) {
        self.sign(out);
        let Ok(exponent) = usize::try_from(self.exponent) else {
            out.push_str("0.");
            for _ in 1..self.exponent.unsigned_abs() {
                out.push('0');
            }
            self.push(out, 0..self.digits.len());
            return;
        };
        let whole = (exponent + 1).min(self.digits.len());
        self.push(out, 0..whole);
        for _ in whole..=exponent {
            out.push('0');
        }
        if whole < self.digits.len() {
            out.push('.');
            self.push(out, whole..self.digits.len());
        }
    }

    fn sign(&self, out: &mut String) {
        if self.negative {
            out.push('-');
        }
    }

    fn push(&self, out: &mut String, digits: std::ops::Range<usize>) {
        out.extend(self.digits[digits].iter().map(|digit| char::from(*digit)));
    }

    /// `%g`: `strconv` chooses the notation as if six digits had been asked for.
    fn general(&self, out: &mut String) {
        if (-4..6).contains(&self.exponent) {
            self.fixed(out);
        } else {
            self.scientific(out);
        }
    }
}

/// `strconv.FormatFloat(value, 'g', -1, 64)`.
pub(crate) fn format_general(value: f64) -> String {
    general(&format!("{value:e}"), value.is_finite(), value > 0.0)
}

/// `strconv.FormatFloat(value, 'g', -1, 32)`.
pub(crate) fn format_general_32(value: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Go prints the nearest 32-bit float"
    )]
    let value = value as f32;
    general(&format!("{value:e}"), value.is_finite(), value > 0.0)
}

fn general(text: &str, finite: bool, positive: bool) -> String {
    if !finite {
        return match (text, positive) {
            ("NaN", _) => "NaN",
            (_, true) => "+Inf",
            (_, false) => "-Inf",
        }
        .to_owned();
    }
    let mut out = String::new();
    shortest(text).general(&mut out);
    out
}

/// A finite float as `encoding/json` writes it.
pub(crate) fn write_json_float(out: &mut String, value: f64) {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let start = out.len();
        shortest(&format!("{value:e}")).scientific(out);
        // `e-09` becomes `e-9`, `e+21` stays.
        if let Some(at) = out[start..].find("e-0") {
            out.remove(start + at + 2);
        }
    } else {
        shortest(&format!("{value:e}")).fixed(out);
    }
}
