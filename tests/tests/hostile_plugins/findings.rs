//! What plugins say of themselves when the doctor asks.

use std::time::Duration;

use chancery_providers::{CaProvider as _, Finding, PluginFile, Stops};
use chancery_tests::leaf_request;
use serde_json::json;

use crate::stage::{LONG, Stage};

async fn stage(guest: &str) -> Stage {
    let file = PluginFile::load(&Stage::guest(guest).await, None, None).await;
    Stage::set(file.unwrap(), &json!({}), LONG).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_a_few_are_shown_and_nothing_of_them_harms_a_terminal() {
    let findings = stage("tells_too_much").await.guard.findings().await;
    let (last, shown) = findings.split_last().unwrap();
    assert_eq!(shown.len(), 16);
    assert!(last.what.starts_with("it has 84 more to say"), "{last:?}");
    for Finding {
        subject,
        what,
        advice,
        left,
        stops,
        ..
    } in shown
    {
        assert_eq!(subject, "plugin hostile: \\u{1b}[2Jroot CA");
        assert!(what.starts_with("all is well\\u{d}\\u{a}forged"), "{what}");
        assert!(what.ends_with("… (1900 bytes)"), "{what}");
        assert_eq!(advice, "\\u{202e}nothing");
        assert!(left.is_some_and(|left| left <= Duration::from_secs(36_525 * 86_400)));
        assert_eq!(*stops, Stops::Nothing);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_traps_over_it_is_told_about_and_goes_on_signing() {
    let stage = stage("traps_when_asked_how_it_is").await;
    for _ in 0..2 {
        let findings = stage.guard.findings().await;
        let [finding] = &*findings else {
            panic!("{findings:?}");
        };
        assert_eq!(finding.subject, "plugin hostile");
        assert!(
            finding.what.starts_with("it does not say how it is: ")
                && finding.what.contains("crashed"),
            "{finding:?}"
        );
        assert_eq!(finding.stops, Stops::Nothing);
        stage.guard.issue_leaf(&leaf_request("web")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_has_nothing_to_say_says_nothing() {
    assert_eq!(stage("honest").await.guard.findings().await, []);
}
