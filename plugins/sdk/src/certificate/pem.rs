//! Certificates as text (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Certificate;
use crate::Error;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
const LINE: usize = 64;

pub(super) fn certificates(text: &str) -> Result<Vec<Certificate>, Error> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (body, after) = after
            .split_once(END)
            .ok_or_else(|| Error::broken("a certificate in PEM has no END line"))?;
        let body: String = body.split_whitespace().collect();
        let der = STANDARD
            .decode(body)
            .map_err(|error| Error::broken(format!("a certificate in PEM: {error}")))?;
        found.push(Certificate::from_der(der));
        rest = after;
    }
    if found.is_empty() {
        return Err(Error::broken("there is no certificate in this text"));
    }
    Ok(found)
}

pub(super) fn write(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let body = STANDARD.encode(der);
    let mut rest = body.as_str();
    while let Some((line, after)) = rest.split_at_checked(LINE) {
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        text.push_str(rest);
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_whatever_stands_around_it() {
        let certificates: Vec<_> = [0, 1, 47, 48, 49, 96, 700]
            .map(|length| Certificate::from_der(vec![5; length]))
            .into();
        let text: String = certificates
            .iter()
            .map(|certificate| format!("a line\n{}\r\n", certificate.pem()))
            .collect();
        assert_eq!(Certificate::from_pem(&text), Ok(certificates));
        assert!(text.lines().all(|line| line.len() <= LINE));
    }

    #[test]
    fn without_end_or_with_odd_letters_it_is_broken() {
        for text in ["", "hello", BEGIN, &format!("{BEGIN}\n***\n{END}\n")] {
            assert!(Certificate::from_pem(text).is_err(), "{text}");
        }
    }
}
