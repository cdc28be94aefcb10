//! Numbers: decimal, hexadecimal (`0x1F`), octal (`017`), fractions and exponents.

use super::value::ValueKind;

/// Reads a number as Go's `ParseInt` with base 0 and `ParseFloat` do, or says what is allowed.
pub(super) fn parse(text: &str) -> Result<ValueKind, &'static str> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let magnitude = if let Some(hex) = strip_either(digits, "0x", "0X") {
        radix(hex, 16)?
    } else if digits.contains(['.', 'e', 'E']) {
        return float(text);
    } else if digits.len() > 1 && digits.starts_with('0') {
        radix(digits, 8)?
    } else {
        radix(digits, 10)?
    };
    let signed = if negative { -magnitude } else { magnitude };
    i64::try_from(signed)
        .map(ValueKind::Integer)
        .or(Err("a number of at most 64 bits"))
}

fn strip_either<'a>(text: &'a str, first: &str, second: &str) -> Option<&'a str> {
    text.strip_prefix(first)
        .or_else(|| text.strip_prefix(second))
}

fn radix(digits: &str, radix: u32) -> Result<i128, &'static str> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(match radix {
            8 => "an octal number (digits 0 to 7 after the leading 0)",
            16 => "a hexadecimal number (digits 0 to 9 and a to f after 0x)",
            _ => "a decimal number",
        });
    }
    i128::from_str_radix(digits, radix).or(Err("a number of at most 64 bits"))
}

fn float(text: &str) -> Result<ValueKind, &'static str> {
    const SHAPE: &str = "a number such as 1.5, -2 or 1e3";
    let digits_around_points = text
        .split(['e', 'E'])
        .all(|part| part.chars().any(|digit| digit.is_ascii_digit()));
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() && digits_around_points => Ok(ValueKind::Float(float)),
        Ok(_) => Err("a number that is not infinite"),
        Err(_) => Err(SHAPE),
    }
}
