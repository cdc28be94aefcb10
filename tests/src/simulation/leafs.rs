//! Leafs: those that agents ask for, and how any leaf is asked of a provider.

use chancery_core::{KeyUsages, Serial};
use chancery_providers::{
    CaProvider, ExtendedKeyUsage, LeafRequest, LeafTemplate, ProviderError, Validity,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, SubjectPublicKeyInfoDer};

use super::bug::Bug;
use super::certificates::{Party, from_der, seconds, stamp};
use super::configuration::{configuration, kind, wish};
use super::der::public_key_info;
use super::effects::Failure;
use super::law::Class;
use super::realm::TrueLeaf;
use super::remembered::Remembered;
use super::schedule::Wish;
use super::world::{View, World};

impl World {
    /// A leaf for so many services at once, of which the provider is not asked: whoever signs with
    /// this key, and that is known to nobody but those who signed.
    pub(super) fn sign_unasked(&mut self, view: &View, services: i64) {
        if let Some(validity) = self.leaf_validity(view) {
            let issuer = self.realm.certificates.of(from_der(&view.signing.issuer));
            self.signed(view, services, issuer.subject, seconds(validity.not_after));
        }
    }

    /// A worker has the provider sign a leaf, which stands for those of so many services.
    pub(super) fn sign(&mut self, view: &View, services: i64) -> Result<(), Failure> {
        let Some(validity) = self.leaf_validity(view) else {
            return Ok(());
        };
        let incarnation = self.committed(view.signing.epoch, |authority, state| {
            let memory = Remembered::from_state(state.sealed.as_bytes())?;
            Some(configuration(Wish {
                kind: kind(&state.provider),
                variant: memory.variant,
                ..wish(authority.configuration()?)
            }))
        })?;
        let (leaf, _) = self.leaf(&*incarnation, validity)?;
        self.signed(view, services, leaf.signer, leaf.until);
        Ok(())
    }

    /// When a leaf may live by this view, if its issuer can sign any.
    fn leaf_validity(&mut self, view: &View) -> Option<Validity> {
        let signing = &view.signing;
        let (not_before, mut not_after) = signing.leaf_validity(stamp(self.wall()))?;
        let state = self.authority.provider_state(signing.epoch)?;
        let issuer = from_der(&signing.issuer);
        let epoch = signing.epoch.number();
        let remembered = Remembered::from_state(state.sealed.as_bytes());
        let serves = self.serving() == Some(signing.epoch);
        if remembered.map(|memory| memory.signs()) != Some(issuer) {
            self.complain(|| format!("epoch {epoch} must sign with a key it does not remember"));
            return None;
        }
        if !self.realm.backends.has(issuer) {
            if serves && !self.realm.backends.is_lost(issuer) {
                self.complain(|| format!("epoch {epoch} must sign with a key that was deleted"));
            }
            return None;
        }
        let ends = stamp(self.realm.certificates.of(issuer).not_after);
        if not_after > ends {
            self.complain(|| format!("a leaf of epoch {epoch} outlives its issuer"));
        }
        if self.has(Bug::LeaseIgnored) {
            not_after = not_after.saturating_add(3 * signing.leaf_life);
        }
        Some(Validity {
            not_before,
            not_after,
        })
    }

    fn signed(&mut self, view: &View, services: i64, issuer: Party, until: i64) {
        let signing = &view.signing;
        let chain = signing.intermediates.iter().chain(&signing.links);
        let leaf = Class {
            issuer,
            root: view.root,
            chain: chain.map(from_der).collect(),
            epoch: signing.epoch.number(),
            first: self.now,
            until,
        };
        self.note_distance(&leaf);
        self.law.signed(leaf, services);
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

    pub(super) fn serial(&mut self) -> Serial {
        self.serials += 1;
        Serial::from_be_bytes(&self.serials.to_be_bytes()).expect("a number of eight octets")
    }
}

const LEAF_KEY: Party = Party(u32::MAX);
const SERVICE: &str =
    "spiffe://5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a.consul/ns/default/dc/dc1/svc/web";
