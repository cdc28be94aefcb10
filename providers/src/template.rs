//! What Chancery's certificates say, from what the authority has decided.

use std::time::Duration;

use chancery_core::{
    CaTier, CheckedCsr, LeafPolicy, Serial, Timestamp, TrustDomain, ca_common_name, common_name,
};
use rustls_pki_types::{CertificateSigningRequestDer, SubjectPublicKeyInfoDer};

use crate::{
    ExtendedKeyUsage, IntermediateTemplate, KeySpec, LeafRequest, LeafTemplate, RootTemplate,
    Validity,
};

impl RootTemplate {
    /// A primary datacenter's root, `pri-<uid>.<provider>.ca.<td8>.consul`.
    ///
    /// `random` becomes the uid. The serial must fit in 63 bits. Like Consul's, it is not
    /// backdated.
    #[must_use]
    pub fn new(
        provider: &str,
        trust_domain: &TrustDomain,
        random: [u8; 8],
        serial: Serial,
        key: KeySpec,
        ttl: Duration,
        now: Timestamp,
    ) -> Self {
        Self {
            common_name: ca_common_name(CaTier::Primary, provider, trust_domain, random),
            uri: format!("spiffe://{trust_domain}"),
            serial,
            key,
            validity: Validity {
                not_before: now.whole_seconds(),
                not_after: now.whole_seconds().saturating_add(ttl),
            },
        }
    }
}

impl IntermediateTemplate {
    /// An intermediate under which only leafs follow, `sec-<uid>.<provider>.ca.<td8>.consul`.
    #[must_use]
    pub fn new(
        provider: &str,
        trust_domain: &TrustDomain,
        random: [u8; 8],
        serial: Serial,
        ttl: Duration,
        now: Timestamp,
    ) -> Self {
        Self {
            common_name: ca_common_name(CaTier::Secondary, provider, trust_domain, random),
            uri: format!("spiffe://{trust_domain}"),
            serial,
            validity: Validity::backdated(ttl, now),
            path_length: 0,
        }
    }
}

impl LeafRequest {
    /// The leaf for a checked request: its identity and key, and nothing else of it.
    ///
    /// digitalSignature, with keyEncipherment for RSA keys only (a named difference from
    /// Consul); clientAuth and serverAuth in that order. `None` if the identity is one that no
    /// leaf can have.
    #[must_use]
    pub fn new(csr: &CheckedCsr, serial: Serial, validity: Validity) -> Option<Self> {
        Some(Self {
            csr: CertificateSigningRequestDer::from(csr.der().to_vec()),
            public_key: SubjectPublicKeyInfoDer::from(csr.spki_der().to_vec()),
            template: LeafTemplate {
                common_name: common_name(csr.identity())?,
                uri: csr.identity().to_string(),
                serial,
                validity,
                key_usages: LeafPolicy::issued().key_usages_allowed(csr.key()),
                extended_key_usages: vec![
                    ExtendedKeyUsage::ClientAuth,
                    ExtendedKeyUsage::ServerAuth,
                ],
            },
        })
    }
}

impl Validity {
    /// From a minute ago, for peers whose clocks are behind, until `ttl` from now, in whole
    /// seconds.
    #[must_use]
    pub fn backdated(ttl: Duration, now: Timestamp) -> Self {
        let now = now.whole_seconds();
        Self {
            not_before: now.saturating_sub(BACKDATED),
            not_after: now.saturating_add(ttl).whole_seconds(),
        }
    }
}

/// Consul's figure.
const BACKDATED: Duration = Duration::from_secs(60);
