//! The trait that a plugin implements.

use crate::{
    Capabilities, Certificate, CleanUpRequest, Config, ConfigureError, CrossSignRequest,
    Description, Error, Finding, IntermediateAnswer, IntermediateRequest, LeafRequest, RootRequest,
    SignIntermediateRequest,
};

/// A certificate authority behind Chancery.
///
/// **Life.** The host makes as many instances as it needs, drops them when it likes, and makes a
/// fresh one after a panic or a call that took too long. One instance serves one call at a time,
/// several instances serve at once. What `self` holds may be gone at any call, so it is a cache
/// at most: what must stay goes into [`state`](crate::state) and [`keys`](crate::keys).
///
/// **What is kept.** [`root`](Self::root), [`intermediate`](Self::intermediate) and
/// [`accept_intermediate`](Self::accept_intermediate) may write state and make keys. All of it is
/// kept if the call succeeds, nothing if it fails. The other calls can only read.
///
/// **Trust.** The host decides what a certificate shall say, in the templates, and refuses one
/// that says anything else.
pub trait Ca {
    /// What this plugin is. Says the same each time.
    fn describe() -> Description
    where
        Self: Sized;

    /// Takes the options, which the host has checked against the description.
    ///
    /// Comes first on every instance, so it must be quick: it may read the state and open keys,
    /// and do nothing else outside.
    ///
    /// # Errors
    /// Whoever finds several options wrong reports all of them.
    fn configure(config: Config) -> Result<Self, ConfigureError>
    where
        Self: Sized;

    /// What it can do with these options: what it described, or less.
    ///
    /// Called once after `configure`; by default all that it described.
    fn capabilities(&self) -> Capabilities
    where
        Self: Sized,
    {
        Self::describe().capabilities()
    }

    /// Proves that it can work: reaches its CA, tries its credentials. Creates nothing.
    ///
    /// Comes once when a configuration is chosen. By default there is no CA elsewhere.
    ///
    /// # Errors
    /// Why it cannot work.
    fn check(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// The root, a self-signed certificate, made only if there is none or a new one is wanted.
    ///
    /// # Errors
    /// All kinds.
    fn root(&mut self, request: RootRequest) -> Result<Certificate, Error>;

    /// Makes or renews the intermediate that signs leafs, or a CSR for it. Without `renew`, one
    /// that signs already is answered with.
    ///
    /// # Errors
    /// By default, [`Refused`](crate::ErrorKind::Refused).
    fn intermediate(&mut self, request: IntermediateRequest) -> Result<IntermediateAnswer, Error> {
        let _ = request;
        Err(cannot("make an intermediate"))
    }

    /// Takes what was signed for the newest CSR: the intermediate first, then what links it to
    /// the root. May come twice with the same chain.
    ///
    /// # Errors
    /// By default, [`Refused`](crate::ErrorKind::Refused).
    fn accept_intermediate(&mut self, chain: Vec<Certificate>) -> Result<(), Error> {
        let _ = chain;
        Err(cannot("take an intermediate"))
    }

    /// Signs a leaf: the leaf first, then what links it to the root; the root is left out.
    ///
    /// # Errors
    /// [`Refused`](crate::ErrorKind::Refused) before there is a root.
    fn sign_leaf(&mut self, request: LeafRequest) -> Result<Vec<Certificate>, Error>;

    /// Signs an intermediate for another's key directly under the root.
    ///
    /// # Errors
    /// By default, [`Refused`](crate::ErrorKind::Refused).
    fn sign_intermediate(
        &mut self,
        request: SignIntermediateRequest,
    ) -> Result<Certificate, Error> {
        let _ = request;
        Err(cannot("sign an intermediate"))
    }

    /// Signs another CA's root under this one.
    ///
    /// # Errors
    /// By default, [`Refused`](crate::ErrorKind::Refused).
    fn cross_sign(&mut self, request: CrossSignRequest) -> Result<Certificate, Error> {
        let _ = request;
        Err(cannot("cross-sign"))
    }

    /// Gives up what is held elsewhere, because another CA has taken over. May come twice.
    ///
    /// The host forgets state and keys by itself, so by default there is nothing to do.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) or
    /// [`Unauthorised`](crate::ErrorKind::Unauthorised).
    fn clean_up(&mut self, request: CleanUpRequest) -> Result<(), Error> {
        let _ = request;
        Ok(())
    }

    /// What will stop working, and when, for `chancery doctor`: a credential that ends, an issuer
    /// at a CA elsewhere that does. No secrets.
    ///
    /// Comes now and then, and beside other calls on other instances; may ask the CA. What cannot
    /// be found out is a finding too. By default there is nothing to say.
    fn findings(&mut self) -> Vec<Finding> {
        Vec::new()
    }
}

fn cannot(what: &str) -> Error {
    Error::refused(format!("this CA does not {what}"))
}
