//! What a provider is asked and what it answers: DER bytes and plain data.
//!
//! Nothing here is checked against a policy. The host decides what a certificate shall say
//! (the templates); the guard checks what came back.

use std::fmt;

use chancery_core::{Datacenter, KeyUsages, OperationId, Secret, Serial, Timestamp, TrustDomain};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, SubjectPublicKeyInfoDer};

use crate::key_spec::KeySpec;
use crate::options::{OptionMap, SecretOptions};

/// The methods of [`CaProvider`](crate::CaProvider) as values, for errors and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`accept_intermediate`](crate::CaProvider::accept_intermediate)
    AcceptIntermediate,
    /// [`clean_up`](crate::CaProvider::clean_up)
    CleanUp,
    /// [`configure`](crate::CaProvider::configure)
    Configure,
    /// [`cross_sign`](crate::CaProvider::cross_sign)
    CrossSign,
    /// [`intermediate`](crate::CaProvider::intermediate)
    Intermediate,
    /// [`root`](crate::CaProvider::root)
    Root,
    /// [`root_csr`](crate::CaProvider::root_csr)
    RootCsr,
    /// [`sign_intermediate`](crate::CaProvider::sign_intermediate)
    SignIntermediate,
    /// [`sign_leaf`](crate::CaProvider::sign_leaf)
    SignLeaf,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AcceptIntermediate => "accept intermediate",
            Self::CleanUp => "clean up",
            Self::Configure => "configure",
            Self::CrossSign => "cross-sign",
            Self::Intermediate => "intermediate",
            Self::Root => "root",
            Self::RootCsr => "root csr",
            Self::SignIntermediate => "sign intermediate",
            Self::SignLeaf => "sign leaf",
        })
    }
}

/// What a provider is and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The name that selects it in a configuration.
    pub name: String,
    /// What it can do.
    pub capabilities: Capabilities,
}

impl Description {
    /// A provider called `name` with these capabilities.
    #[must_use]
    pub fn new(name: impl Into<String>, capabilities: Capabilities) -> Self {
        Self {
            name: name.into(),
            capabilities,
        }
    }
}

/// What a provider can do beyond making a root and signing leafs.
///
/// The default is nothing. What is not claimed here must be answered with
/// [`ErrorKind::Refused`](crate::ErrorKind::Refused) when asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Signs another CA's root under its own ([`cross_sign`](crate::CaProvider::cross_sign)).
    pub cross_sign: bool,
    /// Signs an intermediate from a CSR
    /// ([`sign_intermediate`](crate::CaProvider::sign_intermediate)).
    pub sign_intermediate: bool,
    /// [`intermediate`](crate::CaProvider::intermediate) makes the CSR of an intermediate that
    /// another CA signs, and
    /// [`accept_intermediate`](crate::CaProvider::accept_intermediate) takes the result.
    pub external_intermediate: bool,
    /// Leafs are signed by an intermediate under the root, so that
    /// [`intermediate`](crate::CaProvider::intermediate) has to be asked before a leaf is. Alone,
    /// it makes and renews the intermediate without the host; with
    /// [`external_intermediate`](Self::external_intermediate) the answer is a CSR until somebody
    /// has signed it.
    pub own_intermediate: bool,
    /// Takes a root certificate and its private key from the configuration (`RootCert`,
    /// `PrivateKey`). A provider that does not refuses to be configured with them: to make
    /// another root in silence would be the worst answer.
    pub import_root: bool,
    /// Takes serial numbers and common names from the templates. A provider that does not
    /// (Vault) puts random serials of at least 64 bits of its own.
    pub chooses_serials: bool,
    /// Makes a request for its root, with the root's key
    /// ([`root_csr`](crate::CaProvider::root_csr)).
    pub root_csr: bool,
    /// Cross-signs only roots that come with such a request, for want of the right or the means
    /// to sign a certificate as it stands.
    pub needs_root_csr: bool,
    /// Which keys it can make for a root or an intermediate.
    pub keys: Vec<KeySpec>,
}

/// How a provider is set up.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host writes every request out in full: a new field must be decided there"
)]
pub struct ConfigureRequest {
    /// The trust domain this CA serves.
    pub trust_domain: TrustDomain,
    /// The datacenter it runs in.
    pub datacenter: Datacenter,
    /// The provider's options as given, without those that are secret.
    pub options: OptionMap,
    /// The options that are secret.
    pub secrets: SecretOptions,
    /// The newest state this provider answered with, if it served before.
    pub state: Option<Secret>,
}

/// A wish for the provider's root.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host writes every request out in full: a new field must be decided there"
)]
pub struct RootRequest {
    /// Which wish this is.
    pub operation: OperationId,
    /// Whether a new root is wanted although the state or the backend holds one already. The
    /// one that this very operation has made counts as new. Refused where the operator gave root
    /// or key: only they can give another.
    pub renew: bool,
    /// What the root shall say if one has to be made.
    pub template: RootTemplate,
}

/// What a new root shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host writes every template out in full: a new field must be decided there"
)]
pub struct RootTemplate {
    /// The only attribute of the subject: `pri-<uid>.consul.ca.<td8>.consul`.
    pub common_name: String,
    /// The only subject alternative name: `spiffe://<trust domain>`.
    pub uri: String,
    /// At most 63 bits, because clients read a root's serial as a JSON number.
    pub serial: Serial,
    /// The key to make.
    pub key: KeySpec,
    /// When it shall live.
    pub validity: Validity,
}

/// A root, and what its provider must be told after a restart.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an answer is complete: the host must handle every part"
)]
pub struct RootAnswer {
    /// The self-signed certificate.
    pub certificate: CertificateDer<'static>,
    /// Replaces the state of every earlier answer. The host seals it into the same change.
    pub state: Secret,
}

/// A wish for an intermediate under which this provider signs leafs.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host writes every request out in full: a new field must be decided there"
)]
pub struct IntermediateRequest {
    /// Which wish this is.
    pub operation: OperationId,
    /// Whether a new intermediate is wanted although there is one under this root already. The
    /// one that this very operation has made counts as new.
    pub renew: bool,
    /// What the intermediate shall say. In a CSR only name, URI and key appear.
    pub template: IntermediateTemplate,
    /// The key to make.
    pub key: KeySpec,
}

/// What an intermediate shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host writes every template out in full: a new field must be decided there"
)]
pub struct IntermediateTemplate {
    /// The only attribute of the subject: `sec-<uid>.<provider>.ca.<td8>.consul`.
    pub common_name: String,
    /// The only subject alternative name: `spiffe://<trust domain>`.
    pub uri: String,
    /// The serial number.
    pub serial: Serial,
    /// When it shall live. A provider shortens it to its issuer's end, never lengthens it.
    pub validity: Validity,
    /// How many CA certificates may follow below it; 0 where only leafs do.
    pub path_length: u8,
}

/// An intermediate, or the wish for one that somebody else must sign.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum IntermediateAnswer {
    /// Its key exists and waits for
    /// [`accept_intermediate`](crate::CaProvider::accept_intermediate); leafs are signed as
    /// before until then.
    Csr {
        /// PKCS #10, signed by the new key.
        csr: CertificateSigningRequestDer<'static>,
        /// Replaces the state of every earlier answer.
        state: Secret,
    },
    /// It signs leafs from now on.
    Ready {
        /// The intermediate first, then what links it to the root; the root is left out.
        chain: Vec<CertificateDer<'static>>,
        /// Replaces the state of every earlier answer.
        state: Secret,
    },
}

/// The signed intermediate that answers a CSR.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host writes every request out in full: a new field must be decided there"
)]
pub struct AcceptIntermediateRequest {
    /// The intermediate first, then what links it to the root; the root may be left out.
    pub chain: Vec<CertificateDer<'static>>,
}

/// A leaf to sign.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host writes every request out in full: a new field must be decided there"
)]
pub struct LeafRequest {
    /// The request as it came. Only its key may count: what the leaf says is the template's.
    pub csr: CertificateSigningRequestDer<'static>,
    /// The key of the CSR, whose signature the host has verified.
    pub public_key: SubjectPublicKeyInfoDer<'static>,
    /// What the leaf shall say.
    pub template: LeafTemplate,
}

/// A leaf as a provider signed it.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an answer is complete: the guard must handle every part"
)]
pub struct SignedLeaf {
    /// The leaf and what links it to the root, without the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key that signed the leaf, a SubjectPublicKeyInfo in DER, if this process made the
    /// signature itself and so need not verify it.
    pub signed_by: Option<Vec<u8>>,
}

/// What a leaf shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host writes every template out in full: a new field must be decided there"
)]
pub struct LeafTemplate {
    /// The only attribute of the subject: `<service>.svc.default.<td8>.consul`.
    pub common_name: String,
    /// The SPIFFE ID, the only URI among the subject alternative names.
    pub uri: String,
    /// The serial number.
    pub serial: Serial,
    /// When it shall live. A provider shortens it to its issuer's end, never lengthens it.
    pub validity: Validity,
    /// Key usages, as a critical extension.
    pub key_usages: KeyUsages,
    /// Extended key usages in the order they shall appear.
    pub extended_key_usages: Vec<ExtendedKeyUsage>,
}

/// What a certificate may be used for (RFC 5280 §4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtendedKeyUsage {
    /// TLS client.
    ClientAuth,
    /// TLS server.
    ServerAuth,
}

/// An intermediate to sign for somebody else's key.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host writes every request out in full: a new field must be decided there"
)]
pub struct SignIntermediateRequest {
    /// The request as it came. Only its key may count.
    pub csr: CertificateSigningRequestDer<'static>,
    /// The key of the CSR, whose signature the host has verified.
    pub public_key: SubjectPublicKeyInfoDer<'static>,
    /// What the intermediate shall say.
    pub template: IntermediateTemplate,
}

/// Another CA's root to sign under this one's, so that old bundles lead to new leafs.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host writes every request out in full: a new field must be decided there"
)]
pub struct CrossSignRequest {
    /// The foreign root. Its subject, key, SAN, usages and key identifier are kept to the byte.
    pub root: CertificateDer<'static>,
    /// A request made with the foreign root's own key, for CAs that sign only requests; its
    /// provider's [`root_csr`](crate::CaProvider::root_csr).
    pub csr: Option<CertificateSigningRequestDer<'static>>,
    /// The serial number of the cross-signed certificate. One that signs a request may put its
    /// own.
    pub serial: Serial,
    /// When it shall live. A provider shortens it to its issuer's end, never lengthens it.
    pub validity: Validity,
}

/// What a provider is told that it may give up.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host writes every request out in full: a new field must be decided there"
)]
pub struct CleanUpRequest {
    /// How much is over.
    pub scope: CleanUpScope,
    /// Roots and intermediates that are still trusted or still sign, of whichever provider:
    /// what holds them, and the keys of them, must stay.
    pub keep: Vec<CertificateDer<'static>>,
}

/// How much of what a provider holds is no longer needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CleanUpScope {
    /// It will sign no more leafs, but peers still trust its root.
    Issuing,
    /// Nobody trusts anything of it any more.
    Everything,
}

/// The time between which a certificate counts, both ends included, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a span has two ends and nothing else"
)]
pub struct Validity {
    /// From then on.
    pub not_before: Timestamp,
    /// Until then.
    pub not_after: Timestamp,
}
