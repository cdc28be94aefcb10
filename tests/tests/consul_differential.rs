//! The same requests to our agent and to a real Consul 1.8.7, side by side.
//!
//! Each file under `data/differential` is an area, played against a fresh pair of agents. Status,
//! headers and bodies must be the same to the byte, once what differs from run to run is masked.
//! Where we differ on purpose, `ledger.txt` says why and the README shows it; a line of it that no
//! longer applies fails as well. How a case is written: `src/differential/case.rs`.

use chancery_tests::{Cases, Ledger, Page, play};

macro_rules! areas {
    ($($test:ident $area:literal)+) => {
        $(
            #[tokio::test]
            async fn $test() {
                let report = play($area, &cases($area), &ledger()).await.unwrap();
                assert!(report.is_empty(), "{}:{report}", $area);
            }
        )+

        const AREAS: &[&str] = &[$($area),+];
    };
}

areas! {
    intentions_are_created_as_with_consul "intentions-create"
    intentions_are_read_and_changed_as_with_consul "intentions"
    authorize_answers_as_consul_does "authorize"
    certificates_are_had_as_with_consul "certificates"
    health_is_told_as_by_consul "health"
    paths_methods_and_parameters_are_taken_as_by_consul "common"
    services_and_checks_of_the_agent_are_as_with_consul "agent"
    the_catalog_is_kept_as_by_consul "catalog"
}

#[test]
fn there_are_enough_of_them() {
    let count = |bad| -> usize { AREAS.iter().map(|area| cases(area).compared(bad)).sum() };
    let (all, bad) = (count(false), count(true));
    println!("{all} requests, {bad} of them bad input");
    assert!(all >= 800, "{all} requests");
    assert!(bad >= 450, "{bad} requests are bad input");
}

#[test]
fn the_ledger_is_about_areas_that_exist() {
    for section in ledger().sections() {
        assert!(AREAS.contains(&section), "{section}");
    }
}

#[test]
fn the_readme_shows_the_ledger() {
    let page = Page::read("README.md").unwrap();
    let table = ledger().table();
    assert!(page.text().contains(&table), "the README lacks:\n{table}");
}

fn cases(area: &str) -> Cases {
    Cases::parse(&data(&format!("{area}.txt")))
}

fn ledger() -> Ledger {
    Ledger::parse(&data("ledger.txt"))
}

fn data(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/differential");
    std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
}
