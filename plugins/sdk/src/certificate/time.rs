//! Dates in certificates (RFC 5280 §4.1.2.5).

use super::der::{GENERALIZED_TIME, UTC_TIME, Value, Writer};
use crate::{Error, Timestamp};

/// 9999-12-31T23:59:59Z, the last moment a certificate can name.
const LAST_SECOND: Timestamp = 253_402_300_799;
const DAY: i64 = 86_400;

/// A moment as a certificate has it: two digits of the year until 2049, then four.
pub(super) fn write(writer: &mut Writer, moment: Timestamp) {
    let [year, month, day, hour, minute, second] = civil(moment);
    let parts = [year / 100, year % 100, month, day, hour, minute, second];
    let mut digits = [b'Z'; 15];
    let mut places = digits.chunks_exact_mut(2);
    for (part, place) in parts.into_iter().zip(&mut places) {
        let part = u8::try_from(part).unwrap_or_default();
        place.copy_from_slice(&[b'0' + part / 10, b'0' + part % 10]);
    }
    if (1950..2050).contains(&year) {
        writer.value(UTC_TIME, digits.get(2..).unwrap_or_default());
    } else {
        writer.value(GENERALIZED_TIME, &digits);
    }
}

/// Year, month, day, hour, minute and second.
pub(crate) fn civil(moment: Timestamp) -> [i64; 6] {
    let (days, seconds) = (moment.div_euclid(DAY), moment.rem_euclid(DAY));
    let (year, month, day) = date(days);
    let (hour, minute) = (seconds / 3600, seconds / 60 % 60);
    [year, month, day, hour, minute, seconds % 60]
}

/// Whether a certificate can name it.
pub(super) fn check(moment: Timestamp) -> Result<(), Error> {
    if (0..=LAST_SECOND).contains(&moment) {
        return Ok(());
    }
    Err(Error::refused(format!(
        "second {moment} cannot stand in a certificate: it must lie between 1970 and 9999"
    )))
}

/// The moment that `value` names.
pub(super) fn read(value: Value<'_>) -> Option<Timestamp> {
    let mut numbers = [0; 7];
    let digits = value.content.strip_suffix(b"Z")?;
    let pairs = digits.chunks_exact(2);
    let start = match (value.tag, digits.len()) {
        (UTC_TIME, 12) => 1,
        (GENERALIZED_TIME, 14) => 0,
        _ => return None,
    };
    for (pair, number) in pairs.zip(numbers.iter_mut().skip(start)) {
        let [tens, ones] = *pair else { return None };
        if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
            return None;
        }
        *number = i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
    }
    let [mut century, year, month, day, hour, minute, second] = numbers;
    if value.tag == UTC_TIME {
        century = if year < 50 { 20 } else { 19 };
    }
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let days = days(century * 100 + year, month, day);
    in_range.then_some(days * DAY + hour * 3600 + minute * 60 + second)
}

/// Year, month and day of a day counted from 1970. Years begin in March here, so that the day
/// that some years have more is their last one.
fn date(days: i64) -> (i64, i64, i64) {
    let since = days + 719_468;
    let era = since.div_euclid(146_097);
    let of_era = since.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`date`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::super::der::Reader;
    use super::*;

    #[test]
    fn moments_are_written_as_others_read_them() {
        for (moment, text) in [
            (0, "700101000000Z"),
            (951_826_215, "000229121015Z"),
            (2_524_607_999, "491231235959Z"),
            (2_524_608_000, "20500101000000Z"),
            (LAST_SECOND, "99991231235959Z"),
        ] {
            let mut writer = Writer::with_capacity(0);
            write(&mut writer, moment);
            let bytes = writer.into_bytes();
            assert_eq!(&bytes[2..], text.as_bytes());
            assert_eq!(read(Reader::new(&bytes).any().unwrap()), Some(moment));
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in (0..146_097).chain([2_932_896]) {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn before_1970_and_after_9999_there_is_no_certificate() {
        assert!(check(-1).is_err());
        assert!(check(0).is_ok());
        assert!(check(LAST_SECOND).is_ok());
        assert!(check(LAST_SECOND + 1).is_err());
    }
}
