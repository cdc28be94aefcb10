//! Every hostile chain is refused by the rule it breaks, quickly, as a client's and as a
//! server's; the controls are accepted.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::{Duration, Instant};

use chancery_core::{
    CheckedRoot, PeerRole, Timestamp, TrustBundle, TrustDomain, VerifiedPeer, Violation,
};
use chancery_tests::hostile::{self, HostileCase, TestCa};

const TRUST_DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";
const NOW: i64 = 1_795_500_000;

fn verify(
    bundle: &TrustBundle,
    case: &HostileCase,
    role: PeerRole,
) -> Result<VerifiedPeer, Violation> {
    let chain: Vec<&[u8]> = case.chain.iter().map(Vec::as_slice).collect();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let algorithms = provider.signature_verification_algorithms.all;
    bundle.verify_peer(&chain, role, algorithms, Timestamp::from_unix(NOW))
}

fn victim() -> Result<(TestCa, TrustBundle), Box<dyn Error>> {
    let ca = TestCa::root(TRUST_DOMAIN, NOW)?;
    let root = CheckedRoot::restore(ca.der())?;
    let trust_domain = TrustDomain::parse(TRUST_DOMAIN)?;
    Ok((ca, TrustBundle::new(trust_domain, [root])?))
}

/// The variant's name: the rule that was broken.
fn rule(violation: &Violation) -> String {
    let debug = format!("{violation:?}");
    let end = debug.find([' ', '(']).unwrap_or(debug.len());
    debug[..end].to_owned()
}

#[test]
fn each_hostile_chain_is_refused_by_its_rule() {
    let (ca, bundle) = victim().unwrap();
    let cases = hostile::cases(&ca).unwrap();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "names are unique");
    for case in &cases {
        let violation = verify(&bundle, case, PeerRole::Client).expect_err(&case.name);
        assert_eq!(rule(&violation), case.rule, "{}: {violation}", case.name);
        let text = violation.to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(text.len() < 2048, "{text}");
        if !case.name.ends_with("as a client") {
            verify(&bundle, case, PeerRole::Server).expect_err(&case.name);
        }
    }
}

#[test]
fn no_hostile_chain_buys_time() {
    let (ca, bundle) = victim().unwrap();
    for case in hostile::cases(&ca).unwrap() {
        // The best of five: other tests share the machine.
        let best = (0..5)
            .map(|_| {
                let start = Instant::now();
                let _refused = verify(&bundle, &case, PeerRole::Client);
                start.elapsed()
            })
            .min()
            .unwrap();
        println!("{best:>12?}  {}", case.name);
        assert!(best <= Duration::from_millis(20), "{}: {best:?}", case.name);
    }
}

#[test]
fn the_controls_are_accepted() {
    let (ca, bundle) = victim().unwrap();
    for case in hostile::controls(&ca).unwrap() {
        for role in [PeerRole::Client, PeerRole::Server] {
            let peer = verify(&bundle, &case, role).expect(&case.name);
            assert_eq!(peer.id().to_string(), ca.uri("web"), "{}", case.name);
        }
    }
    // A stolen leaf is good as far as it goes; the handshake must ask for its key.
    let stolen = hostile::stolen(&ca).unwrap();
    assert!(verify(&bundle, &stolen, PeerRole::Client).is_ok());
}
