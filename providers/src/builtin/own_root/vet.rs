//! Whether a root that somebody gives can carry a mesh: asked before anything is changed.

use std::time::Duration;

use chancery_core::{
    CaPolicy, CertificateSummary, CheckedIntermediate, CheckedRoot, GoDuration,
    IntermediateExpectation, Issuer as Authority, KeyUsages, PeerRole, Printable, Serial,
    SignatureCheck, Timestamp, TrustBundle, TrustDomain,
};
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::{GeneralName, NameConstraints, ParsedExtension};
use x509_parser::prelude::X509Certificate;

use super::super::issuer::{Issuer, parse};
use super::super::{keys, sign};
use super::Source;
use crate::{ExtendedKeyUsage, KeySpec, LeafTemplate, ProviderError, Validity};

/// What a root must be good for.
pub(in super::super) struct Expectations<'a> {
    pub(in super::super) trust_domain: &'a TrustDomain,
    pub(in super::super) leaf_ttl: Duration,
    pub(in super::super) now: Timestamp,
}

/// Applies every rule to what the operator gave.
///
/// Last, a leaf that nobody ever sees is signed and verified as a peer would: what the rules
/// before it forgot shows there.
pub(in super::super) fn vet(
    source: &Source,
    expected: &Expectations<'_>,
) -> Result<(), ProviderError> {
    check(source, expected)
        .map_err(|reason| ProviderError::misconfigured(format!("RootCert: {reason}")))
}

fn check(source: &Source, expected: &Expectations<'_>) -> Result<(), String> {
    match source {
        Source::Made(_) | Source::Key(_) => Ok(()),
        Source::Root(issuer) => {
            let root = expected.root(issuer.certificate(), 0)?;
            expected.try_leaf(issuer, &[], root)
        }
        Source::Chain(chain) => {
            let between: Vec<_> = std::iter::once(chain.issuer.certificate())
                .chain(chain.links.iter())
                .collect();
            let root = expected.root(&chain.root, between.len())?;
            expected.chain(&between, root.issuer())?;
            expected.try_leaf(&chain.issuer, &chain.links, root)
        }
        Source::Offline(root) => expected.root(root, 1).map(drop),
    }
}

/// Applies the same rules to an intermediate that was signed elsewhere, leaf's issuer first and
/// without the root.
pub(in super::super) fn vet_external(
    root: &CertificateDer<'static>,
    issuer: &Issuer,
    links: &[CertificateDer<'static>],
    expected: &Expectations<'_>,
) -> Result<(), ProviderError> {
    let between: Vec<_> = std::iter::once(issuer.certificate()).chain(links).collect();
    CheckedRoot::restore(root)
        .map_err(|violation| violation.to_string())
        .and_then(|root| {
            expected.chain(&between, root.issuer())?;
            expected.try_leaf(issuer, links, root)
        })
        .map_err(|reason| {
            ProviderError::refused(format!("the intermediate cannot be used: {reason}"))
        })
}

impl Expectations<'_> {
    fn root(&self, der: &CertificateDer<'_>, below: usize) -> Result<CheckedRoot, String> {
        let about = Subject::of(der)?;
        self.names(&about, der)?;
        let root = CheckedRoot::check(der, &CaPolicy::any(), ALGORITHMS, self.now)
            .map_err(|violation| about.says(violation))?;
        self.place(&about, root.issuer(), below)?;
        Ok(root)
    }

    /// From the one under the root down to the one that signs leafs.
    fn chain(&self, between: &[&CertificateDer<'_>], root: &Authority) -> Result<(), String> {
        let mut above = root.clone();
        for (below, der) in between.iter().enumerate().rev() {
            let about = Subject::of(der)?;
            self.names(&about, der)?;
            let own = CheckedIntermediate::restore(der).map_err(|it| about.says(it))?;
            let expected = IntermediateExpectation {
                spki_der: own.issuer().spki_der(),
                issuer: &above,
                not_after: own.issuer().not_after(),
                policy: &CaPolicy::any(),
                signature: SignatureCheck::Verify,
            };
            let checked = CheckedIntermediate::check(der, &expected, ALGORITHMS, self.now)
                .map_err(|violation| about.says(violation))?;
            self.place(&about, checked.issuer(), below)?;
            above = checked.issuer().clone();
        }
        Ok(())
    }

    /// Life enough, and room for the CAs below.
    fn place(&self, about: &Subject, found: &Authority, below: usize) -> Result<(), String> {
        let needed = self.now.saturating_add(self.leaf_ttl.saturating_mul(2));
        let needed = needed.whole_seconds();
        if found.not_after() < needed {
            let ttl = i64::try_from(self.leaf_ttl.as_nanos()).unwrap_or(i64::MAX);
            return Err(about.says(format_args!(
                "it expires at {}, which is too soon: with leafs of {} it must live until {needed} \
                 at least",
                found.not_after(),
                GoDuration::from_nanos(ttl)
            )));
        }
        match found.path_length() {
            Some(allowed) if usize::try_from(allowed).is_ok_and(|allowed| allowed < below) => {
                Err(about.says(format_args!(
                    "its path length is {allowed}, but {below} CA{} to stand below it",
                    if below == 1 { " is" } else { "s are" }
                )))
            }
            _ => Ok(()),
        }
    }

    /// The names it has, and the names and purposes that it allows.
    fn names(&self, about: &Subject, der: &CertificateDer<'_>) -> Result<(), String> {
        let own = format!("spiffe://{}", self.trust_domain);
        let mut names = about.uris.iter().filter(|uri| is_spiffe(uri));
        if let Some(uri) = names.find(|uri| **uri != own) {
            return Err(about.says(format_args!(
                "it is for \"{}\", this trust domain is \"{own}\"",
                Printable::new(uri)
            )));
        }
        let parsed = parse(der).map_err(|error| error.to_string())?;
        if lacks_purposes(&parsed) {
            return Err(about.says(
                "it has extended key usages, and clientAuth and serverAuth are not both among \
                 them: some peers would refuse every leaf",
            ));
        }
        match constrained(&parsed) {
            Some(kind) => Err(about.says(format_args!(
                "its name constraints are about {kind}, which the verifier of peers cannot \
                 honour: it would refuse every leaf. Constraints on DNS names and IP addresses \
                 are fine"
            ))),
            None => Ok(()),
        }
    }

    /// Signs a leaf and verifies it as a peer that trusts the root alone.
    fn try_leaf(
        &self,
        issuer: &Issuer,
        links: &[CertificateDer<'static>],
        root: CheckedRoot,
    ) -> Result<(), String> {
        let key = keys::generate_now(KeySpec::EcP256).map_err(|error| error.to_string())?;
        let serial = Serial::from_be_bytes(&[1]).ok_or("no serial number")?;
        let template = LeafTemplate {
            common_name: "trial".to_owned(),
            uri: format!(
                "spiffe://{}/ns/default/dc/trial/svc/trial",
                self.trust_domain
            ),
            serial,
            validity: Validity::backdated(self.leaf_ttl, self.now),
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: vec![ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::ServerAuth],
        };
        let leaf = sign::leaf(issuer, &key.public_key(), &template);
        let leaf = leaf.map_err(|error| error.to_string())?;
        let mut chain: Vec<&[u8]> = vec![&leaf];
        if !issuer.is_self_signed() {
            chain.push(issuer.certificate());
            chain.extend(links.iter().map(AsRef::as_ref));
        }
        let bundle = TrustBundle::new(self.trust_domain.clone(), [root])
            .map_err(|violation| violation.to_string())?;
        for role in [PeerRole::Client, PeerRole::Server] {
            bundle
                .verify_peer(&chain, role, ALGORITHMS, self.now)
                .map_err(|violation| {
                    format!("peers would refuse every leaf under it: {violation}")
                })?;
        }
        Ok(())
    }
}

/// Whose certificate an error is about.
struct Subject {
    name: String,
    uris: Vec<String>,
}

impl Subject {
    fn of(der: &[u8]) -> Result<Self, String> {
        let summary = CertificateSummary::inspect(der).map_err(|it| it.to_string())?;
        Ok(Self {
            name: summary.subject,
            uris: summary.uris,
        })
    }

    fn says(&self, reason: impl std::fmt::Display) -> String {
        format!("\"{}\": {reason}", Printable::new(&self.name))
    }
}

fn is_spiffe(uri: &str) -> bool {
    uri.get(..9)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe://"))
}

/// RFC 5280 gives purposes of a CA no meaning, but Go and webpki hold leafs to them.
fn lacks_purposes(certificate: &X509Certificate<'_>) -> bool {
    let mut extensions = certificate.extensions().iter();
    extensions.any(|extension| match extension.parsed_extension() {
        ParsedExtension::ExtendedKeyUsage(found) => {
            !(found.any || found.client_auth && found.server_auth)
        }
        _ => false,
    })
}

/// The kind of name whose constraints webpki answers by refusing, if there are such.
fn constrained(certificate: &X509Certificate<'_>) -> Option<&'static str> {
    let mut extensions = certificate.extensions().iter();
    let found = extensions.find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::NameConstraints(constraints) => Some(constraints),
        _ => None,
    })?;
    let NameConstraints {
        permitted_subtrees,
        excluded_subtrees,
    } = found;
    let trees = [permitted_subtrees, excluded_subtrees];
    trees
        .into_iter()
        .flatten()
        .flatten()
        .find_map(|tree| match &tree.base {
            GeneralName::URI(_) => Some("URIs"),
            GeneralName::DirectoryName(_) => Some("directory names"),
            _ => None,
        })
}

const ALGORITHMS: chancery_core::Algorithms<'static> = webpki::ALL_VERIFICATION_ALGS;
