//! Which addresses are the public Internet's, and networks as they are written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` is one that anybody in the world can be reached at.
///
/// By the registries of special-purpose addresses (RFC 6890 and its successors); for IPv6 by what
/// is handed out, 2000::/3, less what leads to other addresses (Teredo, 6to4) or is for examples.
/// An IPv4 address in IPv6's clothes counts as what it is.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 0, 2, 0], 24),
        ([192, 88, 99, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
        // Multicast, reserved, and broadcast.
        ([224, 0, 0, 0], 3),
    ];
    !special.into_iter().any(|(base, length)| {
        let network = Network {
            base: IpAddr::V4(base.into()),
            length,
        };
        network.holds(IpAddr::V4(address))
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Protocol assignments (Teredo among them), examples, 6to4.
        [0x2001, 0x0000..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x2002, ..] => false,
        [0x3fff, 0x0000..=0x0fff, ..] => false,
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

/// Whether nobody can be reached at `address`, whoever allows it.
pub(super) fn is_nobody(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    address.is_unspecified() || address.is_multicast() || broadcast
}

/// A network such as `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    base: IpAddr,
    length: u8,
}

impl Network {
    /// Reads `address` or `address/length`; no bit may be set after the length.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (base, length) = match text.split_once('/') {
            Some((base, length)) => (base, Some(length)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let most = bits(base);
        let length = match length {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|length| *length <= most)?
            }
            Some(_) => return None,
            None => most,
        };
        let network = Self { base, length };
        (network.kept(base) == network.key()).then_some(network)
    }

    /// Whether `address` is in it; an IPv4 address in IPv6's clothes counts as what it is.
    pub(super) fn holds(self, address: IpAddr) -> bool {
        let (base, address) = (self.base.to_canonical(), address.to_canonical());
        base.is_ipv4() == address.is_ipv4() && self.kept(address) == self.key()
    }

    fn key(self) -> u128 {
        number(self.base)
    }

    /// The bits of `address` that count.
    fn kept(self, address: IpAddr) -> u128 {
        let dropped = u32::from(bits(address).saturating_sub(self.length));
        number(address)
            .checked_shr(dropped)
            .and_then(|kept| kept.checked_shl(dropped))
            .unwrap_or_default()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, length } = self;
        if *length == bits(*base) {
            return base.fmt(f);
        }
        write!(f, "{base}/{length}")
    }
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_world_can_reach_is_public() {
        for public in [
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "223.255.255.255",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }

    #[test]
    fn networks_hold_their_own_and_are_written_without_stray_bits() {
        let network = Network::parse("10.1.0.0/16").unwrap();
        assert_eq!(network.to_string(), "10.1.0.0/16");
        for (address, held) in [
            ("10.1.0.0", true),
            ("10.1.255.255", true),
            ("::ffff:10.1.2.3", true),
            ("10.0.255.255", false),
            ("10.2.0.0", false),
            ("::a01:203", false),
        ] {
            assert_eq!(network.holds(address.parse().unwrap()), held, "{address}");
        }
        let one = Network::parse("fd00::5").unwrap();
        assert_eq!(one.to_string(), "fd00::5");
        assert!(one.holds("fd00::5".parse().unwrap()));
        assert!(!one.holds("fd00::4".parse().unwrap()));
        let all = Network::parse("0.0.0.0/0").unwrap();
        assert!(all.holds("203.0.113.9".parse().unwrap()));
        for bad in [
            "",
            "10.1.2.0/16",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "a/8",
            "10/8",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
