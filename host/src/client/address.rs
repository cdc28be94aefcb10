//! Where an agent is reached.

use std::path::PathBuf;

use super::error::ClientError;

/// A checked address.
#[derive(Debug)]
pub(super) enum Place {
    Http(String),
    Https(String),
    Unix(PathBuf),
}

impl Place {
    pub(super) fn parse(address: &str) -> Result<Self, ClientError> {
        let refuse = |reason| {
            Err(ClientError::BadAddress {
                found: address.to_owned(),
                reason,
            })
        };
        let (scheme, rest) = match address.split_once("://") {
            _ if address.is_empty() => ("http", "127.0.0.1:8500"),
            None => ("http", address),
            Some(("unix", "")) => return refuse("unix:// needs a path"),
            Some(("unix", path)) => return Ok(Self::Unix(path.into())),
            Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
            Some(_) => return refuse(ALLOWED),
        };
        let authority = rest.trim_end_matches('/');
        let bad = |character: char| {
            character.is_whitespace() || matches!(character, '/' | '?' | '#' | '@')
        };
        if authority.is_empty() || authority.contains(bad) {
            return refuse(ALLOWED);
        }
        let authority = authority.to_owned();
        Ok(match scheme {
            "https" => Self::Https(authority),
            _ => Self::Http(authority),
        })
    }

    /// What every URL begins with. A server name stands in the place of the host.
    pub(super) fn base(&self, server_name: Option<&str>) -> String {
        match (self, server_name) {
            (Self::Http(authority), _) => format!("http://{authority}"),
            (Self::Https(authority), None) => format!("https://{authority}"),
            (Self::Https(authority), Some(name)) => {
                format!("https://{name}:{}", host_and_port(authority).1)
            }
            (Self::Unix(_), _) => "http://localhost".to_owned(),
        }
    }
}

/// The host without brackets, and the port; 443 if none is said.
pub(super) fn host_and_port(authority: &str) -> (&str, u16) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(HTTPS)),
        _ => (authority, HTTPS),
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    (bare.unwrap_or(host), port)
}

const ALLOWED: &str = "allowed are host:port, http://host:port, https://host:port and unix://path";

const HTTPS: u16 = 443;
