//! Why an agent gives no good answer, in the words of Consul's own client.

use std::error::Error;
use std::io::{self, ErrorKind};

use http::StatusCode;
use rustls::{AlertDescription as Alert, CertificateError};

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address cannot be used.
    #[error("cannot use the address {found:?}: {reason}")]
    BadAddress {
        /// The address as given.
        found: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The token has bytes that no header may have.
    #[error("the token has characters that a header cannot carry")]
    BadToken,
    /// The answer is not the JSON that was expected.
    #[error("{0}")]
    Json(serde_json::Error),
    /// The agent refused.
    #[error("Unexpected response code: {} ({body})", status.as_u16())]
    Status {
        /// The status.
        status: StatusCode,
        /// What it said.
        body: String,
    },
    /// What https takes cannot be used.
    #[error("cannot use TLS: {0}")]
    Tls(String),
    /// The answer is longer than anything that is asked for.
    #[error("the answer is longer than {allowed} bytes")]
    TooLong {
        /// The longest answer that is read.
        allowed: usize,
    },
    /// No answer.
    #[error("{method} \"{url}\": {reason}")]
    Transport {
        /// The method as Go writes it.
        method: String,
        /// What was asked.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The HTTP library does not start.
    #[error("cannot start an HTTP client: {0}")]
    Unusable(String),
}

impl ClientError {
    /// The status of an answer that was not good.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// The reason as Go's dialler says it where that is common, else the innermost cause.
pub(super) fn reason(error: &reqwest::Error) -> String {
    if let Some(reason) = found_in(error).and_then(tls_reason) {
        return reason;
    }
    if found_in::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        return "malformed HTTP response, as of a server that speaks https".to_owned();
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<io::Error>();
        if error.is_connect()
            && io.is_some_and(|io| io.kind() == ErrorKind::ConnectionRefused)
            && let Some(url) = error.url()
        {
            let host = url.host_str().unwrap_or_default();
            let port = url.port_or_known_default().unwrap_or_default();
            return format!("dial tcp {host}:{port}: connect: connection refused");
        }
        cause = inner.source();
    }
    root_cause(error)
}

pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}

/// What lies behind an error, also inside the operating system's.
fn found_in<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut cause = error.source()?;
    loop {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        let wrapped = cause.downcast_ref::<io::Error>();
        cause = match wrapped.and_then(io::Error::get_ref) {
            Some(inner) => inner,
            None => cause.source()?,
        };
    }
}

/// What happens to people who set up TLS, as Go says it.
fn tls_reason(error: &rustls::Error) -> Option<String> {
    let alert = match error {
        rustls::Error::AlertReceived(alert) => alert,
        rustls::Error::InvalidCertificate(error) => return certificate_reason(error),
        rustls::Error::InvalidMessage(_) => {
            return Some("http: server gave HTTP response to HTTPS client".to_owned());
        }
        _ => return None,
    };
    let text = match alert {
        Alert::BadCertificate => "bad certificate",
        Alert::CertificateExpired => "expired certificate",
        Alert::CertificateRequired => "certificate required",
        Alert::HandshakeFailure => "handshake failure",
        Alert::ProtocolVersion => "protocol version not supported",
        Alert::UnknownCA => "unknown certificate authority",
        _ => return None,
    };
    Some(format!("remote error: tls: {text}"))
}

fn certificate_reason(error: &CertificateError) -> Option<String> {
    let text = match error {
        CertificateError::UnknownIssuer => "certificate signed by unknown authority".to_owned(),
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "certificate has expired or is not yet valid".to_owned()
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => name_reason(&expected.to_str(), presented),
        _ => return None,
    };
    Some(format!("x509: {text}"))
}

/// The names that a certificate has come as `DnsName("a")` and `IpAddress(::1)`.
fn name_reason(expected: &str, presented: &[String]) -> String {
    let of_kind = |kind| {
        let name = move |text: &String| {
            let name = text.strip_prefix(kind)?.trim_matches(['(', ')', '"']);
            Some(name.to_owned())
        };
        presented.iter().filter_map(name).collect::<Vec<_>>()
    };
    let is_address = expected.parse::<std::net::IpAddr>().is_ok();
    let names = of_kind(if is_address { "IpAddress" } else { "DnsName" });
    if !names.is_empty() {
        let names = names.join(", ");
        format!("certificate is valid for {names}, not {expected}")
    } else if is_address {
        format!("cannot validate certificate for {expected} because it doesn't contain any IP SANs")
    } else {
        format!("certificate is not valid for any names, but wanted to match {expected}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_told_with_the_right_ones_of_its_kind() {
        let presented = [
            r#"DnsName("a.test")"#,
            "IpAddress(::1)",
            r#"DnsName("*.b.test")"#,
            "IpAddress(127.0.0.1)",
        ];
        let presented = presented.map(str::to_owned);
        assert_eq!(
            name_reason("c.test", &presented),
            "certificate is valid for a.test, *.b.test, not c.test"
        );
        assert_eq!(
            name_reason("10.0.0.1", &presented),
            "certificate is valid for ::1, 127.0.0.1, not 10.0.0.1"
        );
        assert_eq!(
            name_reason("10.0.0.1", &presented[..1]),
            "cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs"
        );
        assert_eq!(
            name_reason("c.test", &[]),
            "certificate is not valid for any names, but wanted to match c.test"
        );
    }
}
