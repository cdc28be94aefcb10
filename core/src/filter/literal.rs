//! Values as Go's `strconv` reads them.

/// A quoted string without its quotes and with Go's escapes resolved (`strconv.Unquote`).
/// `inner` is what stands between double quotes; nothing if an escape is broken, a line ends
/// inside, or bytes are escaped that are no text.
pub(super) fn unescaped(inner: &str) -> Option<String> {
    if !inner.contains(['\\', '\n']) {
        return Some(inner.to_owned());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        match character {
            '\n' => return None,
            '\\' => escape(&mut rest, &mut bytes)?,
            _ => push(character, &mut bytes),
        }
    }
    String::from_utf8(bytes).ok()
}

fn escape(rest: &mut std::str::Chars<'_>, bytes: &mut Vec<u8>) -> Option<()> {
    let kind = rest.next()?;
    match kind {
        'a' => bytes.push(7),
        'b' => bytes.push(8),
        'f' => bytes.push(12),
        'n' => bytes.push(b'\n'),
        'r' => bytes.push(b'\r'),
        't' => bytes.push(b'\t'),
        'v' => bytes.push(11),
        '\\' | '"' => push(kind, bytes),
        'x' => bytes.push(u8::try_from(digits(rest, 2, 16, 0)?).ok()?),
        '0'..='7' => {
            let first = kind.to_digit(8)?;
            bytes.push(u8::try_from(digits(rest, 2, 8, first)?).ok()?);
        }
        'u' => push(char::from_u32(digits(rest, 4, 16, 0)?)?, bytes),
        'U' => push(char::from_u32(digits(rest, 8, 16, 0)?)?, bytes),
        _ => return None,
    }
    Some(())
}

fn digits(rest: &mut std::str::Chars<'_>, count: usize, base: u32, first: u32) -> Option<u32> {
    (0..count).try_fold(first, |number, _| {
        let digit = rest.next()?.to_digit(base)?;
        number.checked_mul(base)?.checked_add(digit)
    })
}

fn push(character: char, bytes: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
}

/// Go's `strconv.ParseInt(text, 0, 64)`: the base is in the prefix, and `_` may stand between
/// digits of a number that has one.
pub(super) fn integer(text: &str) -> Result<i64, String> {
    let refused = |why: &str| Err(format!("strconv.ParseInt: parsing {text:?}: {why}"));
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.split_at_checked(2) {
        Some(("0x", rest)) => (16, rest),
        Some(("0o", rest)) => (8, rest),
        Some(("0b", rest)) => (2, rest),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, lower.get(1..).unwrap_or_default()),
        _ => (10, lower.as_str()),
    };
    let underscores_fit =
        !digits.contains('_') || (base != 10 && !digits.ends_with('_') && !digits.contains("__"));
    let digits = digits.replace('_', "");
    if digits.is_empty() || !underscores_fit || !digits.chars().all(|it| it.is_digit(base)) {
        return refused("invalid syntax");
    }
    let signed = if negative {
        format!("-{digits}")
    } else {
        digits
    };
    match i64::from_str_radix(&signed, base) {
        Ok(number) => Ok(number),
        Err(_too_large) => refused("value out of range"),
    }
}

/// Go's `strconv.ParseBool`.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!(
            "strconv.ParseBool: parsing {text:?}: invalid syntax"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_gos() {
        for (inner, text) in [
            ("plain é", Some("plain é")),
            (
                r"a\tb\\\x62\142\u00e9\U0001F600",
                Some("a\tb\\bb\u{e9}\u{1F600}"),
            ),
            (r"\xc3\xa9", Some("é")),
            (r"\xc3", None),
            (r"\q", None),
            (r"\'", None),
            (r"\x6", None),
            (r"\400", None),
            (r"\ud800", None),
            ("\\", None),
            ("a\nb", None),
        ] {
            assert_eq!(unescaped(inner).as_deref(), text, "{inner}");
        }
    }

    #[test]
    fn numbers_are_gos() {
        for (text, number) in [
            ("0", 0),
            ("-80", -80),
            ("+80", 80),
            ("0x50", 80),
            ("0X5_0", 80),
            ("0120", 80),
            ("0o120", 80),
            ("0b11", 3),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(integer(text), Ok(number), "{text}");
        }
        for text in [
            "", "-", "abc", "80.0", "08", "1_0", "0x", "0x_", "0x1__0", "--1", "é1",
        ] {
            assert_eq!(
                integer(text),
                Err(format!(
                    "strconv.ParseInt: parsing {text:?}: invalid syntax"
                ))
            );
        }
        assert_eq!(
            integer("9223372036854775808").unwrap_err(),
            "strconv.ParseInt: parsing \"9223372036854775808\": value out of range"
        );
    }
}
