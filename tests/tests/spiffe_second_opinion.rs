//! The strict parser beside the crate `spiffe`: whatever we accept in SPIFFE's alphabet is a
//! SPIFFE ID to somebody else too, and whatever is none to them is none to us.

use chancery_core::{NameClass, SpiffeId};
use proptest::prelude::*;

/// Whether every name in the identity is one that SPIFFE can say.
fn in_spiffes_alphabet(id: &SpiffeId) -> bool {
    let class = match id {
        SpiffeId::Agent(agent) => agent.node().class(),
        SpiffeId::Service(service) => service.service().class(),
        _ => NameClass::Spiffe,
    };
    class == NameClass::Spiffe
}

fn assert_opinions_agree(uri: &str) {
    let theirs = spiffe::SpiffeId::new(uri);
    match (SpiffeId::parse(uri), theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours.trust_domain().as_str(), theirs.trust_domain_name());
            assert_eq!(ours.to_string(), theirs.to_string());
            assert!(in_spiffes_alphabet(&ours), "{uri}");
        }
        // The second class of names: Consul's, unknown to SPIFFE by design.
        (Ok(ours), Err(_)) => assert!(!in_spiffes_alphabet(&ours), "{uri}"),
        (Err(_), _) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn names_mean_the_same_to_both(
        host in "[a-z0-9._-]{1,12}",
        datacenter in "[a-z0-9_-]{1,6}",
        name in "([A-Za-z0-9._-]{1,12}|\\PC{1,6})",
        agent in any::<bool>(),
    ) {
        let path = if agent { "agent/client" } else { "ns/default" };
        let kind = if agent { "id" } else { "svc" };
        assert_opinions_agree(&format!("spiffe://{host}/{path}/dc/{datacenter}/{kind}/{name}"));
        assert_opinions_agree(&format!("spiffe://{host}"));
    }

    #[test]
    fn odd_uris_mean_the_same_to_both(
        uri in "spiffe://[a-zA-Z@:.?#]{0,5}(/(ns|default|dc|dc1|svc|web|[.]{0,3}|%2A|%2e)){0,7}[/?#]?"
    ) {
        assert_opinions_agree(&uri);
    }
}

#[test]
fn both_accept_a_plain_service() {
    let uri = "spiffe://11111111-2222.consul/ns/default/dc/dc1/svc/web";
    assert!(SpiffeId::parse(uri).is_ok());
    assert!(spiffe::SpiffeId::new(uri).is_ok());
}
