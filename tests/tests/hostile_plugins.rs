//! Plugins that do what no plugin should (`tests/guests/hostile`), each in the real sandbox and
//! behind the real guard. Whatever it tries, the call ends with one error that says what was
//! wrong, or the plugin gets nowhere and the leaf is a good one; what it wrote to the log is one
//! printable line each; and the honest plugin beside it goes on signing.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

#[path = "hostile_plugins/artifacts.rs"]
mod artifacts;
#[path = "hostile_plugins/findings.rs"]
mod findings;
#[path = "hostile_plugins/network.rs"]
mod network;
#[path = "hostile_plugins/pool.rs"]
mod pool;
#[path = "hostile_plugins/stage.rs"]
mod stage;

use std::collections::BTreeSet;

use serde_json::json;

use crate::stage::{LATE, Outcome, Stage, meet};

/// A test of each guest that needs no network, by its file's name.
macro_rules! guests {
    ($($guest:ident: $ends:expr $(, says $said:expr)*;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $guest() {
                let met = meet(stringify!($guest), json!({}), $ends).await;
                met.ended($ends);
                $(met.said($said);)*
                met.beside().await;
            }
        )*

        const MET_HERE: &[&str] = &[$(stringify!($guest)),*];
    };
}

guests! {
    adds_a_dns_name: Outcome::Rule("other_name");
    adds_an_unknown_extension: Outcome::Rule("critical_extension");
    allocates_without_end: Outcome::Leaf("memory");
    asks_for_foreign_keys: Outcome::Works, says "found 0 keys";
    backdates: Outcome::Rule("starts_too_early");
    calls_back: Outcome::Configuring("cannot leave component instance");
    changes_its_root: Outcome::Works;
    changes_what_it_signed: Outcome::Rule("signature");
    claims_what_it_cannot_do: Outcome::Works;
    describes_itself_endlessly: Outcome::Reading("too much data");
    fails_at_length: Outcome::Leaf("forged");
    fills_the_state: Outcome::Works, says "kept 6";
    floods_handles: Outcome::Leaf("crashed");
    floods_standard_output: Outcome::Leaf(LATE);
    floods_the_log: Outcome::Works, says "line 0";
    grows_its_capabilities: Outcome::Configuring("claims the capability");
    has_a_name_with_escapes: Outcome::Reading("name");
    honest: Outcome::Works;
    lives_a_day_longer: Outcome::Rule("outlives_request");
    makes_a_thousand_keys: Outcome::Works, says "made 15 keys";
    needs_a_gibibyte: Outcome::Reading("memory");
    never_configures: Outcome::Configuring(LATE);
    never_describes: Outcome::Reading(LATE);
    never_returns: Outcome::Leaf(LATE);
    outlives_its_issuer: Outcome::Rule("outlives_request");
    reads_files: Outcome::Works, says "found 0 files, written: false";
    reads_the_environment: Outcome::Works, says "found 0 variables, 0 arguments";
    recurses: Outcome::Leaf("crashed");
    remembers_others: Outcome::Works, says "found 0 bytes of others";
    returns_a_gibibyte: Outcome::Leaf("memory");
    returns_a_million_certificates: Outcome::Leaf("too much data");
    returns_a_truncated_leaf: Outcome::Leaf("certificate");
    returns_an_unrelated_chain: Outcome::Rule("key_usage_missing");
    returns_malformed_pem: Outcome::Leaf("certificate");
    returns_nothing: Outcome::Leaf("certificate");
    sets_the_ca_bit: Outcome::Rule("leaf_is_ca");
    signs_another_identity: Outcome::Rule("wrong_identity");
    signs_another_key: Outcome::Rule("key_mismatch");
    signs_two_identities: Outcome::Rule("uri_count");
    signs_with_another_key: Outcome::Rule("signature");
    sleeps: Outcome::Leaf(LATE);
    takes_another_name: Outcome::Works;
    takes_another_serial: Outcome::Rule("other_serial");
    tells_too_much: Outcome::Works;
    traps_always: Outcome::Leaf("crashed");
    traps_on_third_call: Outcome::Works;
    traps_when_asked_how_it_is: Outcome::Works;
    wants_a_gibibyte_of_randomness: Outcome::Leaf("exceeds limit");
    writes_control_characters: Outcome::Works, says "forged";
    writes_while_signing: Outcome::Works, says "written: false, made: false";
}

#[test]
fn every_hostile_guest_has_a_test() {
    let examples = std::fs::read_dir(Stage::guests().join("examples")).unwrap();
    let there: BTreeSet<String> = examples
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let met = MET_HERE.iter().chain(network::MET_HERE);
    let met: BTreeSet<String> = met.map(ToString::to_string).collect();
    assert_eq!(there, met);
}
