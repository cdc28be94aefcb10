//! Durations as Go writes them: `72h`, `1h30m`, `250ms`, `1.5s`.

use std::fmt;
use std::time::Duration;

/// A span of time in nanoseconds, read and written as Go's `time.Duration`.
///
/// It may be negative, because Consul's clients may send one; [`GoDuration::to_std`] refuses that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(i64);

impl GoDuration {
    /// From nanoseconds, which is what a JSON number means.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Reads a duration by the rules of Go's `time.ParseDuration`.
    ///
    /// # Errors
    /// Go's own text, for example `time: missing unit in duration "10"`.
    pub fn parse(text: &str) -> Result<Self, GoDurationError> {
        let invalid = || GoDurationError::Invalid(text.to_owned());
        let (negative, mut rest) = match text.strip_prefix(['-', '+']) {
            Some(rest) => (text.starts_with('-'), rest),
            None => (false, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total = 0_i128;
        while !rest.is_empty() {
            let (number, after) = split(rest, |digit| digit.is_ascii_digit() || digit == '.');
            let (unit, after) = split(after, |letter| !letter.is_ascii_digit() && letter != '.');
            if unit.is_empty() && !number.is_empty() {
                return Err(GoDurationError::MissingUnit(text.to_owned()));
            }
            let scaled = if number.is_empty() {
                None
            } else {
                let scale = scale(unit).ok_or_else(|| GoDurationError::UnknownUnit {
                    unit: unit.to_owned(),
                    text: text.to_owned(),
                })?;
                decimal(number, scale)
            };
            total = total.saturating_add(scaled.ok_or_else(invalid)?);
            rest = after;
        }
        let signed = if negative { -total } else { total };
        i64::try_from(signed).map(Self).or(Err(invalid()))
    }

    /// The nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The span, unless it is negative.
    #[must_use]
    pub fn to_std(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_nanos)
    }
}

impl From<Duration> for GoDuration {
    /// Spans beyond 292 years become the longest one.
    fn from(span: Duration) -> Self {
        Self(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for GoDuration {
    /// Go's own form: `0s`, `1.5ms`, `72h0m0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write!(f, "{}µs", Fraction(nanos, 1_000)),
            1_000_000..1_000_000_000 => write!(f, "{}ms", Fraction(nanos, 1_000_000)),
            _ => {
                let minutes = nanos / NANOS_PER_SECOND / 60;
                let seconds = nanos - minutes * 60 * NANOS_PER_SECOND;
                if minutes >= 60 {
                    write!(f, "{}h", minutes / 60)?;
                }
                if minutes > 0 {
                    write!(f, "{}m", minutes % 60)?;
                }
                write!(f, "{}s", Fraction(seconds, NANOS_PER_SECOND))
            }
        }
    }
}

/// Why a text is no duration, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GoDurationError {
    /// Not a sequence of numbers with units, or longer than 292 years.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number without unit.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A unit other than ns, us, µs, ms, s, m and h.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit as written.
        unit: String,
        /// The whole duration as written.
        text: String,
    },
}

/// A number of units with the decimals that it needs.
struct Fraction(u64, u64);

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, unit) = *self;
        write!(f, "{}", value / unit)?;
        let rest = value % unit;
        if rest == 0 {
            return Ok(());
        }
        let digits = unit.ilog10() as usize;
        let decimals = format!("{rest:0digits$}");
        write!(f, ".{}", decimals.trim_end_matches('0'))
    }
}

fn split(text: &str, accept: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text
        .find(|character| !accept(character))
        .unwrap_or(text.len());
    text.split_at(end)
}

fn scale(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    })
}

/// `1.5` times `scale`; `None` for two points, no digit, or more than an `i64` holds.
fn decimal(number: &str, scale: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut nanos = match whole {
        "" => 0,
        digits => i128::from(digits.parse::<u64>().ok()?) * scale,
    };
    let mut place = scale;
    for digit in fraction.chars() {
        // What is below a nanosecond is dropped, as in Go.
        place /= 10;
        nanos += i128::from(digit.to_digit(10)?) * place;
    }
    i64::try_from(nanos).ok().map(i128::from)
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_reads_is_read_and_written_as_go_writes_it() {
        for (text, written) in [
            ("0", "0s"),
            ("72h", "72h0m0s"),
            ("1h30m", "1h30m0s"),
            ("1.5s", "1.5s"),
            ("90s", "1m30s"),
            ("250ms", "250ms"),
            ("1500us", "1.5ms"),
            ("5µs", "5µs"),
            ("7ns", "7ns"),
            (".5h", "30m0s"),
            ("1.h", "1h0m0s"),
            ("-10s", "-10s"),
            ("+1m", "1m0s"),
            ("8760h0m0s", "8760h0m0s"),
            ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
        ] {
            let duration = GoDuration::parse(text).expect(text);
            assert_eq!(duration.to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        for (text, error) in [
            ("abc", "time: invalid duration \"abc\""),
            ("", "time: invalid duration \"\""),
            ("-", "time: invalid duration \"-\""),
            (".s", "time: invalid duration \".s\""),
            ("1.2.3s", "time: invalid duration \"1.2.3s\""),
            ("10", "time: missing unit in duration \"10\""),
            ("1h5", "time: missing unit in duration \"1h5\""),
            ("5d", "time: unknown unit \"d\" in duration \"5d\""),
            ("2562048h", "time: invalid duration \"2562048h\""),
            (
                "99999999999999999999h",
                "time: invalid duration \"99999999999999999999h\"",
            ),
        ] {
            let found = GoDuration::parse(text).expect_err(text);
            assert_eq!(found.to_string(), error);
        }
    }

    #[test]
    fn a_negative_span_is_no_standard_one() {
        assert_eq!(GoDuration::from_nanos(-1).to_std(), None);
        assert_eq!(
            GoDuration::from_nanos(1).to_std(),
            Some(Duration::from_nanos(1))
        );
    }
}
