//! What there is to sign, and CAs that are ready to.

use std::sync::Arc;
use std::time::Duration;

use chancery_core::{
    Datacenter, Namespace, OperationId, Serial, ServiceId, ServiceName, SignatureCheck, SpiffeId,
    Timestamp, TrustDomain,
};
use chancery_providers::{
    CaOptions, CaProvider, ConfigureRequest, Deadlines, Guard, GuardSettings, IntermediateAnswer,
    IntermediateRequest, IntermediateTemplate, KeySpec, LeafRequest, Limits, OptionMap,
    RootRequest, RootTemplate, SecretOptions, Validity,
};

use super::failed;
use crate::cli::context::Failure;
use crate::clock::Clock;
use crate::crypto;
use crate::leaf_key::LeafKey;

pub(super) type Guarded = Guard<Box<dyn CaProvider>>;

/// A trust domain and a leaf to be signed in it.
pub(super) struct Stage {
    trust_domain: TrustDomain,
    datacenter: Datacenter,
    clock: Clock,
    leaf: LeafRequest,
}

impl Stage {
    pub(super) async fn set() -> Result<Self, Failure> {
        let trust_domain = TrustDomain::parse(DOMAIN).map_err(failed)?;
        let datacenter = Datacenter::parse("dc1").map_err(failed)?;
        let service = ServiceName::parse("bench").map_err(failed)?;
        let identity = SpiffeId::Service(ServiceId::new(
            trust_domain.clone(),
            Namespace::DEFAULT,
            datacenter.clone(),
            service,
        ));
        let key = LeafKey::make(&identity, KeySpec::EcP256).await;
        let key = key.map_err(failed)?;
        let csr = key.request(trust_domain.clone(), datacenter.clone());
        let csr = csr.map_err(failed)?;
        let clock = Clock::start();
        let validity = Validity::backdated(HOUR, clock.now().wall);
        let leaf = LeafRequest::new(&csr, serial(9)?, validity);
        Ok(Self {
            leaf: leaf.ok_or_else(|| Failure::new("Error: the name fits no leaf"))?,
            trust_domain,
            datacenter,
            clock,
        })
    }

    /// How a CA is configured that takes these options.
    pub(super) fn configuration(
        &self,
        (options, secrets): (OptionMap, SecretOptions),
    ) -> ConfigureRequest {
        ConfigureRequest {
            trust_domain: self.trust_domain.clone(),
            datacenter: self.datacenter.clone(),
            options,
            secrets,
            state: None,
        }
    }

    /// A CA behind the guard, with all that it needs to sign leafs.
    pub(super) async fn ready(
        &self,
        provider: Box<dyn CaProvider>,
        configuration: &ConfigureRequest,
        leaf_signatures: SignatureCheck,
    ) -> Result<Guarded, Failure> {
        let now = self.clock.now().wall;
        let clock = self.clock;
        let settings = GuardSettings {
            algorithms: crypto::algorithms(),
            leaf_signatures,
            clock: Arc::new(move || -> Timestamp { clock.now().wall }),
            deadlines: Deadlines::default(),
            limits: unlimited()?,
            observer: Arc::new(crate::metrics::Metrics::default()),
        };
        let mut guard = Guard::new(provider, settings);
        guard.configure(configuration).await.map_err(failed)?;
        let can = guard.describe().capabilities;
        let key = can.keys.first().copied().unwrap_or(KeySpec::EcP256);
        let root = RootRequest {
            operation: OperationId::from_bytes([1; 16]),
            renew: false,
            template: RootTemplate::new(
                "bench",
                &self.trust_domain,
                [1; 8],
                serial(1)?,
                key,
                HOUR * 48,
                now,
            ),
        };
        guard.root(&root).await.map_err(failed)?;
        if can.own_intermediate {
            let wanted = IntermediateRequest {
                operation: OperationId::from_bytes([2; 16]),
                renew: false,
                template: IntermediateTemplate::new(
                    "bench",
                    &self.trust_domain,
                    [2; 8],
                    serial(2)?,
                    HOUR * 24,
                    now,
                ),
                key,
            };
            let answer = guard.intermediate(&wanted).await.map_err(failed)?;
            if matches!(answer, IntermediateAnswer::Csr { .. }) {
                return Err(Failure::new(
                    "Error: its intermediate must be signed elsewhere, so nothing can be measured",
                ));
            }
        }
        Ok(guard)
    }

    /// Has one leaf signed.
    pub(super) async fn sign(&self, guard: &Guarded) -> Result<(), Failure> {
        guard.issue_leaf(&self.leaf).await.map_err(failed)?;
        Ok(())
    }
}

/// As many signatures as there can be.
fn unlimited() -> Result<Limits, Failure> {
    let mut options = OptionMap::new();
    options.insert("CSRMaxPerSecond".to_owned(), 0.into());
    let options = CaOptions::parse(&options).map_err(failed)?;
    Ok(Limits::from(&options))
}

fn serial(byte: u8) -> Result<Serial, Failure> {
    Serial::from_be_bytes(&[byte; 8]).ok_or_else(|| failed("no serial number"))
}

const DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";
const HOUR: Duration = Duration::from_secs(3_600);
