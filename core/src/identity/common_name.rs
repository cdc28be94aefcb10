//! The subject common names that Consul gives to certificates.
//!
//! They are for people and for old tools; nothing here reads one back. X.509 allows 64
//! characters, so every part is cut to fit (Consul 1.8: `agent/connect/common_names.go`).

use super::{SpiffeId, TrustDomain};

/// Whether an authority belongs to the primary datacenter or to a secondary one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a datacenter is primary or it is not"
)]
pub enum CaTier {
    /// The primary datacenter's authority: `pri-…`.
    Primary,
    /// A secondary datacenter's authority: `sec-…`.
    Secondary,
}

/// The common name of a certificate for `identity`; the CSR's own is never used.
///
/// `<svc>.svc.default.<td8>.consul` for a service, `<node>.agnt.<td8>.consul` for an agent.
/// The signing identity has none without a provider's name: see [`ca_common_name`].
#[must_use]
pub fn common_name(identity: &SpiffeId) -> Option<String> {
    match identity {
        SpiffeId::Agent(id) => {
            let node = cut(&label(id.node().as_str()), NAME_BYTES).to_owned();
            Some(format!("{node}.agnt.{}.consul", td8(id.trust_domain())))
        }
        SpiffeId::Service(id) => {
            // Consul cuts a namespace only when it is longer than 15, which `default` is not.
            let namespace = id.namespace().as_str();
            let service = label(id.service().as_str());
            let service = cut(&service, NAME_BYTES - namespace.len());
            Some(format!(
                "{service}.svc.{namespace}.{}.consul",
                td8(id.trust_domain())
            ))
        }
        SpiffeId::Signing(_) => None,
    }
}

/// The common name of an authority: `pri-<uid>.<provider>.ca.<td8>.consul`.
///
/// `random` makes the `uid`: read as a signed number, written in base 36, cut to eight
/// characters, its sign dropped (so 7 or 8 remain). Successive authorities differ by it.
#[must_use]
pub fn ca_common_name(
    tier: CaTier,
    provider: &str,
    trust_domain: &TrustDomain,
    random: [u8; 8],
) -> String {
    let tier = match tier {
        CaTier::Primary => "pri",
        CaTier::Secondary => "sec",
    };
    let number = base36(i64::from_be_bytes(random));
    let uid = label(cut(&number, 8));
    let provider = label(provider);
    format!(
        "{tier}-{uid}.{}.ca.{}.consul",
        cut(&provider, PROVIDER_BYTES),
        td8(trust_domain)
    )
}

/// Lower case, and only what `[a-z0-9]` holds.
fn label(text: &str) -> String {
    let mut lower = text.to_lowercase();
    lower.retain(|character| matches!(character, 'a'..='z' | '0'..='9'));
    lower
}

fn cut(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text)
}

fn td8(trust_domain: &TrustDomain) -> &str {
    cut(trust_domain.as_str(), 8)
}

fn base36(number: i64) -> String {
    let mut digits = Vec::new();
    let mut rest = number.unsigned_abs();
    loop {
        let digit = u32::try_from(rest % 36).unwrap_or(0);
        digits.push(char::from_digit(digit, 36).unwrap_or('0'));
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        digits.push('-');
    }
    digits.iter().rev().collect()
}

/// 64 less the letters that stand around a name and a namespace.
const NAME_BYTES: usize = 43;
/// 64 less the letters that stand around a provider's name.
const PROVIDER_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> String {
        let uri = format!("spiffe://11111111-2222.consul/ns/default/dc/dc1/svc/{name}");
        common_name(&SpiffeId::parse(&uri).unwrap()).unwrap()
    }

    #[test]
    fn services_are_named_as_consul_names_them() {
        assert_eq!(
            service("My.Web_Svc-1"),
            "mywebsvc1.svc.default.11111111.consul"
        );
        assert_eq!(service("caf%C3%A9"), "caf.svc.default.11111111.consul");
        assert_eq!(service("%2A"), ".svc.default.11111111.consul");
        let longest = service(&"x".repeat(100));
        assert_eq!(longest.len(), 64);
        assert!(longest.starts_with(&format!("{}.svc.", "x".repeat(36))));
    }

    #[test]
    fn agents_are_named_as_consul_names_them() {
        let agent = |node: &str| {
            let uri = format!("spiffe://ab.consul/agent/client/dc/dc1/id/{node}");
            common_name(&SpiffeId::parse(&uri).unwrap()).unwrap()
        };
        assert_eq!(agent("ClientNode-1"), "clientnode1.agnt.ab.consu.consul");
        assert_eq!(agent(&"n".repeat(50)).len(), 43 + 6 + 8 + 7);
    }

    #[test]
    fn authorities_are_named_by_tier_provider_and_number() {
        let domain = TrustDomain::parse("11111111-2222.consul").unwrap();
        for (tier, provider, random, expected) in [
            (
                CaTier::Primary,
                "consul",
                [0; 8],
                "pri-0.consul.ca.11111111.consul",
            ),
            // i64::MAX is 1y2p0ij32e8e7 in base 36.
            (
                CaTier::Primary,
                "vault",
                i64::MAX.to_be_bytes(),
                "pri-1y2p0ij3.vault.ca.11111111.consul",
            ),
            (
                CaTier::Secondary,
                "aws-pca",
                i64::MIN.to_be_bytes(),
                "sec-1y2p0ij.awspca.ca.11111111.consul",
            ),
        ] {
            let name = ca_common_name(tier, provider, &domain, random);
            assert_eq!(name, expected);
        }
        let longest = ca_common_name(CaTier::Primary, &"p".repeat(99), &domain, [0x7f; 8]);
        assert_eq!(longest.len(), 64);
    }

    #[test]
    fn the_signing_identity_has_no_name_of_its_own() {
        let id = SpiffeId::parse("spiffe://11111111-2222.consul").unwrap();
        assert_eq!(common_name(&id), None);
    }
}
