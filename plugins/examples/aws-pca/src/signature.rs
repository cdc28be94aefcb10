//! AWS Signature Version 4 for requests with a body and no query.

use std::fmt::Write as _;

use chancery_plugin::{Timestamp, clock};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// Who signs, and for what.
pub(crate) struct Signer<'a> {
    pub(crate) access_key_id: &'a str,
    pub(crate) secret_access_key: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

/// A moment as the signature has it: `20270101T000000Z`.
pub(crate) fn date(now: Timestamp) -> String {
    clock::rfc3339(now).replace(['-', ':'], "")
}

impl Signer<'_> {
    /// The header `authorization` for a POST to `/`. The headers are in lower case, sorted by
    /// name, and among them are `host` and `x-amz-date`, which holds `date`.
    pub(crate) fn authorize(&self, date: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let mut request = "POST\n/\n\n".to_owned();
        for (name, value) in headers {
            // Writing to a text does not fail.
            let _ = writeln!(request, "{name}:{}", value.trim());
        }
        let _ = write!(request, "\n{names}\n{}", hex(&Sha256::digest(body)));
        let day = date.get(..8).unwrap_or(date);
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let hash = hex(&Sha256::digest(request));
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}");
        let mut key = format!("AWS4{}", self.secret_access_key).into_bytes();
        for part in [day, self.region, self.service, "aws4_request", &text] {
            key = hmac(&key, part.as_bytes());
        }
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
            self.access_key_id,
            hex(&key)
        )
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    // A key of any length will do.
    Hmac::<Sha256>::new_from_slice(key).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        },
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's own tests (Signature Version 4 test suite), as far as they are of requests such as
    /// ours: `post-vanilla`, `post-header-key-sort`, `post-x-www-form-urlencoded` and
    /// `post-sts-header-before`.
    #[test]
    fn signatures_are_those_of_the_test_suite() {
        let signer = Signer {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            service: "service",
        };
        let date = date(1_440_938_160);
        assert_eq!(date, "20150830T123600Z");
        let (host, date_header) = (("host", "example.amazonaws.com"), ("x-amz-date", &*date));
        let form = ("content-type", "application/x-www-form-urlencoded");
        let own = ("my-header1", "value1");
        let token = ("x-amz-security-token", SESSION_TOKEN);
        let cases = [
            (
                vec![host, date_header],
                "",
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                vec![host, own, date_header],
                "",
                "host;my-header1;x-amz-date",
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
            ),
            (
                vec![form, host, date_header],
                "Param1=value1",
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                vec![host, date_header, token],
                "",
                "host;x-amz-date;x-amz-security-token",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ];
        for (headers, body, names, signature) in cases {
            assert_eq!(
                signer.authorize(&date, &headers, body.as_bytes()),
                format!(
                    "AWS4-HMAC-SHA256 \
                     Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders={names}, Signature={signature}"
                )
            );
        }
    }

    const SESSION_TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZ\
        TwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBm\
        Upp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT\
        38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/\
        oLxBA==";
}
