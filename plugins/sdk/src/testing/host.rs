//! The host itself.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::imports::{self, Call, Web};
use super::options::{self, Given};
use super::requests::{NOW, TRUST_DOMAIN};
use super::table::Table;
use crate::http::{HttpError, Request, Response};
use crate::log::Level;
use crate::{
    Ca, Capabilities, Certificate, CleanUpRequest, Config, ConfigureError, CrossSignRequest, Error,
    Finding, IntermediateAnswer, IntermediateRequest, LeafRequest, RootRequest,
    SignIntermediateRequest, Timestamp,
};

/// Where a plugin whose CA is `C` runs in a test.
pub struct Host<C> {
    options: Vec<(String, Given)>,
    root_cert: Option<Certificate>,
    web: Option<Web>,
    kept: Mutex<Kept>,
    ca: PhantomData<fn() -> C>,
}

struct Kept {
    table: Table,
    now: Timestamp,
    lines: Vec<(Level, String)>,
}

impl<C: Ca> Host<C> {
    /// A host without options, with an empty state, at the moment [`NOW`].
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "the type parameter is named where it is made"
    )]
    pub fn new() -> Self {
        Self {
            options: Vec::new(),
            root_cert: None,
            web: None,
            kept: Mutex::new(Kept {
                table: Table::default(),
                now: NOW,
                lines: Vec::new(),
            }),
            ca: PhantomData,
        }
    }

    /// Gives an option, written as in the configuration: `72h`, `true`, `5`.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<String>) -> Self {
        self.options
            .push((name.to_owned(), Given::Text(value.into())));
        self
    }

    /// Gives an option that is a list.
    #[must_use]
    pub fn texts<T: Into<String>>(
        mut self,
        name: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.options.push((name.to_owned(), Given::Texts(values)));
        self
    }

    /// Gives a root and its key in PEM, as an operator does by `RootCert` and `PrivateKey`.
    ///
    /// # Panics
    /// If this is no certificate, or no key of a known kind.
    #[must_use]
    #[expect(clippy::panic, reason = "a test that cannot go on")]
    pub fn own_root(mut self, certificate: &str, key: &str) -> Self {
        let read = Certificate::from_pem(certificate)
            .ok()
            .zip(options::key_der(key).and_then(|der| super::held_key::HeldKey::import(&der)));
        let Some((certificates, key)) = read else {
            panic!("this is no certificate, or no private key, in PEM");
        };
        self.root_cert = certificates.into_iter().next();
        self.kept().table.insert_key("PrivateKey", key);
        self
    }

    /// Answers the plugin's requests. Without this all are denied.
    #[must_use]
    pub fn web(
        mut self,
        answer: impl Fn(&Request) -> Result<Response, HttpError> + Send + Sync + 'static,
    ) -> Self {
        self.web = Some(Arc::new(answer));
        self
    }

    /// Sets the clock.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        self.kept().now = now;
        self
    }

    /// The lines that the plugin has logged so far.
    pub fn lines(&self) -> Vec<(Level, String)> {
        self.kept().lines.clone()
    }

    /// Runs `act` where state and keys can be used and written, such as a function of the plugin.
    pub fn within<R>(&self, act: impl FnOnce() -> R) -> R {
        let (call, answer) = imports::within(self.call(true), act);
        let mut kept = self.kept();
        kept.table = call.table;
        kept.lines.extend(call.lines);
        answer
    }

    /// [`Ca::configure`], and what it says that it can do.
    ///
    /// # Errors
    /// What the host finds wrong with the options, or the plugin.
    pub fn configure(&self) -> Result<Capabilities, ConfigureError> {
        self.run(false, |ca| Ok(ca.capabilities()))
            .and_then(|answer| answer.map_err(ConfigureError::Failed))
    }

    /// [`Ca::check`]
    ///
    /// # Errors
    /// The plugin's.
    pub fn check(&self) -> Result<(), Error> {
        self.ask(false, Ca::check)
    }

    /// [`Ca::findings`]
    ///
    /// # Errors
    /// What it says of its options.
    pub fn findings(&self) -> Result<Vec<Finding>, Error> {
        self.ask(false, |ca| Ok(ca.findings()))
    }

    /// [`Ca::root`]
    ///
    /// # Errors
    /// The plugin's.
    pub fn root(&self, request: RootRequest) -> Result<Certificate, Error> {
        self.ask(true, |ca| ca.root(request))
    }

    /// [`Ca::intermediate`]
    ///
    /// # Errors
    /// The plugin's.
    pub fn intermediate(&self, request: IntermediateRequest) -> Result<IntermediateAnswer, Error> {
        self.ask(true, |ca| ca.intermediate(request))
    }

    /// [`Ca::accept_intermediate`]
    ///
    /// # Errors
    /// The plugin's.
    pub fn accept_intermediate(&self, chain: Vec<Certificate>) -> Result<(), Error> {
        self.ask(true, |ca| ca.accept_intermediate(chain))
    }

    /// [`Ca::sign_leaf`]
    ///
    /// # Errors
    /// The plugin's.
    pub fn sign_leaf(&self, request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        self.ask(false, |ca| ca.sign_leaf(request))
    }

    /// [`Ca::sign_intermediate`]
    ///
    /// # Errors
    /// The plugin's.
    pub fn sign_intermediate(
        &self,
        request: SignIntermediateRequest,
    ) -> Result<Certificate, Error> {
        self.ask(false, |ca| ca.sign_intermediate(request))
    }

    /// [`Ca::cross_sign`]
    ///
    /// # Errors
    /// The plugin's.
    pub fn cross_sign(&self, request: CrossSignRequest) -> Result<Certificate, Error> {
        self.ask(false, |ca| ca.cross_sign(request))
    }

    /// [`Ca::clean_up`]
    ///
    /// # Errors
    /// The plugin's.
    pub fn clean_up(&self, request: CleanUpRequest) -> Result<(), Error> {
        self.ask(false, |ca| ca.clean_up(request))
    }

    fn ask<R>(
        &self,
        writable: bool,
        act: impl FnOnce(&mut C) -> Result<R, Error>,
    ) -> Result<R, Error> {
        match self.run(writable, act) {
            Ok(answer) => answer,
            Err(ConfigureError::Failed(error)) => Err(error),
            Err(wrong) => Err(Error::misconfigured(wrong.to_string())),
        }
    }

    /// One call to a fresh instance.
    fn run<R>(
        &self,
        writable: bool,
        act: impl FnOnce(&mut C) -> Result<R, Error>,
    ) -> Result<Result<R, Error>, ConfigureError> {
        let mut call = self.call(false);
        let description = C::describe();
        let options = options::read(description.options(), &self.options, &mut call.table)?;
        let config = Config {
            trust_domain: TRUST_DOMAIN.to_owned(),
            datacenter: "dc1".to_owned(),
            root_cert: self.root_cert.clone(),
            options,
        };
        let (mut call, configured) = imports::within(call, || C::configure(config));
        self.kept().lines.append(&mut call.lines);
        let mut ca = configured?;
        call.writable = writable;
        let (call, answer) = imports::within(call, || act(&mut ca));
        let mut kept = self.kept();
        kept.lines.extend(call.lines);
        if writable && answer.is_ok() {
            kept.table = call.table;
        }
        Ok(answer)
    }

    fn call(&self, writable: bool) -> Call {
        let kept = self.kept();
        Call {
            table: kept.table.clone(),
            writable,
            now: kept.now,
            web: self.web.clone(),
            lines: Vec::new(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only which options there are: a value may be a secret.
impl<C> fmt::Debug for Host<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.options.iter().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}
