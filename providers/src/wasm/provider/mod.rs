//! The provider that stands in front of a plugin.

mod running;
mod set_up;

use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use chancery_core::{Secret, Timestamp};
use rustls_pki_types::CertificateDer;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use self::running::Running;
use self::set_up::set_up;
use super::file::PluginFile;
use super::import::Given;
use super::lane::Begins;
use super::options::WasmOptions;
use super::table::Table;
use super::v1::{self, Intermediate};
use crate::registry::Surroundings;
use crate::{
    AcceptIntermediateRequest, CaProvider, Capabilities, CleanUpRequest, ConfigureRequest,
    CrossSignRequest, DecodedOptions, Description, Finding, IntermediateAnswer,
    IntermediateRequest, KeySpec, LeafRequest, OptionMap, ProviderError, RootAnswer, RootRequest,
    SecretOptions, SignIntermediateRequest, SignedLeaf, Stops,
};

/// The name that selects this provider in a configuration.
pub(crate) const NAME: &str = "wasm";

/// A CA that is a plugin.
///
/// Made [empty](Self::new) it is told in its configuration which plugin to take; made
/// [of a plugin](Self::of) it has it already.
pub struct Wasm {
    surroundings: Surroundings,
    file: Option<PluginFile>,
    running: Option<Running>,
}

impl Wasm {
    /// An empty one, to be [configured](CaProvider::configure).
    #[must_use]
    pub fn new(surroundings: Surroundings) -> Self {
        Self {
            surroundings,
            file: None,
            running: None,
        }
    }

    /// One of this plugin, whatever file the configuration names.
    #[must_use]
    pub fn of(file: PluginFile) -> Self {
        Self {
            surroundings: Surroundings::default(),
            file: Some(file),
            running: None,
        }
    }

    /// The plugin, once it is loaded.
    #[must_use]
    pub const fn file(&self) -> Option<&PluginFile> {
        self.file.as_ref()
    }

    /// Makes an instance, configures it and drops it: what a call pays more that finds none
    /// ready, such as the first one after a crash. For benchmarks.
    ///
    /// # Errors
    /// `Refused` before it is configured, else those of any call.
    pub async fn make_instance(&self) -> Result<(), ProviderError> {
        self.running()?.make_instance().await
    }

    fn running(&self) -> Result<&Running, ProviderError> {
        self.running
            .as_ref()
            .ok_or_else(|| ProviderError::refused("this CA is not configured"))
    }

    /// The plugin, for something of which it must have said that it can do it.
    fn able(
        &self,
        can: impl Fn(&Capabilities) -> bool,
        what: &str,
    ) -> Result<&Running, ProviderError> {
        let running = self.running()?;
        running.check_alive()?;
        if can(&running.capabilities) {
            return Ok(running);
        }
        Err(ProviderError::refused(format!(
            "the plugin does not {what}"
        )))
    }
}

#[async_trait]
impl CaProvider for Wasm {
    fn describe(&self) -> Description {
        let capabilities = match (&self.running, &self.file) {
            (Some(running), _) => running.capabilities.clone(),
            (None, Some(file)) => file.capabilities().clone(),
            (None, None) => everything(),
        };
        Description::new(NAME, capabilities)
    }

    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError> {
        DecodedOptions::decode(&request.options)?.check()?;
        let options = WasmOptions::parse(&request.options, &request.secrets)?;
        let file = match &self.file {
            Some(file) => file.clone(),
            None => {
                let path = options.locate(&self.surroundings)?;
                let cache = self.surroundings.cache_dir.as_deref();
                PluginFile::read(&path, options.sha256, cache).await?
            }
        };
        let running = set_up(&file, &options, request).await?;
        self.file = Some(file);
        self.running = Some(running);
        Ok(())
    }

    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError> {
        let running = self.running()?;
        running.check_alive()?;
        let _changing = running.changing.lock().await;
        let (certificate, state) = running
            .change(v1::root(request), |certificate, _| Ok(certificate))
            .await?;
        Ok(RootAnswer { certificate, state })
    }

    async fn intermediate(
        &self,
        request: &IntermediateRequest,
    ) -> Result<IntermediateAnswer, ProviderError> {
        let running = self.able(
            |can| can.own_intermediate || can.external_intermediate,
            "make intermediates",
        )?;
        let _changing = running.changing.lock().await;
        let settle = |answer, table: &mut Table| {
            if let Intermediate::Csr(csr) = &answer {
                table.set_csr_key(Some(csr_key(csr)?));
            }
            Ok(answer)
        };
        let (answer, state) = running.change(v1::intermediate(request), settle).await?;
        Ok(match answer {
            Intermediate::Ready(chain) => IntermediateAnswer::Ready { chain, state },
            Intermediate::Csr(csr) => IntermediateAnswer::Csr { csr, state },
        })
    }

    async fn accept_intermediate(
        &self,
        request: &AcceptIntermediateRequest,
    ) -> Result<Secret, ProviderError> {
        let running = self.able(|can| can.external_intermediate, "take intermediates")?;
        let _changing = running.changing.lock().await;
        let table = running.table();
        let wanted = table
            .csr_key()
            .ok_or_else(|| ProviderError::refused("no intermediate was asked for"))?;
        let first = request
            .chain
            .first()
            .ok_or_else(|| ProviderError::refused("the chain is empty"))?;
        let Ok(([], parsed)) = X509Certificate::from_der(first) else {
            return Err(ProviderError::refused("the chain holds no certificate"));
        };
        if parsed.public_key().raw != wanted {
            return Err(ProviderError::refused(
                "the certificate is for another key than the one of the newest CSR",
            ));
        }
        let call = v1::accept_intermediate(request);
        let ((), state) = running.change(call, |(), _| Ok(())).await?;
        Ok(state)
    }

    async fn sign_leaf(
        &self,
        request: &LeafRequest,
    ) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
        Ok(self.sign_leaf_vouched(request).await?.chain)
    }

    async fn sign_leaf_vouched(&self, request: &LeafRequest) -> Result<SignedLeaf, ProviderError> {
        let running = self.running()?;
        running.check_alive()?;
        let (chain, signed_by) = running.ask(Begins::Here, v1::sign_leaf(request)).await?;
        Ok(SignedLeaf { chain, signed_by })
    }

    async fn sign_intermediate(
        &self,
        request: &SignIntermediateRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let running = self.able(|can| can.sign_intermediate, "sign intermediates")?;
        let call = v1::sign_intermediate(request);
        running.ask(Begins::Here, call).await
    }

    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let running = self.able(|can| can.cross_sign, "cross-sign")?;
        running.ask(Begins::Here, v1::cross_sign(request)).await
    }

    async fn clean_up(&self, request: &CleanUpRequest) -> Result<(), ProviderError> {
        let running = self.running()?;
        let _changing = running.changing.lock().await;
        running.ask(Begins::Apart, v1::clean_up(request)).await?;
        running.retire();
        Ok(())
    }

    async fn findings(&self) -> Vec<Finding> {
        let (Some(running), Some(file)) = (&self.running, &self.file) else {
            return Vec::new();
        };
        let described = &file.0;
        if running.check_alive().is_err() || !described.loaded.prepared.says_findings() {
            return Vec::new();
        }
        let name = &described.about.name;
        match running.ask(Begins::Apart, v1::findings(now())).await {
            Ok(mut findings) => {
                for finding in &mut findings {
                    // Nobody shall take it for the agent's own word.
                    finding.subject = format!("plugin {name}: {}", finding.subject);
                }
                findings
            }
            Err(error) => vec![Finding::new(
                format!("plugin {name}"),
                format!("it does not say how it is: {error}"),
                "see the plugin's lines in the log",
                None,
                Stops::Nothing,
            )],
        }
    }
}

/// What a plugin might do, before it is known which.
fn everything() -> Capabilities {
    Capabilities {
        cross_sign: true,
        sign_intermediate: true,
        external_intermediate: true,
        own_intermediate: true,
        import_root: true,
        chooses_serials: true,
        root_csr: false,
        needs_root_csr: false,
        keys: vec![
            KeySpec::EcP256,
            KeySpec::EcP384,
            KeySpec::EcP521,
            KeySpec::Ed25519,
            KeySpec::Rsa2048,
            KeySpec::Rsa4096,
        ],
    }
}

/// The public key of a plugin's CSR.
fn csr_key(csr: &[u8]) -> Result<Vec<u8>, ProviderError> {
    match X509CertificationRequest::from_der(csr) {
        Ok(([], parsed)) => Ok(parsed.certification_request_info.subject_pki.raw.to_vec()),
        _ => Err(ProviderError::broken(
            "the plugin answered with a CSR that cannot be read",
        )),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_unix(0).saturating_add(since.unwrap_or_default())
}

/// Reads and checks, and opens no file.
pub(crate) fn check_options(
    options: &OptionMap,
    secrets: &SecretOptions,
) -> Result<(), ProviderError> {
    DecodedOptions::decode(options)?.check()?;
    WasmOptions::parse(options, secrets)?;
    Given::read(options, secrets, now()).map(drop)
}
