//! Lengths of time as Go writes them, because configuration, API and command line all speak so.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time in whole nanoseconds, perhaps negative, read and printed as Go's
/// `time.Duration` (`10s`, `1m30s`, `72h0m0s`).
///
/// JSON may hold it as such a text or as a number of nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GoDuration(i64);

impl GoDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// That many nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Its length in nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Reads `[-+]?([0-9]*(\.[0-9]*)?[a-z]+)+`, or a bare `0` (Go `time.ParseDuration`).
    ///
    /// # Errors
    /// [`GoDurationError`] with Go's text.
    pub fn parse(text: &str) -> Result<Self, GoDurationError> {
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        let invalid = || GoDurationError::Invalid(shortened(text));
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total = 0_i64;
        while !rest.is_empty() {
            let part;
            (part, rest) = read_part(text, rest)?;
            total = total.checked_add(part).ok_or_else(invalid)?;
        }
        Ok(Self(if negative { -total } else { total }))
    }

    /// The same length for our own use; none if it is negative.
    #[must_use]
    pub fn to_std(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_nanos)
    }

    /// The same length if it is more than nothing.
    #[must_use]
    pub fn positive(self) -> Option<Duration> {
        self.to_std().filter(|span| !span.is_zero())
    }
}

/// Saturates at what Go can hold, which is 292 years.
impl From<Duration> for GoDuration {
    fn from(span: Duration) -> Self {
        Self(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// As Go prints it: `0s`, `1.5ms`, `1m30s`, `72h0m0s`.
impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        match nanos {
            0 => f.write_str("0s"),
            1..MICROSECOND => write!(f, "{nanos}ns"),
            MICROSECOND..MILLISECOND => write_decimal(f, nanos, MICROSECOND, "µs"),
            MILLISECOND..SECOND => write_decimal(f, nanos, MILLISECOND, "ms"),
            _ => {
                if nanos >= HOUR {
                    write!(f, "{}h", nanos / HOUR)?;
                }
                if nanos >= MINUTE {
                    write!(f, "{}m", nanos / MINUTE % 60)?;
                }
                write_decimal(f, nanos % MINUTE, SECOND, "s")
            }
        }
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrNanoseconds)
    }
}

struct TextOrNanoseconds;

impl de::Visitor<'_> for TextOrNanoseconds {
    type Value = GoDuration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"10s\", or a number of nanoseconds")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<GoDuration, E> {
        GoDuration::parse(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, nanos: i64) -> Result<GoDuration, E> {
        Ok(GoDuration(nanos))
    }

    fn visit_u64<E: de::Error>(self, nanos: u64) -> Result<GoDuration, E> {
        i64::try_from(nanos)
            .map(GoDuration)
            .map_err(|_too_long| E::invalid_value(de::Unexpected::Unsigned(nanos), &self))
    }
}

/// A text that is no length of time. The texts are Go's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GoDurationError {
    /// It has another form, or is longer than Go can hold.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number has no unit.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A unit is none of `ns`, `us`, `µs`, `ms`, `s`, `m`, `h`.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The whole text.
        text: String,
    },
}

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// Of a text that is refused, this many characters are shown.
const SHOWN: usize = 128;

/// One number with its unit in nanoseconds, and what follows it.
fn read_part<'a>(text: &str, rest: &'a str) -> Result<(i64, &'a str), GoDurationError> {
    let invalid = || GoDurationError::Invalid(shortened(text));
    let (whole, after) = split_digits(rest);
    let (fraction, after) = match after.strip_prefix('.') {
        Some(after) => split_digits(after),
        None => ("", after),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let end = after
        .find(|char: char| char == '.' || char.is_ascii_digit())
        .unwrap_or(after.len());
    let (unit, after) = after.split_at(end);
    let scale: u64 = match unit {
        "" => return Err(GoDurationError::MissingUnit(shortened(text))),
        "ns" => 1,
        "us" | "µs" | "μs" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => {
            return Err(GoDurationError::UnknownUnit {
                unit: shortened(unit),
                text: shortened(text),
            });
        }
    };
    let whole = if whole.is_empty() { "0" } else { whole };
    let whole = whole.parse::<u64>().map_err(|_too_long| invalid())?;
    let nanos = u128::from(whole) * u128::from(scale) + fraction_of(fraction, scale);
    let nanos = i64::try_from(nanos).map_err(|_too_long| invalid())?;
    Ok((nanos, after))
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Digits past the eighteenth are below a nanosecond of an hour and do not count.
fn fraction_of(digits: &str, scale: u64) -> u128 {
    let mut numerator = 0_u128;
    let mut denominator = 1_u128;
    for digit in digits.chars().take(18).filter_map(|char| char.to_digit(10)) {
        numerator = numerator * 10 + u128::from(digit);
        denominator *= 10;
    }
    numerator * u128::from(scale) / denominator
}

fn write_decimal(f: &mut fmt::Formatter<'_>, nanos: u64, scale: u64, unit: &str) -> fmt::Result {
    write!(f, "{}", nanos / scale)?;
    let rest = nanos % scale;
    if rest != 0 {
        let places = usize::try_from(scale.ilog10()).unwrap_or_default();
        let digits = format!("{rest:0places$}");
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    f.write_str(unit)
}

fn shortened(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_printed_reads_as_the_same(nanos in -i64::MAX..=i64::MAX, shift in 0..63) {
            let span = GoDuration::from_nanos(nanos >> shift);
            prop_assert_eq!(GoDuration::parse(&span.to_string()), Ok(span));
        }

        #[test]
        fn nothing_that_is_read_panics(text in "[-+]?[0-9.]{0,25}[nuµmshx]{0,3}[0-9.a-z]{0,6}") {
            if let Ok(span) = GoDuration::parse(&text) {
                prop_assert_eq!(GoDuration::parse(&span.to_string()), Ok(span));
            }
        }
    }

    #[test]
    fn reads_and_prints_what_go_does() {
        for (text, nanos, printed) in [
            ("0", 0, "0s"),
            ("10s", 10 * SECOND, "10s"),
            ("1m30s", 90 * SECOND, "1m30s"),
            ("72h", 72 * HOUR, "72h0m0s"),
            ("1h1ns", HOUR + 1, "1h0m0.000000001s"),
            ("1.5h", 90 * MINUTE, "1h30m0s"),
            (".5s", SECOND / 2, "500ms"),
            ("5.s", 5 * SECOND, "5s"),
            ("+3us", 3_000, "3µs"),
            ("3µs", 3_000, "3µs"),
            ("1500us", 1_500_000, "1.5ms"),
            ("999ns", 999, "999ns"),
            (
                "2562047h47m16.854775807s",
                u64::MAX / 2,
                "2562047h47m16.854775807s",
            ),
        ] {
            let read = GoDuration::parse(text).unwrap();
            assert_eq!(read.as_nanos().unsigned_abs(), nanos, "{text}");
            assert_eq!(read.to_string(), printed);
            assert_eq!(GoDuration::parse(printed), Ok(read));
        }
        assert_eq!(GoDuration::parse("-1m").unwrap().to_string(), "-1m0s");
    }

    #[test]
    fn refuses_with_the_texts_of_go() {
        for (text, message) in [
            ("", r#"time: invalid duration """#),
            ("abc", r#"time: invalid duration "abc""#),
            ("-", r#"time: invalid duration "-""#),
            (".s", r#"time: invalid duration ".s""#),
            ("10", r#"time: missing unit in duration "10""#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            (
                "2562047h47m16.854775808s",
                r#"time: invalid duration "2562047h47m16.854775808s""#,
            ),
            (
                "99999999999999999999s",
                r#"time: invalid duration "99999999999999999999s""#,
            ),
        ] {
            assert_eq!(GoDuration::parse(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn json_holds_a_text_or_nanoseconds() {
        let read = |text| serde_json::from_str::<GoDuration>(text).map(GoDuration::as_nanos);
        assert_eq!(read(r#""1s""#).unwrap(), 1_000_000_000);
        assert_eq!(read("1000").unwrap(), 1_000);
        assert_eq!(read("-1").unwrap(), -1);
        assert!(read("9223372036854775808").is_err());
        assert!(read("true").is_err());
    }
}
