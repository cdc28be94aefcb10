//! A leaf for trial: before anything switches, the new incarnation shows that what it signs is
//! accepted by every peer, whatever bundle it holds.

use chancery_core::{
    CaRoot, Der, Link, Namespace, NewIssuer, PeerRole, ServiceId, ServiceName, SpiffeId, Timestamp,
    TrustBundle, TrustDomain, certificates_to_pem,
};
use chancery_providers::{LeafRequest, Validity};

use super::desk::leaf_serial;
use super::seen::Seen;
use super::{AuthorityFailure, AuthorityHost, Incarnation};
use crate::crypto;
use crate::leaf_key::LeafKey;

/// The name in the trial leaf. Its key is dropped at once and nobody ever has it.
const NAME: &str = "chancery-trial";

impl AuthorityHost {
    /// Signs a leaf and verifies it against each anchor alone.
    pub(super) async fn try_issuer(
        &self,
        incarnation: &Incarnation,
        issuer: &NewIssuer,
        links: &[Link],
        anchors: &[Der],
    ) -> Result<(), AuthorityFailure> {
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let trust_domain = authority
            .trust_domain()
            .ok_or(AuthorityFailure::NotFounded)?;
        let now = self.inner.server.clock().now().wall;
        let ends = issuer
            .intermediate_life
            .map_or(issuer.not_after, |life| life.not_after);
        let leaf = self.trial_leaf(incarnation, ends, trust_domain).await?;
        let mut chain: Vec<&[u8]> = leaf.iter().map(Vec::as_slice).collect();
        for link in links {
            chain.push(link.certificate.as_bytes());
        }
        let seen = Seen::default();
        let algorithms: Vec<_> = seen.algorithms(crypto::algorithms()).collect();
        let algorithms: Vec<_> = algorithms.iter().map(|each| each as _).collect();
        for anchor in anchors {
            let bundle = bundle_of(trust_domain, anchor)?;
            for role in [PeerRole::Client, PeerRole::Server] {
                bundle
                    .verify_peer(&chain, role, &algorithms, now)
                    .map_err(|violation| {
                        let root = bundle.roots().first().map(|root| root.subject().to_owned());
                        AuthorityFailure::Trial(format!(
                            "by a peer that holds only the root {:?}: {violation}",
                            root.unwrap_or_default()
                        ))
                    })?;
            }
        }
        Ok(())
    }

    /// Signs a leaf under the root that signs now and verifies it against that root alone.
    pub(super) async fn try_again(
        &self,
        incarnation: &Incarnation,
        root: &CaRoot,
    ) -> Result<(), AuthorityFailure> {
        let trust_domain = self.trust_domain()?;
        let now = self.inner.server.clock().now().wall;
        let ends = root.issuer_life().not_after;
        let leaf = self.trial_leaf(incarnation, ends, &trust_domain).await?;
        let chain: Vec<&[u8]> = leaf.iter().map(Vec::as_slice).collect();
        let bundle = bundle_of(&trust_domain, &root.certificate)?;
        for role in [PeerRole::Client, PeerRole::Server] {
            bundle
                .verify_peer(&chain, role, crypto::algorithms(), now)
                .map_err(trial)?;
        }
        Ok(())
    }

    async fn trial_leaf(
        &self,
        incarnation: &Incarnation,
        ends: Timestamp,
        trust_domain: &TrustDomain,
    ) -> Result<Vec<Vec<u8>>, AuthorityFailure> {
        let datacenter = self.inner.datacenter.clone();
        let name = ServiceName::parse(NAME).map_err(trial)?;
        let identity = SpiffeId::Service(ServiceId::new(
            trust_domain.clone(),
            Namespace::DEFAULT,
            datacenter.clone(),
            name,
        ));
        let kind = incarnation.options.leaf_key;
        let key = LeafKey::make(&identity, kind).await;
        let key = key.map_err(AuthorityFailure::Trial)?;
        let csr = key.request(trust_domain.clone(), datacenter);
        let csr = csr.map_err(trial)?;
        let now = self.inner.server.clock().now().wall;
        let wanted = Validity::backdated(incarnation.options.leaf_cert_ttl, now);
        let validity = Validity {
            not_after: wanted.not_after.min(ends),
            ..wanted
        };
        let request = LeafRequest::new(&csr, leaf_serial()?, validity)
            .ok_or_else(|| AuthorityFailure::Trial("its name fits no leaf".to_owned()))?;
        let leaf = incarnation.guard.issue_leaf(&request).await;
        let leaf = leaf.map_err(|error| AuthorityFailure::Provider {
            provider: incarnation.provider(),
            error,
        })?;
        Ok(leaf.chain_der().to_vec())
    }
}

fn bundle_of(trust_domain: &TrustDomain, anchor: &Der) -> Result<TrustBundle, AuthorityFailure> {
    let pem = certificates_to_pem([anchor.as_bytes()]);
    TrustBundle::from_pem(trust_domain.clone(), pem.as_bytes()).map_err(trial)
}

fn trial(error: impl std::fmt::Display) -> AuthorityFailure {
    AuthorityFailure::Trial(error.to_string())
}
