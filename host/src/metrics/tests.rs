use chancery_core::{Authority, Timestamp};

use super::*;

const NOW: Timestamp = Timestamp::from_unix(1_795_500_000);

#[test]
fn what_is_not_known_is_nan_for_prometheus_and_absent_for_consul() {
    let metrics = Metrics::default();
    metrics.effect_failed("cross-sign");
    metrics.look(&Authority::default(), &[], None, NOW);
    let text = metrics.prometheus().unwrap();
    assert!(text.contains("chancery_seconds_to_first_failed_handshake NaN\n"));
    assert!(text.contains("chancery_authority_effect_failures_total{effect=\"cross-sign\"} 1\n"));
    let body = metrics.consul(NOW, Duration::from_secs(10));
    let body = serde_json::to_value(&body).unwrap();
    assert_eq!(body["Timestamp"], "2026-11-24 06:00:00 +0000 UTC");
    let names: Vec<_> = body["Gauges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gauge| gauge["Name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"chancery.leafs"));
    assert!(!names.contains(&"chancery.seconds_to_first_failed_handshake"));
    assert_eq!(
        body["Counters"][0]["Name"],
        "chancery.authority_effect_failures_total"
    );
    assert_eq!(body["Counters"][0]["Count"], 1);
    assert_eq!(body["Counters"][0]["Rate"], 0.1);
    assert_eq!(body["Points"], serde_json::json!([]));
}

#[test]
fn a_known_end_is_said_in_seconds_and_a_past_one_is_zero() {
    let metrics = Metrics::default();
    let end = NOW.saturating_add(Duration::from_secs(90));
    metrics.look(&Authority::default(), &[], Some(end), NOW);
    let text = metrics.prometheus().unwrap();
    assert!(text.contains("chancery_seconds_to_first_failed_handshake 90\n"));
    let later = end.saturating_add(Duration::from_secs(1));
    metrics.look(&Authority::default(), &[], Some(end), later);
    let text = metrics.prometheus().unwrap();
    assert!(text.contains("chancery_seconds_to_first_failed_handshake 0\n"));
}

#[tokio::test]
async fn tasks_are_counted_while_they_last() {
    let tasks = |metrics: &Metrics| {
        metrics.look(&Authority::default(), &[], None, NOW);
        let text = metrics.prometheus().unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("chancery_tasks "));
        line.unwrap().to_owned()
    };
    let metrics = Metrics::default();
    assert_eq!(tasks(&metrics), "chancery_tasks 0");
    let task = tokio::spawn(std::future::pending::<()>());
    assert_eq!(tasks(&metrics), "chancery_tasks 1");
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(tasks(&metrics), "chancery_tasks 0");
}
