//! DynamoDB's numbers: decimal, exact, up to 38 significant digits.

use std::cmp::Ordering;
use std::fmt;

const DIGITS: usize = 38;

/// A decimal number. The mantissa has no trailing zeros, so equal numbers are equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Number {
    mantissa: i128,
    exponent: i32,
}

impl Number {
    fn normal(mut mantissa: i128, mut exponent: i32) -> Self {
        if mantissa == 0 {
            return Self { mantissa: 0, exponent: 0 };
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        Self { mantissa, exponent }
    }

    /// Reads `12`, `-1.50`, `2e3`; `None` for anything else and for more digits than DynamoDB keeps.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (decimal, exponent) = match rest.split_once(['e', 'E']) {
            Some((decimal, exponent)) => (decimal, exponent.parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let exponent = exponent - i32::try_from(fraction.len()).ok()?;
        let significant = digits.trim_start_matches('0');
        let kept = significant.trim_end_matches('0');
        if kept.len() > DIGITS {
            return None;
        }
        let mantissa: i128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
        let exponent = exponent + i32::try_from(significant.len() - kept.len()).ok()?;
        Some(Self::normal(if negative { -mantissa } else { mantissa }, exponent))
    }

    /// The sum; `None` if it has more digits than DynamoDB keeps.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let exponent = self.exponent.min(other.exponent);
        let sum = self.mantissa_at(exponent)?.checked_add(other.mantissa_at(exponent)?)?;
        let sum = Self::normal(sum, exponent);
        (sum.mantissa.unsigned_abs().to_string().len() <= DIGITS).then_some(sum)
    }

    /// The number with the opposite sign.
    pub(super) fn negated(self) -> Self {
        Self { mantissa: -self.mantissa, exponent: self.exponent }
    }

    fn mantissa_at(self, exponent: i32) -> Option<i128> {
        let shift = u32::try_from(self.exponent - exponent).ok()?;
        if self.mantissa == 0 {
            Some(0)
        } else {
            self.mantissa.checked_mul(10_i128.checked_pow(shift)?)
        }
    }

    /// The power of ten of the first digit, plus one.
    fn magnitude(self) -> i64 {
        self.mantissa.unsigned_abs().to_string().len() as i64 + i64::from(self.exponent)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_sign = self.mantissa.signum().cmp(&other.mantissa.signum());
        if by_sign != Ordering::Equal || self.mantissa == 0 {
            return by_sign;
        }
        let by_size = self.magnitude().cmp(&other.magnitude()).then_with(|| {
            // With equal magnitudes, both numbers fit into 38 digits at the smaller exponent.
            let exponent = self.exponent.min(other.exponent);
            let digits = |number: Self| number.mantissa_at(exponent).map(i128::unsigned_abs);
            digits(*self).cmp(&digits(*other))
        });
        if self.mantissa < 0 { by_size.reverse() } else { by_size }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        match usize::try_from(self.exponent) {
            Ok(zeros) if zeros <= DIGITS => write!(formatter, "{sign}{digits}{}", "0".repeat(zeros)),
            Ok(_) => write!(formatter, "{sign}{digits}E+{}", self.exponent),
            Err(_) => {
                let places = self.exponent.unsigned_abs() as usize;
                let padded = format!("{digits:0>width$}", width = places + 1);
                let (whole, fraction) = padded.split_at(padded.len() - places);
                write!(formatter, "{sign}{whole}.{fraction}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn displays_in_one_form() {
        for (given, shown) in
            [("007", "7"), ("1.50", "1.5"), ("-0", "0"), ("2e3", "2000"), ("0.001", "0.001"), ("-12.5", "-12.5")]
        {
            assert_eq!(number(given).to_string(), shown, "{given}");
        }
    }

    #[test]
    fn orders_and_adds() {
        let sorted = ["-20", "-3.5", "-3", "0", "0.1", "1", "9", "10", "10.01"].map(number);
        assert!(sorted.is_sorted());
        assert_eq!(number("0.1").plus(number("0.2")), Some(number("0.3")));
        assert_eq!(number("5").plus(number("7").negated()), Some(number("-2")));
    }

    #[test]
    fn refuses_what_is_no_number_and_what_is_too_long() {
        for text in ["", "-", "1.2.3", "abc", "1e", &"9".repeat(39)] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert!(Number::parse(&"9".repeat(38)).is_some());
    }
}
