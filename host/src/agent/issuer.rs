//! Where the agent's leafs come from: a new key, a request, the authority's signature.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use chancery_core::{
    Datacenter, Namespace, ServiceId, ServiceName, SpiffeId, Topic, TrustDomain,
    certificates_to_pem,
};

use super::leafs::{Leaf, LeafError, LeafSource};
use super::local::LocalAgent;
use crate::leaf_key::LeafKey;
use crate::server::{AuthorityHost, Server, SignError, SignedLeaf};

/// Issues leafs for services of this agent, through the server in the same process.
pub(super) struct LeafIssuer {
    pub(super) server: Server,
    pub(super) authority: AuthorityHost,
    pub(super) local: LocalAgent,
    pub(super) datacenter: Datacenter,
}

#[async_trait]
impl LeafSource for LeafIssuer {
    async fn issue(&self, service: &ServiceName, after: u64) -> Result<Leaf, LeafError> {
        let view = self.server.view();
        let trust_domain = view
            .state()
            .authority()
            .trust_domain()
            .ok_or(LeafError::NoAuthority)?;
        let identity = self.identity(trust_domain, service);
        let kind = self.authority.leaf_key();
        let key = LeafKey::make(&identity, kind).await;
        let key = key.map_err(LeafError::Failed)?;
        let signed = self.authority.sign_own(&key).await;
        let signed = signed.map_err(|error| refusal(&error))?;
        let leaf = &signed.leaf;
        let now = self.server.clock().now().wall;
        let revision = self.server.view().state().revision().number();
        Ok(Leaf {
            service: service.clone(),
            uri: identity.to_string(),
            certificates_pem: chain_pem(&signed),
            private_key_pem: key.into_pem(),
            serial: leaf.serial().to_string(),
            valid_after: leaf.not_before(),
            valid_before: leaf.not_after(),
            issuer_key_id: leaf.authority_key_id().to_string(),
            index: revision.max(after + 1),
            issued_at: now,
        })
    }

    fn issuer_key_id(&self) -> Option<String> {
        let view = self.server.view();
        let root = view.state().authority().active_root()?;
        Some(root.signing_key_id.clone())
    }

    async fn issuer_changed(&self, known: Option<&str>) {
        const LOOK_AGAIN: Duration = Duration::from_secs(3600);
        loop {
            let view = self.server.view();
            let signs = view.state().authority().active_root();
            if signs.map(|root| root.signing_key_id.as_str()) != known {
                return;
            }
            let seen = view.index(&[Topic::CaRoots]);
            let deadline = tokio::time::Instant::now() + LOOK_AGAIN;
            self.server.wait(&[Topic::CaRoots], seen, deadline).await;
        }
    }

    async fn reissue_slots(&self, issuer: &str, count: usize) -> Vec<Duration> {
        self.authority.reissue_slots(issuer, count)
    }

    fn registered(&self) -> HashSet<String> {
        self.local.service_names()
    }
}

impl LeafIssuer {
    fn identity(&self, trust_domain: &TrustDomain, service: &ServiceName) -> SpiffeId {
        SpiffeId::Service(ServiceId::new(
            trust_domain.clone(),
            Namespace::DEFAULT,
            self.datacenter.clone(),
            service.clone(),
        ))
    }
}

/// The leaf's own chain, and what leads from its root to older ones, each once.
fn chain_pem(signed: &SignedLeaf) -> String {
    let mut chain: Vec<&[u8]> = signed.leaf.chain_der().iter().map(Vec::as_slice).collect();
    for link in &signed.links {
        if !chain.contains(&link.as_bytes()) {
            chain.push(link.as_bytes());
        }
    }
    certificates_to_pem(chain)
}

fn refusal(error: &SignError) -> LeafError {
    match error {
        SignError::NoAuthority => LeafError::NoAuthority,
        error if error.is_rate_limit() => LeafError::RateLimited,
        error => LeafError::Failed(error.to_string()),
    }
}
