//! Just enough DER to write a certificate, and to write it wrongly.

/// One value: tag, length, content.
#[must_use]
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    let bytes = length.to_be_bytes();
    let digits: Vec<u8> = bytes
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect();
    match length {
        0..=127 => out.push(bytes.last().copied().unwrap_or_default()),
        _ => {
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
            out.extend(digits);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// A sequence.
#[must_use]
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

/// A whole number, not negative, the most significant byte first.
#[must_use]
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(zeros..).unwrap_or_default();
    match digits.first() {
        Some(first) if *first < 0x80 => tlv(2, &[digits]),
        _ => tlv(2, &[&[0], digits]),
    }
}

/// An octet string.
#[must_use]
pub fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(4, &[bytes])
}

/// A bit string whose last byte is used whole.
#[must_use]
pub fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], bytes])
}

/// A name with a common name and nothing else.
#[must_use]
pub fn name(common_name: &str) -> Vec<u8> {
    let value = tlv(0x0c, &[common_name.as_bytes()]);
    let attribute = sequence(&[&[0x06, 0x03, 0x55, 0x04, 0x03], &value]);
    sequence(&[&tlv(0x31, &[&attribute])])
}

/// An extension of `2.5.29.<last>`.
#[must_use]
pub fn extension(last: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[&[0x06, 0x03, 0x55, 0x1d, last], critical, &octets(value)])
}

/// A moment as `YYYYMMDDHHMMSSZ`, or with two digits of the year before 2050.
#[must_use]
pub fn time(unix: i64) -> Vec<u8> {
    let (days, second) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    // Days from civil, backwards, after Howard Hinnant's description.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let rest = format!(
        "{month:02}{day:02}{:02}{:02}{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    );
    if (1950..2050).contains(&year) {
        tlv(0x17, &[format!("{:02}{rest}", year % 100).as_bytes()])
    } else {
        tlv(0x18, &[format!("{year:04}{rest}").as_bytes()])
    }
}

/// The first value in `bytes` as content and what follows it.
#[must_use]
pub fn first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.get(1..)?.split_first()?;
    if length < 0x80 {
        return rest.split_at_checked(usize::from(length));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
    let length = digits
        .iter()
        .fold(0_usize, |sum, digit| (sum << 8) | usize::from(*digit));
    rest.split_at_checked(length)
}
