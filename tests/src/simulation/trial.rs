//! A leaf for trial: before anything switches, the new issuer shows that every peer accepts what it
//! signs.

use chancery_core::{AuthorityCommand, CheckedRoot, Der, Effect, PeerRole, TrustBundle};
use chancery_providers::Validity;

use super::certificates::{from_bytes, from_der, stamp};
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
}
