//! Vault (OpenBao 2.7.2) signs roots of other CAs from a request, with a token that lacks the right
//! which takes `sudo`: whatever the root's key, name and extensions are, what comes of it stands in
//! for the root.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use chancery_core::{
    CheckedIntermediate, CheckedRoot, KeyKind, PeerRole, TrustBundle, TrustDomain,
};
use chancery_providers::{
    BuiltIn, CaProvider, ErrorKind, Guard, KeySpec, Vault, VaultRights, vault_policy,
};
use chancery_tests::{
    OpenBao, TRUST_DOMAIN, cross_sign_request, guard_settings, intermediate_request, leaf_request,
    now, root_request, vault_configuration,
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, GeneralSubtree, IsCa, KeyPair,
    KeyUsagePurpose, NameConstraints,
};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};

/// A Vault in mounts of that name, and its root.
async fn vault(server: &OpenBao, name: &str) -> (Guard<Vault>, CertificateDer<'static>) {
    let rights = VaultRights {
        mounts: true,
        roots: true,
        any_root: false,
    };
    let (root, intermediate) = (format!("{name}-root"), format!("{name}-intermediate"));
    let policy = vault_policy(&root, &intermediate, rights);
    let token = server.token(name, &policy, json!({})).await.unwrap();
    let options = json!({
        "Address": server.url(),
        "Token": token,
        "RootPKIPath": root,
        "IntermediatePKIPath": intermediate,
    });
    let mut vault = Guard::new(Vault::new(), guard_settings("vault"));
    let configuration = vault_configuration(&options, None);
    vault.configure(&configuration).await.unwrap();
    let root = vault.root(&root_request(1, false)).await.unwrap();
    let wish = intermediate_request(1, false);
    vault.intermediate(&wish).await.unwrap();
    (vault, root.certificate)
}

async fn built_in(options: &Value, key: KeySpec) -> (Guard<BuiltIn>, CertificateDer<'static>) {
    let mut guard = Guard::new(BuiltIn::new(), guard_settings("consul"));
    let configuration = vault_configuration(options, None);
    guard.configure(&configuration).await.unwrap();
    let mut wish = root_request(2, false);
    wish.template.key = key;
    let root = guard.root(&wish).await.unwrap();
    (guard, root.certificate)
}

/// Has `old` sign the root of `new`; whoever trusts the old root alone takes the new one's leafs.
async fn linked(
    old: &Guard<Vault>,
    old_root: &[u8],
    new: &impl CaProvider,
    new_root: &CertificateDer<'static>,
) -> CertificateDer<'static> {
    let mut request = cross_sign_request(new_root);
    request.csr = new.root_csr().await.unwrap();
    assert!(request.csr.is_some());
    let link = old.cross_sign(&request).await.unwrap();
    let [signed, root] = [&link, new_root].map(|der| CheckedIntermediate::restore(der).unwrap());
    assert_eq!(signed.issuer().path_length(), root.issuer().path_length());

    let mut chain = new.sign_leaf(&leaf_request("web")).await.unwrap();
    chain.push(link.clone());
    let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
    for root in [old_root, new_root] {
        let trust_domain = TrustDomain::parse(TRUST_DOMAIN).unwrap();
        let root = CheckedRoot::restore(root).unwrap();
        let bundle = TrustBundle::new(trust_domain, [root]).unwrap();
        let algorithms = guard_settings("vault").algorithms;
        bundle
            .verify_peer(&chain, PeerRole::Server, algorithms, now())
            .unwrap();
    }
    link
}

#[tokio::test(flavor = "multi_thread")]
async fn roots_with_every_kind_of_key_are_signed_from_their_request() {
    let server = OpenBao::start().await.unwrap();
    let (old, old_root) = vault(&server, "old").await;
    for key in [
        KeySpec::EcP256,
        KeySpec::EcP384,
        KeySpec::EcP521,
        KeySpec::Ed25519,
        KeySpec::Rsa2048,
        KeySpec::Rsa4096,
    ] {
        let kind = KeyKind::from(key);
        let options = json!({
            "PrivateKeyType": kind.consul_type(),
            "PrivateKeyBits": kind.bits(),
        });
        let (new, new_root) = built_in(&options, key).await;
        linked(&old, &old_root, &new, &new_root).await;
    }
    let (new, new_root) = vault(&server, "new").await;
    linked(&old, &old_root, &new, &new_root).await;
}

/// A root of an operator's own, with its key.
fn own_root(change: impl FnOnce(&mut CertificateParams)) -> (CertificateParams, KeyPair, Value) {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Acme & Söhne");
    params
        .distinguished_name
        .push(DnType::CommonName, "Acme Mesh Root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    change(&mut params);
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let root = params.self_signed(&key).unwrap();
    let options = json!({ "RootCert": root.pem(), "PrivateKey": key.serialize_pem() });
    (params, key, options)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_of_ones_own_keeps_its_name_and_what_constrains_it() {
    let server = OpenBao::start().await.unwrap();
    let (old, old_root) = vault(&server, "old").await;
    let (_, _, options) = own_root(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(2));
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("internal".to_owned())],
            excluded_subtrees: Vec::new(),
        });
    });
    let (new, new_root) = built_in(&options, KeySpec::EcP256).await;
    let link = linked(&old, &old_root, &new, &new_root).await;
    let [before, after] = [&new_root, &link].map(|der| name_constraints(der).to_vec());
    assert!(before.ends_with(b"internal"), "{before:x?}");
    assert_eq!(before, after);
}

/// The extension from its object identifier, 2.5.29.30, to the end of its one name.
fn name_constraints(certificate: &[u8]) -> &[u8] {
    let is_it = |bytes: &[u8]| bytes == [0x06, 3, 0x55, 0x1d, 0x1e];
    let start = certificate.windows(5).position(is_it).unwrap();
    certificate.get(start..start + 26).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_says_less_is_enough_and_one_for_another_name_is_not() {
    let server = OpenBao::start().await.unwrap();
    let (old, _) = vault(&server, "old").await;
    let (params, key, options) = own_root(|_| {});
    let (_, new_root) = built_in(&options, KeySpec::EcP256).await;
    let asking = |name: DistinguishedName| {
        let mut asking = CertificateParams::default();
        asking.distinguished_name = name;
        asking.serialize_request(&key).unwrap().der().clone()
    };
    // The key identifier, which is not in the request, is the root's all the same.
    let mut request = cross_sign_request(&new_root);
    request.csr = Some(asking(params.distinguished_name));
    old.cross_sign(&request).await.unwrap();

    request.csr = Some(asking(DistinguishedName::new()));
    let error = old.cross_sign(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("is not the root's"), "{error}");
}
