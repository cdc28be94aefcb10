//! The rules that more than one kind of check applies.

use super::facts::{Extensions, Facts, Names, PurposesFound};
use super::identifier::colon_hex;
use super::{CaPolicy, KeyKind, KeyPolicy, KeyUsages, LeafPolicy, OtherNames, PeerRole};
use super::{Purposes, Violation};
use crate::time::Timestamp;

/// The number and size of what a stranger may send, before a byte of it is parsed.
pub(super) fn check_size<T: AsRef<[u8]>>(chain: &[T]) -> Result<(), Violation> {
    if chain.is_empty() || chain.len() > MAX_CERTIFICATES {
        return Err(Violation::ChainLength {
            found: chain.len(),
            allowed: MAX_CERTIFICATES,
        });
    }
    let bytes = chain.iter().map(|der| der.as_ref().len()).sum();
    if bytes > MAX_CHAIN_BYTES {
        return Err(Violation::ChainBytes {
            found: bytes,
            allowed: MAX_CHAIN_BYTES,
        });
    }
    Ok(())
}

/// Everything a leaf must be by itself; returns its one URI.
pub(super) fn check_leaf<'a>(
    facts: &Facts<'a>,
    policy: &LeafPolicy,
    role: PeerRole,
) -> Result<&'a str, Violation> {
    let extensions = &facts.extensions;
    check_no_ca(extensions)?;
    check_key(&facts.key, &policy.keys)?;
    let allowed = policy.key_usages_allowed(&facts.key);
    let usages = extensions.key_usages.unwrap_or_default();
    check_key_usages(usages, policy.key_usages_needed, allowed)?;
    check_purposes(extensions.purposes.as_ref(), policy.purposes, role)?;
    let names = extensions.names.as_ref();
    let uri = check_names(names, policy.other_names)?;
    if !facts.has_subject() && !names.is_some_and(|names| names.critical) {
        return Err(Violation::SanNotCritical);
    }
    Ok(uri)
}

/// Everything an authority's certificate must be by itself; returns its key identifier.
pub(super) fn check_ca<'a>(facts: &Facts<'a>, policy: &CaPolicy) -> Result<&'a [u8], Violation> {
    let extensions = &facts.extensions;
    let Some(constraints) = extensions.basic_constraints.as_ref().filter(|it| it.ca) else {
        return Err(Violation::NotCa {
            found: facts.subject(),
        });
    };
    if !constraints.critical {
        return Err(Violation::BasicConstraintsNotCritical {
            found: facts.subject(),
        });
    }
    if policy.path_length.is_some() && constraints.path_length != policy.path_length {
        return Err(Violation::PathLength {
            found: shown(constraints.path_length),
            allowed: shown(policy.path_length),
        });
    }
    check_key(&facts.key, &policy.keys)?;
    let usages = extensions.key_usages.unwrap_or_default();
    check_key_usages(usages, policy.key_usages_needed, policy.key_usages_allowed)?;
    if !facts.has_subject() {
        return Err(Violation::EmptySubject);
    }
    extensions
        .subject_key_id
        .ok_or_else(|| missing("subject key identifier", facts))
}

/// A leaf, or a request for one, is no CA (X509-SVID §4.1).
pub(super) fn check_no_ca(extensions: &Extensions<'_>) -> Result<(), Violation> {
    match &extensions.basic_constraints {
        Some(constraints) if constraints.ca => Err(Violation::LeafIsCa),
        _ => Ok(()),
    }
}

pub(super) fn check_key(key: &KeyKind, policy: &KeyPolicy) -> Result<(), Violation> {
    if policy.allows(key) {
        return Ok(());
    }
    Err(Violation::Key {
        found: key.to_string(),
        allowed: policy.to_string(),
    })
}

pub(super) const fn check_key_usages(
    found: KeyUsages,
    needed: KeyUsages,
    allowed: KeyUsages,
) -> Result<(), Violation> {
    // What is too much comes first: keyCertSign on a leaf is the graver news.
    if !allowed.contains(found) {
        return Err(Violation::KeyUsageForbidden { found, allowed });
    }
    if !found.contains(needed) {
        return Err(Violation::KeyUsageMissing {
            found,
            allowed: needed,
        });
    }
    Ok(())
}

/// Exactly one URI, and beside it only what the policy has; returns the URI.
pub(super) fn check_names<'a>(
    names: Option<&Names<'a>>,
    policy: OtherNames,
) -> Result<&'a str, Violation> {
    let Some(names) = names else {
        return Err(Violation::UriCount { found: 0 });
    };
    let [uri] = names.uris.as_slice() else {
        return Err(Violation::UriCount {
            found: names.uris.len(),
        });
    };
    let refused = match policy {
        OtherNames::DnsAndIp => names.odd,
        OtherNames::Refused => names.odd.or(names.dns_or_ip),
    };
    match refused {
        Some(found) => Err(Violation::OtherName {
            found,
            allowed: match policy {
                OtherNames::DnsAndIp => "one URI, DNS names and IP addresses",
                OtherNames::Refused => "one URI and nothing else",
            },
        }),
        None => Ok(uri),
    }
}

/// Whether `now` is within the certificate's validity, both ends included.
pub(super) fn check_validity(facts: &Facts<'_>, now: Timestamp) -> Result<(), Violation> {
    let now = now.whole_seconds();
    if now < facts.not_before {
        return Err(Violation::NotYetValid {
            subject: facts.subject(),
            found: facts.not_before,
            now,
        });
    }
    if now > facts.not_after {
        return Err(Violation::Expired {
            subject: facts.subject(),
            found: facts.not_after,
            now,
        });
    }
    Ok(())
}

/// The authority key identifier must be there and be the issuer's.
pub(super) fn check_authority_key_id(
    facts: &Facts<'_>,
    issuer_key_id: &[u8],
) -> Result<(), Violation> {
    let Some(found) = facts.extensions.authority_key_id else {
        return Err(missing("authority key identifier", facts));
    };
    if found == issuer_key_id {
        return Ok(());
    }
    Err(Violation::AuthorityKeyId {
        found: colon_hex(found),
        allowed: colon_hex(issuer_key_id),
    })
}

/// A path length constraint for people.
pub(super) fn shown(path_length: Option<u32>) -> String {
    path_length.map_or_else(|| "none".to_owned(), |length| length.to_string())
}

fn check_purposes(
    found: Option<&PurposesFound>,
    policy: Purposes,
    role: PeerRole,
) -> Result<(), Violation> {
    let needed = match (policy, role) {
        (Purposes::BothOnly, _) => "clientAuth and serverAuth only",
        (Purposes::ByRole, PeerRole::Client) => "clientAuth",
        (Purposes::ByRole, PeerRole::Server) => "serverAuth",
    };
    let Some(found) = found else {
        return Err(Violation::Purpose {
            found: "absent".to_owned(),
            allowed: needed,
        });
    };
    if found.any {
        return Err(Violation::AnyPurpose);
    }
    let good = match (policy, role) {
        (Purposes::BothOnly, _) => found.client && found.server && !found.others,
        (Purposes::ByRole, PeerRole::Client) => found.client,
        (Purposes::ByRole, PeerRole::Server) => found.server,
    };
    if good {
        return Ok(());
    }
    let names = [
        (found.client, "clientAuth"),
        (found.server, "serverAuth"),
        (found.others, "others"),
    ];
    let named = names.iter().filter(|(there, _)| *there);
    let list: Vec<&str> = named.map(|(_, name)| *name).collect();
    Err(Violation::Purpose {
        found: list.join(", "),
        allowed: needed,
    })
}

fn missing(what: &'static str, facts: &Facts<'_>) -> Violation {
    Violation::Missing {
        what,
        subject: facts.subject(),
    }
}

/// A leaf, and cross-signed certificates for the longest path that a rotation makes.
const MAX_CERTIFICATES: usize = 8;
/// Eight certificates of RSA 4096 with room to spare.
const MAX_CHAIN_BYTES: usize = 32 * 1024;
