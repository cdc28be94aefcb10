//! Keeping web pages out of an API that trusts whoever can reach it.
//!
//! A browser on the agent's machine reaches loopback for any page it shows. Three things give
//! such requests away: a `Host` that is a name of the page's choosing (DNS rebinding), an
//! `Origin` that is another than the API's own, and `Sec-Fetch-Site`. Consul 1.8 looks at none.
//! No browser opens a socket in the file system, and clients name anything as its host.

use std::net::IpAddr;

use http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use http::{Method, StatusCode, Uri, Version};

use super::error::ApiError;

/// Refuses a request that a foreign web page may have made.
///
/// # Errors
/// 400 for a request that does not say whom it is for, 403 for one that is for somebody else or
/// comes from a foreign page.
pub(crate) fn admit(
    method: &Method,
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
    names: &[String],
) -> Result<(), ApiError> {
    let host = host(uri, version, headers, names)?;
    cross_site(method, headers)?;
    origin(headers, host.as_deref())
}

/// The host that the request is for, checked. Nothing for HTTP/1.0 without one: no browser
/// leaves it out.
fn host(
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
    names: &[String],
) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(HOST).iter();
    let value = match (values.next(), values.next()) {
        (_, Some(_)) => return Err(ApiError::plain_bad_request("more than one Host header")),
        (None, None) if version == Version::HTTP_10 => None,
        (None, None) => return Err(ApiError::plain_bad_request("missing required Host header")),
        (Some(value), None) => Some(value.to_str().unwrap_or_default()),
    };
    let asked = [uri.authority().map(http::uri::Authority::as_str), value];
    for authority in asked.into_iter().flatten() {
        if !is_own(authority, names) {
            return Err(forbidden(
                "this Host is not one of the agent's: use an IP address, localhost or a name from \
                 its configuration",
            ));
        }
    }
    Ok(value.map(str::to_ascii_lowercase))
}

/// Whether `authority` (a host, perhaps with a port) is an IP address, `localhost`, or a name of
/// our own. A name may end in the dot of the root.
fn is_own(authority: &str, names: &[String]) -> bool {
    let Some(host) = without_port(authority) else {
        return false;
    };
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    if host
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_ipv4())
    {
        return true;
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    name.eq_ignore_ascii_case("localhost") || names.iter().any(|own| name.eq_ignore_ascii_case(own))
}

fn without_port(authority: &str) -> Option<&str> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at_checked(end)?;
    let port_is_fine = match port.strip_prefix(':') {
        Some(digits) => digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    port_is_fine.then_some(host)
}

/// Browsers say whether a request comes from another site. Following a link is harmless, anything
/// that happens behind a page is not.
fn cross_site(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(site) = headers.get(HeaderName::from_static("sec-fetch-site")) else {
        return Ok(());
    };
    let followed = method == Method::GET
        && headers
            .get(HeaderName::from_static("sec-fetch-mode"))
            .is_some_and(|mode| mode == "navigate");
    if site == "same-origin" || site == "none" || followed {
        return Ok(());
    }
    Err(forbidden(
        "requests that a page of another site makes are refused",
    ))
}

/// An `Origin` must be that of the API itself. Browsers send it with every write and with every
/// request to another origin.
fn origin(headers: &HeaderMap, host: Option<&str>) -> Result<(), ApiError> {
    let mut values = headers.get_all(ORIGIN).iter();
    let Some(value) = values.next() else {
        return Ok(());
    };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let authority = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let is_own = values.next().is_none() && authority.is_some() && authority == host;
    if is_own {
        Ok(())
    } else {
        Err(forbidden("this Origin is not that of the agent"))
    }
}

fn forbidden(text: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: Method, lines: &[(&'static str, &'static str)]) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let names = ["agent.example".to_owned()];
        let uri = Uri::from_static("/v1/connect/intentions");
        match admit(&method, &uri, Version::HTTP_11, &headers, &names) {
            Ok(()) => 200,
            Err(error) => error.status.as_u16(),
        }
    }

    #[test]
    fn hosts_that_no_page_can_choose_are_admitted() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:8500",
            "127.0.0.1:",
            "10.1.2.3:80",
            "[::1]:8500",
            "[2001:db8::1]",
            "localhost",
            "LOCALHOST:8500",
            "localhost.",
            "agent.example",
            "Agent.Example.:8500",
        ] {
            assert_eq!(status(Method::GET, &[("host", host)]), 200, "{host}");
        }
    }

    #[test]
    fn all_other_hosts_are_refused() {
        for host in [
            "evil.test",
            "evil.test:8500",
            "127.0.0.1.evil.test",
            "localhost.evil.test",
            "evil.localhost",
            "agent.example..",
            "0x7f.1",
            "2130706433",
            "127.1",
            "",
            ":8500",
            "::1",
            "[::1",
            "[::1]x",
            "[localhost]",
            "127.0.0.1:8500:1",
            "127.0.0.1:80a",
            "127.0.0.1@evil.test",
            "localhost/evil",
        ] {
            assert_eq!(status(Method::GET, &[("host", host)]), 403, "{host}");
        }
    }

    #[test]
    fn a_request_says_once_whom_it_is_for() {
        assert_eq!(status(Method::GET, &[]), 400);
        assert_eq!(
            status(Method::GET, &[("host", "localhost"), ("host", "localhost")]),
            400
        );
        let admitted = |uri: &'static str, version, host: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert("host", host.parse().unwrap());
            }
            admit(&Method::GET, &Uri::from_static(uri), version, &headers, &[]).is_ok()
        };
        assert!(admitted("/", Version::HTTP_10, None));
        assert!(!admitted(
            "http://evil.test/",
            Version::HTTP_11,
            Some("localhost")
        ));
        assert!(!admitted("http://evil.test/", Version::HTTP_10, None));
        assert!(admitted(
            "http://127.0.0.1:1/",
            Version::HTTP_11,
            Some("127.0.0.1:1")
        ));
    }

    #[test]
    fn what_happens_behind_a_foreign_page_is_refused() {
        let host = ("host", "127.0.0.1:8500");
        for (method, lines, expected) in [
            (Method::POST, vec![host], 200),
            (
                Method::POST,
                vec![host, ("origin", "http://127.0.0.1:8500")],
                200,
            ),
            (
                Method::POST,
                vec![host, ("origin", "http://127.0.0.1:8501")],
                403,
            ),
            (
                Method::POST,
                vec![host, ("origin", "http://127.0.0.1")],
                403,
            ),
            (
                Method::POST,
                vec![host, ("origin", "http://evil.test")],
                403,
            ),
            (Method::POST, vec![host, ("origin", "null")], 403),
            (
                Method::PUT,
                vec![host, ("sec-fetch-site", "cross-site")],
                403,
            ),
            (
                Method::PUT,
                vec![host, ("sec-fetch-site", "same-site")],
                403,
            ),
            (
                Method::PUT,
                vec![host, ("sec-fetch-site", "same-origin")],
                200,
            ),
            (Method::PUT, vec![host, ("sec-fetch-site", "none")], 200),
            (
                Method::POST,
                vec![
                    host,
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                ],
                403,
            ),
            (
                Method::GET,
                vec![
                    host,
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                ],
                200,
            ),
            (
                Method::GET,
                vec![
                    host,
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "no-cors"),
                ],
                403,
            ),
        ] {
            assert_eq!(status(method, &lines), expected, "{lines:?}");
        }
    }
}
