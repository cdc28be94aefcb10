//! Instants as values. Nothing in this crate reads a clock: whoever calls says what time it is.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A moment of wall-clock time in UTC, to the nanosecond.
///
/// Decides validity (certificates, tokens). It may jump in either direction when an operator
/// or NTP sets the clock, so nothing destructive is decided by it alone: see [`Now`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    seconds: i64,
    nanos: u32,
}

impl Timestamp {
    /// 0001-01-01T00:00:00Z, which Consul's clients show for "never".
    pub const ZERO: Self = Self {
        seconds: -62_135_596_800,
        nanos: 0,
    };

    /// Whole seconds since the Unix epoch (negative before it).
    #[must_use]
    pub const fn from_unix(seconds: i64) -> Self {
        Self { seconds, nanos: 0 }
    }

    /// Nanoseconds since the Unix epoch, saturating at the ends of what `i64` seconds hold.
    #[must_use]
    pub fn from_unix_nanos(nanos: i128) -> Self {
        let seconds = nanos.div_euclid(NANOS_PER_SECOND);
        let rest = nanos.rem_euclid(NANOS_PER_SECOND);
        Self {
            seconds: i64::try_from(seconds).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }),
            nanos: u32::try_from(rest).unwrap_or(0),
        }
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub fn unix_nanos(self) -> i128 {
        i128::from(self.seconds) * NANOS_PER_SECOND + i128::from(self.nanos)
    }

    /// The same moment cut to whole seconds, as certificates hold it (RFC 5280 §4.1.2.5).
    #[must_use]
    pub const fn whole_seconds(self) -> Self {
        Self::from_unix(self.seconds)
    }

    /// This moment plus `span`, saturating.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        Self::from_unix_nanos(self.unix_nanos().saturating_add(signed_nanos(span)))
    }

    /// This moment minus `span`, saturating.
    #[must_use]
    pub fn saturating_sub(self, span: Duration) -> Self {
        Self::from_unix_nanos(self.unix_nanos().saturating_sub(signed_nanos(span)))
    }

    /// How long after `earlier` this moment is; zero if it is not after.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        let nanos = self.unix_nanos().saturating_sub(earlier.unix_nanos());
        if nanos <= 0 {
            return Duration::ZERO;
        }
        let seconds = u64::try_from(nanos / NANOS_PER_SECOND).unwrap_or(u64::MAX);
        Duration::new(
            seconds,
            u32::try_from(nanos % NANOS_PER_SECOND).unwrap_or(0),
        )
    }

    /// Reads RFC 3339 as [`Display`](fmt::Display) writes it (UTC, `Z`, up to nine decimals).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_suffix('Z')?;
        let (date, time) = body.split_once('T')?;
        let mut date = date.splitn(3, '-');
        let year = digits(date.next()?, 4)?;
        let month = digits(date.next()?, 2)?;
        let day = digits(date.next()?, 2)?;
        let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
        let mut clock = clock.splitn(3, ':');
        let hour = digits(clock.next()?, 2)?;
        let minute = digits(clock.next()?, 2)?;
        let second = digits(clock.next()?, 2)?;
        let in_range = (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60
            && fraction.len() <= 9
            && !(time.contains('.') && fraction.is_empty());
        if !in_range {
            return None;
        }
        let mut nanos = 0_u32;
        for place in 0..9 {
            let digit = match fraction.as_bytes().get(place) {
                Some(byte) => char::from(*byte).to_digit(10)?,
                None => 0,
            };
            nanos = nanos * 10 + digit;
        }
        let days = days_from_civil(year, month, day);
        if civil_from_days(days) != (year, month, day) {
            return None;
        }
        Some(Self {
            seconds: days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second,
            nanos,
        })
    }

    /// Year, month (1 to 12), day, hour, minute and second in UTC.
    #[must_use]
    pub fn civil(self) -> (i64, i64, i64, i64, i64, i64) {
        let (year, month, day) = civil_from_days(self.seconds.div_euclid(SECONDS_PER_DAY));
        let rest = self.seconds.rem_euclid(SECONDS_PER_DAY);
        (year, month, day, rest / 3600, rest / 60 % 60, rest % 60)
    }
}

/// RFC 3339 in UTC with trailing zeros of the fraction cut, as Go prints it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.civil();
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        if self.nanos != 0 {
            let fraction = format!("{:09}", self.nanos);
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format_args!("{text:?} is not an RFC 3339 time in UTC"))
        })
    }
}

/// A reading of a clock that never goes back: time since some fixed, arbitrary start.
///
/// Decides waiting (deadlines, retries). Readings of different processes do not compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(Duration);

impl Instant {
    /// The reading `since_start` after the clock's start.
    #[must_use]
    pub const fn new(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// Time since the clock's start.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// This reading plus `span`, saturating.
    #[must_use]
    pub const fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// How long after `earlier` this reading is; zero if it is not after.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Both clocks, read together by the caller.
///
/// `wall` decides whether something is valid, `mono` whether something has been waited for.
/// Whatever destroys (prune, expire, retire) wants both to agree, so that setting the wall
/// clock ten years forward deletes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a pair of clock readings is complete"
)]
pub struct Now {
    /// Wall-clock time.
    pub wall: Timestamp,
    /// Monotonic reading.
    pub mono: Instant,
}

fn signed_nanos(span: Duration) -> i128 {
    i128::try_from(span.as_nanos()).unwrap_or(i128::MAX)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

// The two conversions are the well-known era arithmetic on the proleptic Gregorian calendar:
// years start in March, so that the leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_what_go_prints() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1_795_527_612, 0, "2026-11-24T13:40:12Z"),
            (951_782_400, 120_000_000, "2000-02-29T00:00:00.12Z"),
            (-62_135_596_800, 0, "0001-01-01T00:00:00Z"),
        ] {
            let moment = Timestamp { seconds, nanos };
            assert_eq!(moment.to_string(), text);
            assert_eq!(Timestamp::parse(text), Some(moment));
        }
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for text in [
            "",
            "2026-11-24",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T00:00:00.Z",
            "2026-11-24T00:00:00+01:00",
            "+026-11-24T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn differences_saturate() {
        let later = Timestamp::from_unix(100);
        let earlier = later.saturating_sub(Duration::from_millis(1500));
        assert_eq!(later.saturating_since(earlier), Duration::from_millis(1500));
        assert_eq!(earlier.saturating_since(later), Duration::ZERO);
        assert_eq!(earlier.to_string(), "1970-01-01T00:01:38.5Z");
    }
}
