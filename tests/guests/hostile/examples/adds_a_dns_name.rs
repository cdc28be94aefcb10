//! Signs a DNS name besides.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, der, guest};

struct AddsADnsName;

impl Guest for AddsADnsName {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut leaf = ca::Leaf::wanted(&request);
        leaf.names.extend(der::tlv(0x82, &[b"example.com"]));
        Ok(vec![leaf.sign()])
    }
}

guest!(AddsADnsName);
