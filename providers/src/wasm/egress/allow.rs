//! `allow_http`: the hosts that a plugin may reach.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use chancery_core::Printable;

use super::address::{Network, is_nobody, is_public};

/// The hosts that a plugin may reach. Without entries it reaches nobody.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowList(Vec<Entry>);

/// One entry: `host:port`, or `host:port@network` for a name that leads to addresses which are
/// not public.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    host: Host,
    port: u16,
    /// Where the name may lead besides to public addresses.
    network: Option<Network>,
}

/// A host as a URL names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// One address, which is thereby allowed whichever it is.
    Address(IpAddr),
    /// A DNS name in lower case.
    Name(String),
}

/// Why a host is not reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not look like a host.
    NoHost,
    /// No entry names it, with this port.
    NotListed,
}

impl AllowList {
    /// Reads the entries; everything that is wrong with each is said.
    pub(crate) fn parse<'a>(
        entries: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Vec<String>> {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for entry in entries {
            match Entry::parse(entry) {
                Ok(entry) => good.push(entry),
                Err(reason) => bad.push(format!("\"{}\": {reason}", Printable::new(entry))),
            }
        }
        if good.len() > MOST_ENTRIES {
            bad.push(format!(
                "{} entries, allowed are {MOST_ENTRIES}",
                good.len()
            ));
        }
        if bad.is_empty() {
            Ok(Self(good))
        } else {
            Err(bad)
        }
    }

    /// Whether nobody may be reached.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a request to `host` and `port` is allowed to reach.
    pub(super) fn find(&self, host: &str, port: u16) -> Result<(Host, Permission), Refusal> {
        let host = Host::parse(host).ok_or(Refusal::NoHost)?;
        let networks: Vec<Option<Network>> = self
            .0
            .iter()
            .filter(|entry| entry.host == host && entry.port == port)
            .map(|entry| entry.network)
            .collect();
        if networks.is_empty() {
            return Err(Refusal::NotListed);
        }
        let networks = networks.into_iter().flatten().collect();
        let listed = matches!(host, Host::Address(_));
        Ok((host, Permission { listed, networks }))
    }
}

/// Which addresses a host that is listed may have.
#[derive(Debug)]
pub(super) struct Permission {
    /// The entry is an address, so the operator has allowed exactly that.
    listed: bool,
    networks: Vec<Network>,
}

impl Permission {
    /// Whether `address` may be connected to.
    pub(super) fn covers(&self, address: IpAddr) -> bool {
        let inside = || self.networks.iter().any(|network| network.holds(address));
        !is_nobody(address) && (self.listed || is_public(address) || inside())
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (place, network) = match text.split_once('@') {
            Some((place, network)) => {
                let network = Network::parse(network);
                (place, Some(network.ok_or("no network stands after the @")?))
            }
            None => (text, None),
        };
        let (host, port) = place.rsplit_once(':').ok_or("no port is named")?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port != 0);
        let port = port.ok_or("the port must be from 1 to 65535")?;
        let host = Host::parse(host)
            .ok_or("the host must be a DNS name or an address, IPv6 in brackets")?;
        if let Host::Address(address) = host {
            if is_nobody(address) {
                return Err("nobody can be reached at this address");
            }
            if network.is_some() {
                return Err("a network is for names: an address is allowed by itself");
            }
        }
        Ok(Self {
            host,
            port,
            network,
        })
    }
}

impl Host {
    /// Reads the host of a URL. What only looks like a name, as `0x7f.1` and `127.1` do, is none:
    /// some resolvers take it for an address.
    fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let address: Ipv6Addr = rest.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Address(IpAddr::V4(address)));
        }
        let label = |label: &str| {
            let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            let ends = !label.starts_with('-') && !label.ends_with('-');
            (1..=63).contains(&label.len()) && label.bytes().all(inner) && ends
        };
        let last = text.rsplit('.').next().unwrap_or_default();
        let named = last.starts_with(|first: char| first.is_ascii_alphabetic());
        (text.len() <= 253 && text.split('.').all(label) && named)
            .then(|| Self::Name(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        write!(f, "{host}:{port}")?;
        self.network
            .map_or(Ok(()), |network| write!(f, "@{network}"))
    }
}

impl fmt::Display for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, entry) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{entry}")?;
        }
        Ok(())
    }
}

const MOST_ENTRIES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_hosts_with_ports() {
        let list = AllowList::parse([
            "CA.example.com:443",
            "127.0.0.1:8200",
            "[::1]:8200",
            "ca.corp:8443@10.0.0.0/8",
        ])
        .unwrap();
        assert_eq!(
            list.to_string(),
            "ca.example.com:443, 127.0.0.1:8200, [::1]:8200, ca.corp:8443@10.0.0.0/8"
        );
        assert!(!list.is_empty());
    }

    #[test]
    fn everything_wrong_with_the_entries_is_said() {
        let bad = [
            "ca.example.com",
            "ca.example.com:",
            "ca.example.com:0",
            "ca.example.com:65536",
            "ca.example.com:+443",
            "https://ca.example.com:443",
            "*.example.com:443",
            "user@ca.example.com:443",
            "ca.example.com.:443",
            "ca..example.com:443",
            "127.1:80",
            "0x7f000001:80",
            "2130706433:80",
            "::1:80",
            "[127.0.0.1]:80",
            "0.0.0.0:80",
            "[ff02::1]:80",
            "10.0.0.1:80@10.0.0.0/8",
            "ca.corp:443@10.0.0.1/8",
            "",
        ];
        let problems = AllowList::parse(bad).unwrap_err();
        assert_eq!(problems.len(), bad.len(), "{problems:#?}");
        assert_eq!(problems[0], "\"ca.example.com\": no port is named");
        assert_eq!(
            problems[10],
            "\"127.1:80\": the host must be a DNS name or an address, IPv6 in brackets"
        );
    }

    #[test]
    fn there_are_sixty_four_entries_at_most() {
        let entries: Vec<String> = (0..65).map(|n| format!("h{n}.example:443")).collect();
        AllowList::parse(entries.iter().take(64).map(String::as_str)).unwrap();
        AllowList::parse(entries.iter().map(String::as_str)).unwrap_err();
    }

    #[test]
    fn a_name_leads_to_public_addresses_and_where_its_entry_says() {
        let list = AllowList::parse(["ca.corp:443@10.1.0.0/16", "ca.example.com:443"]).unwrap();
        let covers = |host: &str, address: &str| {
            let (_, permission) = list.find(host, 443).unwrap();
            permission.covers(address.parse().unwrap())
        };
        assert!(covers("ca.example.com", "8.8.8.8"));
        assert!(!covers("ca.example.com", "10.1.2.3"));
        assert!(covers("ca.corp", "10.1.2.3"));
        assert!(!covers("ca.corp", "10.2.0.0"));
        assert!(!covers("ca.corp", "127.0.0.1"));
        assert!(covers("CA.Corp", "8.8.8.8"));
    }

    #[test]
    fn an_address_is_allowed_by_itself_and_only_with_its_port() {
        let list = AllowList::parse(["127.0.0.1:8200", "[::1]:1"]).unwrap();
        let (_, permission) = list.find("127.0.0.1", 8200).unwrap();
        assert!(permission.covers("127.0.0.1".parse().unwrap()));
        list.find("[::1]", 1).unwrap();
        assert_eq!(
            list.find("127.0.0.1", 8201).unwrap_err(),
            Refusal::NotListed
        );
        assert_eq!(
            list.find("127.0.0.2", 8200).unwrap_err(),
            Refusal::NotListed
        );
        assert_eq!(
            list.find("localhost", 8200).unwrap_err(),
            Refusal::NotListed
        );
        assert_eq!(list.find("127.1", 8200).unwrap_err(), Refusal::NoHost);
        // The same address in other clothes is the same address.
        list.find("[::ffff:127.0.0.1]", 8200).unwrap();
    }
}
