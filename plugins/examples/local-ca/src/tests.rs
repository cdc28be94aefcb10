use chancery_plugin::testing::{
    Host, NOW, cross_sign_request, leaf_request, root_request, sign_intermediate_request, verify,
};
use chancery_plugin::{ErrorKind, KeyType};

use super::*;

fn host() -> Host<LocalCa> {
    Host::new()
}

#[test]
fn one_root_is_made_and_signs() {
    let host = host();
    let root = host.root(root_request(1)).unwrap();
    assert_eq!(host.root(root_request(2)).unwrap(), root);
    verify(&host.sign_leaf(leaf_request("web")).unwrap()[0], &root).unwrap();
    let signed = host.sign_intermediate(sign_intermediate_request());
    verify(&signed.unwrap(), &root).unwrap();
}

#[test]
fn a_renewed_root_is_another_one_and_the_same_wish_makes_it_once() {
    let host = host();
    let old = host.root(root_request(1)).unwrap();
    let mut request = root_request(2);
    request.renew = true;
    request.template.key = KeyType::EcP384;
    let new = host.root(request.clone()).unwrap();
    assert_ne!(new, old);
    assert_eq!(host.root(request).unwrap(), new);
    verify(&host.sign_leaf(leaf_request("web")).unwrap()[0], &new).unwrap();
}

#[test]
fn an_old_bundle_leads_to_a_new_root() {
    let (old, new) = (host(), host());
    let root = old.root(root_request(1)).unwrap();
    let foreign = new.root(root_request(2)).unwrap();
    let crossed = old.cross_sign(cross_sign_request(&foreign)).unwrap();
    verify(&crossed, &root).unwrap();
}

#[test]
fn before_the_root_nothing_is_signed() {
    let early = host().sign_leaf(leaf_request("web")).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::Refused);
}

#[test]
fn the_operators_own_root_is_taken_while_it_is_valid() {
    let certificate = include_str!("testdata/own-root.pem");
    let key = include_str!("testdata/own-root.key");
    let own = || host().own_root(certificate, key);
    let root = own().root(root_request(1)).unwrap();
    assert_eq!(root.pem(), certificate);
    verify(&own().sign_leaf(leaf_request("web")).unwrap()[0], &root).unwrap();
    let mut request = root_request(2);
    request.renew = true;
    assert_eq!(own().root(request).unwrap_err().kind(), ErrorKind::Refused);

    let end = root.read().unwrap().validity.not_after;
    assert!(own().at(end).configure().is_ok());
    assert!(own().at(end + 1).configure().is_err());
    let other = include_str!("testdata/other.key");
    assert!(host().own_root(certificate, other).configure().is_err());
    assert!(own().at(NOW).configure().is_ok());
}
