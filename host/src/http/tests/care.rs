//! What is said to whoever looks after the agent.

use super::harness::serve_with;

#[tokio::test]
async fn an_agent_without_a_ca_says_so_to_the_doctor_and_to_prometheus() {
    let served = serve_with(|_| {}).await;
    let reply = served.get("/v1/chancery/doctor").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let report: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(report["findings"][0]["state"], "broken");
    assert_eq!(report["findings"][0]["subject"], "certificate authority");
    assert_eq!(report["first_failed_handshake"], report["now"]);

    let reply = served.get("/v1/agent/metrics?format=prometheus").await;
    assert!(
        reply.head.contains("text/plain; version=0.0.4"),
        "{reply:?}"
    );
    let line = "chancery_seconds_to_first_failed_handshake 0\n";
    assert!(reply.body.contains(line), "{reply:?}");
    let reply = served.get("/v1/agent/metrics").await;
    let body: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let names = body.as_object().unwrap().keys().collect::<Vec<_>>();
    assert_eq!(
        names,
        ["Counters", "Gauges", "Points", "Samples", "Timestamp"]
    );
}
