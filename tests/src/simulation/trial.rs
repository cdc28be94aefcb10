//! Leafs: one for trial before a switch, and those that agents ask for.

use chancery_core::{
    AuthorityCommand, CheckedRoot, Der, Effect, KeyUsages, PeerRole, Serial, TrustBundle,
};
use chancery_providers::{
    CaProvider, ExtendedKeyUsage, LeafRequest, LeafTemplate, ProviderError, Validity,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, SubjectPublicKeyInfoDer};

use super::certificates::{Party, from_bytes, from_der, stamp};
use super::der::public_key_info;
use super::effects::Failure;
use super::realm::TrueLeaf;
use super::remembered::Remembered;
use super::signature::ALGORITHMS;
use super::world::World;

impl World {
    pub(super) fn try_issuer(&mut self, effect: Effect) -> Result<AuthorityCommand, Failure> {
        let Effect::TryIssuer {
            epoch,
            issuer,
            links,
            anchors,
        } = effect
        else {
            return Err(Failure::Over);
        };
        let rotation = self
            .authority
            .record()
            .and_then(|it| it.rotation.as_deref());
        let life = rotation.map(|rotation| rotation.configuration.lifetimes.leaf);
        let Some(life) = life else {
            return Err(Failure::Over);
        };
        let incarnation = self.committed(epoch, |authority, _| {
            let rotation = authority.record()?.rotation.as_deref()?;
            Some(rotation.configuration.clone())
        })?;
        let signs = from_der(issuer.intermediates.first().unwrap_or(&issuer.certificate));
        let state = self.authority.provider_state(epoch);
        let remembered = state.map(|state| Remembered::from_state(state.sealed.as_bytes()));
        let (has, lost) = (
            self.realm.backends.has(signs),
            self.realm.backends.is_lost(signs),
        );
        let keeps = remembered
            .flatten()
            .is_some_and(|memory| memory.signs() == signs);
        if !lost && (!has || !keeps) && self.is_wanted(epoch) {
            self.complain(|| format!("epoch {epoch} is tried and has no key"));
        }
        let ends = issuer
            .intermediate_life
            .map_or(issuer.not_after, |life| life.not_after);
        let wanted = Validity::backdated(life, stamp(self.wall()));
        let validity = Validity {
            not_after: wanted.not_after.min(ends),
            ..wanted
        };
        let (leaf, chain) = self.leaf(&*incarnation, validity)?;
        let sent = chain.iter().map(AsRef::as_ref);
        let sent: Vec<&[u8]> = sent
            .chain(links.iter().map(|link| link.certificate.as_bytes()))
            .collect();
        let refused = anchors
            .iter()
            .find(|anchor| !self.accepts(anchor, leaf, &sent));
        if let Some(refused) = refused {
            let text = format!("  trial fails against {:?}", from_der(refused));
            self.tell(|| text);
            return Err(Failure::Trial);
        }
        Ok(AuthorityCommand::IssuerTried { epoch })
    }

    /// Whether a peer that holds only this root accepts the leaf: by the table, and now and then
    /// by the product's own verification too.
    fn accepts(&mut self, anchor: &Der, leaf: TrueLeaf, sent: &[&[u8]]) -> bool {
        let wall = self.wall();
        let behind: Vec<_> = sent.iter().skip(1).map(|der| from_bytes(der)).collect();
        let spans = self
            .realm
            .certificates
            .spans(leaf.signer, &behind, &[from_der(anchor)]);
        let good = spans
            .iter()
            .any(|(from, until)| *from <= wall && wall <= *until);
        if self.is_thorough
            && let Some(verified) = self.verifies(anchor, sent)
            && verified != good
        {
            let anchor = from_der(anchor);
            self.complain(|| {
                format!(
                    "a peer with {anchor:?} says {verified} to a leaf with {behind:?}, \
                     and the table says {good}"
                )
            });
        }
        good
    }

    fn verifies(&self, anchor: &Der, sent: &[&[u8]]) -> Option<bool> {
        let trust_domain = self.authority.trust_domain()?.clone();
        let root = CheckedRoot::restore(anchor.as_bytes()).ok()?;
        let bundle = TrustBundle::new(trust_domain, [root]).ok()?;
        let now = stamp(self.wall());
        let good = [PeerRole::Client, PeerRole::Server]
            .map(|role| bundle.verify_peer(sent, role, ALGORITHMS, now).is_ok());
        Some(good == [true, true])
    }

    /// Has a leaf signed, and tells what is true of it.
    pub(super) fn leaf(
        &mut self,
        incarnation: &dyn CaProvider,
        validity: Validity,
    ) -> Result<(TrueLeaf, Vec<CertificateDer<'static>>), ProviderError> {
        let request = LeafRequest {
            csr: CertificateSigningRequestDer::from(b"a request".to_vec()),
            public_key: SubjectPublicKeyInfoDer::from(public_key_info(LEAF_KEY).to_vec()),
            template: LeafTemplate {
                common_name: "web.svc.default.5a5a5a5a.consul".to_owned(),
                uri: SERVICE.to_owned(),
                serial: self.serial(),
                validity,
                key_usages: KeyUsages::DIGITAL_SIGNATURE,
                extended_key_usages: vec![
                    ExtendedKeyUsage::ClientAuth,
                    ExtendedKeyUsage::ServerAuth,
                ],
            },
        };
        let chain = self.call(incarnation.sign_leaf(&request))?;
        let leaf = self.realm.notes.leaf.take();
        let leaf = leaf.ok_or_else(|| ProviderError::broken("nobody knows of this leaf"))?;
        Ok((leaf, chain))
    }

    #[expect(clippy::expect_used, reason = "the number is not zero")]
    pub(super) fn serial(&mut self) -> Serial {
        self.serials += 1;
        Serial::from_be_bytes(&self.serials.to_be_bytes()).expect("a number of eight octets")
    }
}

const LEAF_KEY: Party = Party(u32::MAX);
const SERVICE: &str =
    "spiffe://5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a.consul/ns/default/dc/dc1/svc/web";
