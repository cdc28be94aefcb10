//! Requests for the tests of this crate.

use chancery_core::Timestamp;

pub(crate) use super::stage::DOMAIN;
use super::stage::{Stage, YEAR};
use super::{KeySpec, Setup};
use crate::{BuiltIn, IntermediateRequest, LeafRequest, RootRequest};

pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_795_527_612);

pub(crate) fn root_request(key: KeySpec) -> RootRequest {
    let setup = Setup::new(&[], NOW, key);
    Stage::new(&BuiltIn::new, &setup)
        .root_request(1, YEAR)
        .unwrap()
}

pub(crate) fn intermediate_request() -> IntermediateRequest {
    let setup = Setup::new(&[], NOW, KeySpec::EcP256);
    Stage::new(&BuiltIn::new, &setup)
        .intermediate_request(5)
        .unwrap()
}

pub(crate) fn spki(csr: &[u8]) -> Vec<u8> {
    super::stage::spki(csr).unwrap()
}

pub(crate) fn leaf_request() -> LeafRequest {
    let setup = Setup::new(&[], NOW, KeySpec::EcP256);
    Stage::new(&BuiltIn::new, &setup)
        .leaf_request(KeySpec::EcP256)
        .unwrap()
}
