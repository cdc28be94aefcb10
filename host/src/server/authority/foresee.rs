//! What a change would do, without doing it.

use std::time::Duration;

use chancery_core::{Authority, RotationCause, Timestamp};
use chancery_providers::{CaProvider as _, ErrorKind, ProviderError, same_name};

use super::{AuthorityFailure, AuthorityHost, Change, ChangeError, Incarnation};

/// What can be said of a change before it is begun.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Foreseen {
    /// Whether another provider would sign.
    pub other_provider: bool,
    /// Whether the CA that signs now can sign a new root.
    pub cross_signs: bool,
    /// Certificates that would be sent with a leaf under a new root, itself among them.
    pub path_length: usize,
    /// How old a bundle may be that is still used, by the old and the new configuration.
    pub bundle_age: Duration,
}

impl AuthorityHost {
    /// Checks a change as [`change`](Self::change) does, and says what it would do. `None` if
    /// that is nothing. The provider is asked whether its options are good; it makes nothing.
    ///
    /// # Errors
    ///
    /// Why the change would be refused.
    pub async fn foresee(&self, change: &Change) -> Result<Option<Foreseen>, ChangeError> {
        let wanted = self.wanted(change)?;
        if self.foreseen(&wanted, change)?.is_none() {
            return Ok(None);
        }
        let given_root = wanted
            .options
            .iter()
            .any(|(name, value)| same_name("RootCert", name) && value.as_str() != Some(""));
        if change.cause.wants_new_root() && given_root {
            return Err(AuthorityFailure::Configure(ProviderError::new(
                ErrorKind::Refused,
                "the root is the one in RootCert: to have another, put that there",
            ))
            .into());
        }
        let new = self.check(&wanted, change.cause).await?;
        let linked = self.could_link(new.as_ref()).await;
        let cross_signs = linked.is_ok();
        let view = self.server().view();
        let authority = view.state().authority();
        let other_provider = authority
            .configuration()
            .is_some_and(|current| current.provider != wanted.provider);
        let certain = other_provider || change.cause.wants_new_root();
        if certain && !change.force {
            linked?;
        }
        let age = authority
            .configuration()
            .map(|current| current.lifetimes.bundle);
        let now = self.server().clock().now().wall;
        Ok(Some(Foreseen {
            other_provider,
            cross_signs,
            path_length: path_length(authority, other_provider, cross_signs, change.cause, now),
            bundle_age: wanted.lifetimes.bundle.max(age.unwrap_or_default()),
        }))
    }

    /// That who signs now could sign the root of `new`, or its own next one; it could not if it
    /// cannot even be reached.
    async fn could_link(&self, new: Option<&Incarnation>) -> Result<(), AuthorityFailure> {
        let view = self.server().view();
        let authority = view.state().authority();
        let (Some(record), Some(configuration)) = (authority.record(), authority.configuration())
        else {
            return Err(AuthorityFailure::NotFounded);
        };
        let epoch = record.stage.epoch();
        let memory = authority.memory(epoch);
        let signer = self
            .incarnation(epoch, configuration, memory.as_ref())
            .await
            .map_err(|_unreachable| AuthorityFailure::NoCrossSigning)?;
        let can = signer.guard.describe().capabilities;
        let new = new.unwrap_or(&signer);
        if !can.cross_sign {
            return Err(AuthorityFailure::NoCrossSigning);
        }
        if can.needs_root_csr && !new.guard.describe().capabilities.root_csr {
            return Err(AuthorityFailure::NoRootRequest {
                signer: signer.provider(),
                new: new.provider(),
            });
        }
        Ok(())
    }
}

fn path_length(
    authority: &Authority,
    other_provider: bool,
    cross_signs: bool,
    cause: RotationCause,
    now: Timestamp,
) -> usize {
    let Some(active) = authority.active_root() else {
        return 1;
    };
    let needed = active.links.iter().filter(|link| now < link.needed_until);
    let links = match cause {
        RotationCause::Renewal => needed.count(),
        _ if cross_signs => needed.count() + 1,
        _ => 0,
    };
    // What another provider sends besides is not known before it is asked for it.
    let intermediates = if other_provider {
        0
    } else {
        active.intermediates.len()
    };
    1 + intermediates + links
}
