//! What goes to a plugin, made of this crate's types.

use rustls_pki_types::CertificateDer;

use super::bindings::chancery::ca::types;
use super::bindings::exports::chancery::ca::provider as wit;
use crate::wasm::schema::OptionValue;
use crate::{
    CleanUpScope, CrossSignRequest, ExtendedKeyUsage, IntermediateRequest, IntermediateTemplate,
    KeySpec, LeafRequest, RootRequest, SignIntermediateRequest, Validity,
};

/// What a plugin is configured with.
pub(crate) struct Configuration(wit::Config);

impl Configuration {
    pub(crate) fn new(
        trust_domain: &str,
        datacenter: &str,
        root: Option<&[u8]>,
        options: Vec<(String, OptionValue)>,
    ) -> Self {
        let options = options.into_iter();
        Self(wit::Config {
            trust_domain: trust_domain.to_owned(),
            datacenter: datacenter.to_owned(),
            root_cert: root.map(<[u8]>::to_vec),
            options: options.map(|(name, it)| (name, option_value(it))).collect(),
        })
    }

    pub(super) const fn wit(&self) -> &wit::Config {
        &self.0
    }
}

pub(super) fn root(request: &RootRequest) -> wit::RootRequest {
    let template = &request.template;
    wit::RootRequest {
        operation: request.operation.to_string(),
        renew: request.renew,
        template: wit::RootTemplate {
            common_name: template.common_name.clone(),
            uri: template.uri.clone(),
            serial: template.serial.as_bytes().to_vec(),
            key: key_type(template.key),
            validity: validity(template.validity),
        },
    }
}

pub(super) fn intermediate(request: &IntermediateRequest) -> wit::IntermediateRequest {
    wit::IntermediateRequest {
        operation: request.operation.to_string(),
        renew: request.renew,
        key: key_type(request.key),
        template: intermediate_template(&request.template),
    }
}

pub(super) fn leaf(request: &LeafRequest) -> wit::LeafRequest {
    let template = &request.template;
    wit::LeafRequest {
        csr: request.csr.to_vec(),
        public_key: request.public_key.to_vec(),
        template: wit::LeafTemplate {
            common_name: template.common_name.clone(),
            uri: template.uri.clone(),
            serial: template.serial.as_bytes().to_vec(),
            validity: validity(template.validity),
            key_usages: key_usages(template.key_usages),
            extended_key_usages: template
                .extended_key_usages
                .iter()
                .map(|usage| match usage {
                    ExtendedKeyUsage::ClientAuth => wit::ExtendedKeyUsage::ClientAuth,
                    ExtendedKeyUsage::ServerAuth => wit::ExtendedKeyUsage::ServerAuth,
                })
                .collect(),
        },
    }
}

pub(super) fn sign_intermediate(request: &SignIntermediateRequest) -> wit::SignIntermediateRequest {
    wit::SignIntermediateRequest {
        csr: request.csr.to_vec(),
        public_key: request.public_key.to_vec(),
        template: intermediate_template(&request.template),
    }
}

pub(super) fn cross_sign(request: &CrossSignRequest) -> wit::CrossSignRequest {
    wit::CrossSignRequest {
        root: request.root.to_vec(),
        serial: request.serial.as_bytes().to_vec(),
        validity: validity(request.validity),
    }
}

pub(super) const fn scope(scope: CleanUpScope) -> wit::CleanUpScope {
    match scope {
        CleanUpScope::Issuing => wit::CleanUpScope::Issuing,
        CleanUpScope::Everything => wit::CleanUpScope::Everything,
    }
}

pub(super) fn certificates(chain: &[CertificateDer<'static>]) -> Vec<Vec<u8>> {
    chain.iter().map(|it| it.to_vec()).collect()
}

fn option_value(value: OptionValue) -> wit::OptionValue {
    match value {
        OptionValue::Duration(it) => wit::OptionValue::Duration(it),
        OptionValue::Key(it) => wit::OptionValue::Key(it),
        OptionValue::Number(it) => wit::OptionValue::Number(it),
        OptionValue::Text(it) => wit::OptionValue::Text(it),
        OptionValue::Texts(it) => wit::OptionValue::Texts(it),
        OptionValue::Truth(it) => wit::OptionValue::Truth(it),
    }
}

fn intermediate_template(template: &IntermediateTemplate) -> wit::IntermediateTemplate {
    wit::IntermediateTemplate {
        common_name: template.common_name.clone(),
        uri: template.uri.clone(),
        serial: template.serial.as_bytes().to_vec(),
        validity: validity(template.validity),
        path_length: template.path_length,
    }
}

const fn validity(validity: Validity) -> types::Validity {
    types::Validity {
        not_before: validity.not_before.unix_seconds(),
        not_after: validity.not_after.unix_seconds(),
    }
}

/// The last two usages of RFC 5280 go with key agreement, and no template has them.
fn key_usages(usages: chancery_core::KeyUsages) -> wit::KeyUsages {
    use chancery_core::KeyUsages as Own;
    let pairs = [
        (Own::DIGITAL_SIGNATURE, wit::KeyUsages::DIGITAL_SIGNATURE),
        (Own::CONTENT_COMMITMENT, wit::KeyUsages::CONTENT_COMMITMENT),
        (Own::KEY_ENCIPHERMENT, wit::KeyUsages::KEY_ENCIPHERMENT),
        (Own::DATA_ENCIPHERMENT, wit::KeyUsages::DATA_ENCIPHERMENT),
        (Own::KEY_AGREEMENT, wit::KeyUsages::KEY_AGREEMENT),
        (Own::KEY_CERT_SIGN, wit::KeyUsages::KEY_CERT_SIGN),
        (Own::CRL_SIGN, wit::KeyUsages::CRL_SIGN),
    ];
    let none = wit::KeyUsages::default();
    pairs.into_iter().fold(none, |all, (own, theirs)| {
        if usages.contains(own) {
            all | theirs
        } else {
            all
        }
    })
}

pub(super) const fn key_type(key: KeySpec) -> types::KeyType {
    match key {
        KeySpec::EcP256 => types::KeyType::EcP256,
        KeySpec::EcP384 => types::KeyType::EcP384,
        KeySpec::EcP521 => types::KeyType::EcP521,
        KeySpec::Ed25519 => types::KeyType::Ed25519,
        KeySpec::Rsa2048 => types::KeyType::Rsa2048,
        KeySpec::Rsa4096 => types::KeyType::Rsa4096,
    }
}
