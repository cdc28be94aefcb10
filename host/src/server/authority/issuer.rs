//! What a provider is asked for in a rotation: its root, its intermediate, a link to the root
//! before.

use chancery_core::{
    AuthorityCommand, CheckedIntermediate, CheckedRoot, Der, Effect, Life, Link, NewIssuer, Serial,
};
use chancery_providers::{
    AcceptIntermediateRequest, CaProvider as _, CrossSignRequest, IntermediateAnswer,
    IntermediateRequest, IntermediateTemplate, ProviderError, RootRequest, RootTemplate, Validity,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::desk::leaf_serial;
use super::{AuthorityFailure, AuthorityHost, Incarnation};
use crate::random::{self, NoRandomness};

/// The order of an issuer, as the effect has it.
pub(super) struct Order {
    pub(super) operation: chancery_core::OperationId,
    pub(super) renew_root: bool,
    pub(super) renew_intermediate: bool,
    pub(super) signed: Option<Vec<Der>>,
}

impl AuthorityHost {
    /// Asks for root and intermediate, and answers with the command that tells what came of it.
    pub(super) async fn prepare(
        &self,
        incarnation: &Incarnation,
        order: Order,
    ) -> Result<AuthorityCommand, AuthorityFailure> {
        let epoch = incarnation.epoch;
        let operation = order.operation;
        let provider = incarnation.provider();
        let (root, mut memory) = self.root(incarnation, &order).await?;
        let mut issuer = new_issuer(&root, &provider);
        // Only after the root is known: what it can do may depend on that.
        let capabilities = incarnation.guard.describe().capabilities;
        if let Some(chain) = order.signed {
            memory = self.accept(incarnation, &chain).await?;
            sign_by_intermediate(&mut issuer, chain).map_err(|error| failed(&provider, error))?;
            issuer.signed_outside = true;
        } else if capabilities.own_intermediate {
            match self.intermediate(incarnation, &order).await? {
                IntermediateAnswer::Ready { chain, state } => {
                    memory = state;
                    let chain = chain.iter().map(|der| Der::new(der)).collect();
                    sign_by_intermediate(&mut issuer, chain)
                        .map_err(|error| failed(&provider, error))?;
                    issuer.signed_outside = self.is_lasting(&issuer, order.renew_intermediate);
                }
                IntermediateAnswer::Csr { csr, state } => {
                    return Ok(AuthorityCommand::SignatureWanted {
                        epoch,
                        operation,
                        root: issuer,
                        csr: Der::new(&csr),
                        state: self.seal_memory(epoch, &state)?,
                    });
                }
                // An answer that a newer provider may give; this host would have to know it.
                _ => {}
            }
        }
        Ok(AuthorityCommand::IssuerPrepared {
            epoch,
            operation,
            issuer,
            state: self.seal_memory(epoch, &memory)?,
        })
    }

    /// Whether the intermediate of `issuer` cannot be renewed here: it is the one that signs
    /// already, and came from outside, or another was asked for in vain.
    fn is_lasting(&self, issuer: &NewIssuer, renewing: bool) -> bool {
        let view = self.inner.server.view();
        let active = view.state().authority().active_root();
        active.is_some_and(|active| {
            active.intermediates.first() == issuer.intermediates.first()
                && (renewing || active.signed_outside)
        })
    }

    async fn root(
        &self,
        incarnation: &Incarnation,
        order: &Order,
    ) -> Result<(CheckedRoot, chancery_core::Secret), AuthorityFailure> {
        let provider = incarnation.provider();
        let trust_domain = self.trust_domain()?;
        let request = RootRequest {
            operation: order.operation,
            renew: order.renew_root,
            template: RootTemplate::new(
                &provider,
                &trust_domain,
                random::bytes()?,
                root_serial()?,
                incarnation.options.private_key,
                incarnation.options.root_cert_ttl,
                self.inner.server.clock().now().wall,
            ),
        };
        let answer = incarnation.guard.root(&request).await;
        let answer = answer.map_err(|error| failed(&provider, error))?;
        let root = CheckedRoot::restore(&answer.certificate)
            .map_err(|violation| failed(&provider, ProviderError::violating(violation)))?;
        Ok((root, answer.state))
    }

    async fn intermediate(
        &self,
        incarnation: &Incarnation,
        order: &Order,
    ) -> Result<IntermediateAnswer, AuthorityFailure> {
        let provider = incarnation.provider();
        let trust_domain = self.trust_domain()?;
        let request = IntermediateRequest {
            operation: order.operation,
            renew: order.renew_intermediate,
            template: IntermediateTemplate::new(
                &provider,
                &trust_domain,
                random::bytes()?,
                leaf_serial()?,
                incarnation.options.intermediate_cert_ttl,
                self.inner.server.clock().now().wall,
            ),
            key: incarnation.options.private_key,
        };
        let answer = incarnation.guard.intermediate(&request).await;
        answer.map_err(|error| failed(&provider, error))
    }

    async fn accept(
        &self,
        incarnation: &Incarnation,
        chain: &[Der],
    ) -> Result<chancery_core::Secret, AuthorityFailure> {
        let request = AcceptIntermediateRequest {
            chain: chain
                .iter()
                .map(|der| CertificateDer::from(der.as_bytes().to_vec()))
                .collect(),
        };
        let accepted = incarnation.guard.accept_intermediate(&request).await;
        accepted.map_err(|error| failed(&incarnation.provider(), error))
    }

    /// Has the incarnation that signs now sign the new root, with the request that came with it.
    pub(super) async fn cross_sign(
        &self,
        by: &Incarnation,
        effect: &Effect,
        csr: Option<CertificateSigningRequestDer<'static>>,
    ) -> Result<AuthorityCommand, AuthorityFailure> {
        let Effect::CrossSign {
            epoch,
            subject,
            root,
            signer,
            not_after,
            ..
        } = effect
        else {
            return Err(AuthorityFailure::NotFounded);
        };
        let provider = by.provider();
        let now = self.inner.server.clock().now().wall;
        let request = CrossSignRequest {
            root: CertificateDer::from(root.as_bytes().to_vec()),
            csr,
            serial: leaf_serial()?,
            validity: Validity {
                not_after: *not_after,
                ..Validity::backdated(std::time::Duration::ZERO, now)
            },
        };
        let signed = by.guard.cross_sign(&request).await;
        let signed = signed.map_err(|error| failed(&provider, error))?;
        let checked = CheckedIntermediate::restore(&signed)
            .map_err(|violation| failed(&provider, ProviderError::violating(violation)))?;
        let not_after = checked.issuer().not_after();
        Ok(AuthorityCommand::CrossSigned {
            epoch: *epoch,
            link: Link {
                subject: subject.clone(),
                signer: signer.clone(),
                certificate: Der::new(&signed),
                not_after,
                needed_until: not_after,
            },
        })
    }
}

fn failed(provider: &str, error: ProviderError) -> AuthorityFailure {
    AuthorityFailure::Provider {
        provider: provider.to_owned(),
        error,
    }
}

/// A random serial of 63 bits: clients read a root's serial as a JSON number.
fn root_serial() -> Result<Serial, NoRandomness> {
    let number = u64::from_be_bytes(random::bytes()?) >> 1;
    // Zero, once in 2^63, is replaced by one.
    Serial::from_be_bytes(&number.max(1).to_be_bytes()).ok_or(NoRandomness)
}

fn new_issuer(root: &CheckedRoot, provider: &str) -> NewIssuer {
    let issuer = root.issuer();
    NewIssuer {
        id: root.id(),
        name: format!("{} CA Root Cert", title(provider)),
        serial_number: issuer.serial().low_u64(),
        signing_key_id: issuer.subject_key_id().to_string(),
        not_before: issuer.not_before(),
        not_after: issuer.not_after(),
        certificate: Der::new(issuer.der()),
        intermediates: Vec::new(),
        intermediate_life: None,
        signed_outside: false,
        private_key_type: issuer.key().consul_type().to_owned(),
        private_key_bits: u32::try_from(issuer.key().bits()).unwrap_or(0),
    }
}

/// Leafs are signed by the first of `chain`, the rest of which leads to the root.
fn sign_by_intermediate(issuer: &mut NewIssuer, chain: Vec<Der>) -> Result<(), ProviderError> {
    let first = chain
        .first()
        .ok_or_else(|| ProviderError::broken("the intermediate's chain is empty"))?;
    let checked =
        CheckedIntermediate::restore(first.as_bytes()).map_err(ProviderError::violating)?;
    let certificate = checked.issuer();
    issuer.signing_key_id = certificate.subject_key_id().to_string();
    issuer.intermediate_life = Some(Life {
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
    });
    // The root is in every bundle that the chain is verified against.
    issuer.intermediates = chain
        .into_iter()
        .filter(|der| *der != issuer.certificate)
        .collect();
    Ok(())
}

/// `aws-pca` as `Aws-Pca`: how Consul writes a provider in the name of its root.
fn title(provider: &str) -> String {
    let mut start = true;
    provider
        .chars()
        .map(|letter| {
            let shown = if start {
                letter.to_ascii_uppercase()
            } else {
                letter
            };
            start = !letter.is_alphanumeric();
            shown
        })
        .collect()
}
