//! Checks over time: every edge, and one nanosecond past it.

use super::*;

const NANOSECOND: f64 = 1e-9;

#[test]
fn a_ttl_check_is_critical_from_the_moment_its_time_is_over() {
    let mut agent = agent();
    register(
        &mut agent,
        with_checks("web", vec![ttl_check("c", "10s")]),
        at(0.0),
    );
    agent
        .update_ttl("c", CheckStatus::Passing, "fine", at(1.0))
        .unwrap();
    drain(&mut agent, at(1.0));
    assert_eq!(agent.next_deadline(), Some(at(11.0).mono));
    drain(&mut agent, at(11.0 - NANOSECOND));
    assert_eq!(state(&agent, "c"), (CheckStatus::Passing, "fine".into()));
    let (said, _) = drain(&mut agent, at(11.0));
    assert_eq!(said, [key("c")]);
    let output = "TTL expired (last output before timeout follows): fine";
    assert_eq!(state(&agent, "c"), (CheckStatus::Critical, output.into()));
    assert_eq!(agent.next_deadline(), None);
}

#[test]
fn a_ttl_check_that_never_heard_a_word_says_only_that_it_expired() {
    let mut agent = agent();
    let passing = CheckDefinition {
        status: "passing".into(),
        ..ttl_check("c", "10s")
    };
    register(&mut agent, with_checks("web", vec![passing]), at(0.0));
    assert_eq!(state(&agent, "c"), (CheckStatus::Passing, String::new()));
    drain(&mut agent, at(10.0));
    assert_eq!(
        state(&agent, "c"),
        (CheckStatus::Critical, "TTL expired".into())
    );
}

#[test]
fn words_about_other_checks_are_refused_with_the_text_of_consul() {
    let mut agent = agent();
    register(
        &mut agent,
        with_checks("web", vec![tcp_check("tcp", "10s")]),
        at(0.0),
    );
    for id in ["nope", "tcp"] {
        let refused = agent
            .update_ttl(id, CheckStatus::Passing, "", at(0.0))
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("CheckID {id:?} does not have associated TTL")
        );
    }
    assert_eq!(
        LocalError::parse_status("great").unwrap_err().to_string(),
        "Invalid check status: 'great'"
    );
    assert_eq!(
        LocalError::parse_status("warning"),
        Ok(CheckStatus::Warning)
    );
}

#[test]
fn a_check_that_is_registered_again_keeps_its_state_and_a_new_time() {
    let mut agent = agent();
    let said = || with_checks("web", vec![ttl_check("c", "10s")]);
    register(&mut agent, said(), at(0.0));
    agent
        .update_ttl("c", CheckStatus::Warning, "hm", at(1.0))
        .unwrap();
    register(&mut agent, said(), at(5.0));
    assert_eq!(state(&agent, "c"), (CheckStatus::Warning, "hm".into()));
    drain(&mut agent, at(15.0 - NANOSECOND));
    assert_eq!(state(&agent, "c").0, CheckStatus::Warning);
    drain(&mut agent, at(15.0));
    assert_eq!(state(&agent, "c").0, CheckStatus::Critical);
}

#[test]
fn old_checks_go_only_if_that_was_said() {
    let mut agent = agent();
    register(
        &mut agent,
        with_checks("web", vec![ttl_check("old", "10s")]),
        at(0.0),
    );
    let said = with_checks("web", vec![ttl_check("new", "10s")]);
    register(&mut agent, said.clone(), at(0.0));
    assert!(agent.check("old").is_some());
    let checked = said.check("n1", agent.settings()).unwrap();
    agent.register(checked, true, at(0.0)).unwrap();
    assert!(agent.check("old").is_none());
    assert!(agent.check("new").is_some());
}

#[test]
fn a_new_state_is_said_at_once_and_a_new_output_after_five_minutes() {
    let mut agent = agent();
    register(
        &mut agent,
        with_checks("web", vec![ttl_check("c", "1h")]),
        at(0.0),
    );
    drain(&mut agent, at(0.0));
    let mut word = |status, output, seconds| {
        agent.update_ttl("c", status, output, at(seconds)).unwrap();
        drain(&mut agent, at(seconds)).0
    };
    assert_eq!(word(CheckStatus::Passing, "a", 10.0), [key("c")]);
    assert_eq!(word(CheckStatus::Passing, "a", 20.0), []);
    assert_eq!(word(CheckStatus::Passing, "b", 30.0), []);
    assert_eq!(word(CheckStatus::Passing, "c", 40.0), []);
    assert_eq!(drain(&mut agent, at(310.0 - NANOSECOND)).0, []);
    assert_eq!(drain(&mut agent, at(310.0)).0, [key("c")]);
    agent
        .update_ttl("c", CheckStatus::Passing, "d", at(610.0 - NANOSECOND))
        .unwrap();
    assert_eq!(drain(&mut agent, at(610.0 - NANOSECOND)).0, []);
    agent
        .update_ttl("c", CheckStatus::Critical, "e", at(610.0 - NANOSECOND))
        .unwrap();
    assert_eq!(drain(&mut agent, at(610.0 - NANOSECOND)).0, [key("c")]);
    assert_eq!(drain(&mut agent, at(610.0)).0, []);
    agent
        .update_ttl("c", CheckStatus::Critical, "f", at(950.0))
        .unwrap();
    assert_eq!(drain(&mut agent, at(950.0)).0, [key("c")]);
}

#[test]
fn a_probe_runs_within_its_interval_and_again_after_its_result() {
    let mut agent = agent();
    register(
        &mut agent,
        with_checks("web", vec![tcp_check("c", "10s")]),
        at(0.0),
    );
    drain(&mut agent, at(0.0));
    let first = agent.next_deadline().unwrap();
    assert!(first < at(10.0).mono);
    let (_, probes) = drain(&mut agent, at(10.0));
    let probe = probes.first().unwrap();
    agent.probed(probe, &CheckResult::connected("127.0.0.1:1"), at(11.0));
    let output = "TCP connect 127.0.0.1:1: Success";
    assert_eq!(state(&agent, "c"), (CheckStatus::Passing, output.into()));
    assert_eq!(drain(&mut agent, at(21.0 - NANOSECOND)).1.len(), 0);
    assert_eq!(drain(&mut agent, at(21.0)).1.len(), 1);
}

#[test]
fn a_probe_whose_result_is_lost_runs_again() {
    let mut agent = agent();
    register(
        &mut agent,
        with_checks("web", vec![tcp_check("c", "10s")]),
        at(0.0),
    );
    assert_eq!(drain(&mut agent, at(10.0)).1.len(), 1);
    assert_eq!(drain(&mut agent, at(30.0 - NANOSECOND)).1.len(), 0);
    assert_eq!(drain(&mut agent, at(30.0)).1.len(), 1);
}

#[test]
fn first_probes_are_spread_over_the_interval() {
    let mut agent = agent();
    for n in 0..100 {
        let said = with_checks(&format!("s{n}"), vec![tcp_check("", "10s")]);
        register(&mut agent, said, at(0.0));
    }
    let in_first_half = drain(&mut agent, at(5.0)).1.len();
    assert!((30..=70).contains(&in_first_half), "{in_first_half}");
    assert_eq!(drain(&mut agent, at(10.0)).1.len(), 100 - in_first_half);
}

#[test]
fn registering_the_same_probe_again_does_not_keep_it_from_running() {
    let mut agent = agent();
    for second in 0..=10 {
        let said = with_checks("web", vec![tcp_check("c", "10s")]);
        register(&mut agent, said, at(f64::from(second)));
    }
    assert_eq!(drain(&mut agent, at(10.0)).1.len(), 1);
}

#[test]
fn a_result_for_an_older_definition_is_ignored() {
    let mut agent = agent();
    register(
        &mut agent,
        with_checks("web", vec![tcp_check("c", "10s")]),
        at(0.0),
    );
    let (_, probes) = drain(&mut agent, at(10.0));
    register(
        &mut agent,
        with_checks("web", vec![tcp_check("c", "20s")]),
        at(11.0),
    );
    agent.probed(&probes[0], &CheckResult::connected("x"), at(12.0));
    assert_eq!(state(&agent, "c").0, CheckStatus::Critical);
    agent.deregister_service("web", at(13.0)).unwrap();
    agent.probed(&probes[0], &CheckResult::connected("x"), at(14.0));
    assert_eq!(agent.checks().count(), 0);
}

#[test]
fn a_state_changes_only_after_enough_results_in_a_row() {
    let mut agent = agent();
    let check = CheckDefinition {
        success_before_passing: 2,
        failures_before_critical: 3,
        ..tcp_check("c", "1s")
    };
    register(&mut agent, with_checks("web", vec![check]), at(0.0));
    let (_, probes) = drain(&mut agent, at(1.0));
    let mut states = String::new();
    for result in "+-++--+---".chars() {
        let result = match result {
            '+' => CheckResult::connected("x"),
            _ => CheckResult::failed("connection refused"),
        };
        agent.probed(&probes[0], &result, at(2.0));
        states.push(match state(&agent, "c").0 {
            CheckStatus::Passing => '+',
            _ => '-',
        });
    }
    assert_eq!(states, "---++++++-");
}

#[test]
fn a_web_server_that_is_asked_too_often_is_a_warning() {
    let check = CheckDefinition {
        http: "http://127.0.0.1:1/health".into(),
        interval: go("1ms"),
        ..CheckDefinition::default()
    };
    let mut agent = agent();
    register(&mut agent, with_checks("web", vec![check]), at(0.0));
    let (_, probes) = drain(&mut agent, at(1.0));
    let probe = &probes[0];
    assert_eq!(probe.interval, Duration::from_secs(1));
    assert_eq!(probe.timeout, Duration::from_secs(10));
    let ProbeTarget::Http(target) = &probe.target else {
        panic!("an HTTP target expected");
    };
    for (code, status) in [
        (200, CheckStatus::Passing),
        (299, CheckStatus::Passing),
        (300, CheckStatus::Critical),
        (429, CheckStatus::Warning),
        (500, CheckStatus::Critical),
    ] {
        let result = CheckResult::answered(target, code, "Word", "body");
        assert_eq!(result.status, status);
        assert_eq!(
            result.output,
            format!("HTTP GET http://127.0.0.1:1/health: {code} Word Output: body")
        );
    }
}

#[test]
fn output_is_kept_up_to_its_limit() {
    let mut agent = agent();
    let short = CheckDefinition {
        output_max_size: 5,
        ..ttl_check("short", "1h")
    };
    register(
        &mut agent,
        with_checks("web", vec![ttl_check("c", "1h"), short]),
        at(0.0),
    );
    let mut output = |id: &str, said: &str| {
        agent
            .update_ttl(id, CheckStatus::Passing, said, at(0.0))
            .unwrap();
        state(&agent, id).1
    };
    assert_eq!(output("c", &"x".repeat(4096)).len(), 4096);
    let cut = output("c", &"x".repeat(4097));
    assert!(cut.ends_with("x ... (captured 4096 of 4097 bytes)"));
    assert_eq!(output("short", "12345"), "12345");
    assert_eq!(output("short", "1234é"), "1234 ... (captured 4 of 6 bytes)");
}

#[test]
fn an_alias_takes_the_worst_state_of_what_it_follows() {
    let mut agent = agent();
    let alias = CheckDefinition {
        check_id: "alias".into(),
        alias_service: "web".into(),
        ..CheckDefinition::default()
    };
    register(&mut agent, with_checks("follower", vec![alias]), at(0.0));
    let missing = "Service web could not be found on node n1";
    assert_eq!(
        state(&agent, "alias"),
        (CheckStatus::Critical, missing.into())
    );
    register(&mut agent, service("web"), at(1.0));
    assert_eq!(
        state(&agent, "alias"),
        (CheckStatus::Passing, "No checks found.".into())
    );
    let checks = vec![ttl_check("one", "1h"), ttl_check("two", "1h")];
    register(&mut agent, with_checks("web", checks), at(2.0));
    drain(&mut agent, at(2.0));
    for (id, status, worst, output) in [
        (
            "one",
            CheckStatus::Passing,
            CheckStatus::Critical,
            "Aliased check \"Service 'web' check\" failing: ",
        ),
        (
            "two",
            CheckStatus::Warning,
            CheckStatus::Warning,
            "Aliased check \"Service 'web' check\" failing: why",
        ),
        (
            "two",
            CheckStatus::Passing,
            CheckStatus::Passing,
            "All checks passing.",
        ),
        (
            "one",
            CheckStatus::Critical,
            CheckStatus::Critical,
            "Aliased check \"Service 'web' check\" failing: why",
        ),
    ] {
        agent.update_ttl(id, status, "why", at(3.0)).unwrap();
        assert_eq!(state(&agent, "alias"), (worst, output.into()));
    }
    agent.deregister_service("web", at(4.0)).unwrap();
    assert_eq!(
        state(&agent, "alias"),
        (CheckStatus::Critical, missing.into())
    );
}

#[test]
fn aliases_in_a_circle_follow_the_checks_that_are_none_and_recover() {
    let mut agent = agent();
    let alias = |of: &str| CheckDefinition {
        check_id: format!("to-{of}"),
        alias_service: of.into(),
        ..CheckDefinition::default()
    };
    register(
        &mut agent,
        with_checks("a", vec![alias("b"), alias("a")]),
        at(0.0),
    );
    register(&mut agent, with_checks("b", vec![alias("c")]), at(0.0));
    let real = ttl_check("real", "1h");
    let mut to_a = alias("a");
    to_a.check_id = "back".into();
    register(&mut agent, with_checks("c", vec![to_a, real]), at(0.0));
    for status in [
        CheckStatus::Passing,
        CheckStatus::Critical,
        CheckStatus::Passing,
    ] {
        agent.update_ttl("real", status, "", at(1.0)).unwrap();
        for id in ["to-b", "to-a", "to-c", "back"] {
            assert_eq!(state(&agent, id).0, status, "{id}");
        }
    }
}

#[test]
fn a_service_in_trouble_for_too_long_is_removed() {
    let mut agent = agent();
    let check = CheckDefinition {
        deregister_critical_service_after: go("2m"),
        ..ttl_check("c", "1h")
    };
    let said = Registration {
        sidecar: Some(Box::default()),
        ..with_checks("web", vec![check])
    };
    register(&mut agent, said, at(0.0));
    agent
        .update_ttl("c", CheckStatus::Passing, "", at(100.0))
        .unwrap();
    drain(&mut agent, at(121.0));
    assert!(agent.service("web").is_some());
    agent
        .update_ttl("c", CheckStatus::Critical, "", at(130.0))
        .unwrap();
    drain(&mut agent, at(250.0 - NANOSECOND));
    assert!(agent.service("web").is_some());
    let (said, _) = drain(&mut agent, at(250.0));
    assert!(said.contains(&SyncKey::Service("web".into())));
    assert_eq!(agent.services().count(), 0);
}

#[test]
fn health_counts_the_checks_of_the_node_too() {
    let mut agent = agent();
    let said = with_checks("web", vec![ttl_check("c", "1h")]);
    register(&mut agent, said, at(0.0));
    agent
        .update_ttl("c", CheckStatus::Passing, "", at(0.0))
        .unwrap();
    assert_eq!(
        agent.health_by_id("web").unwrap().status,
        CheckStatus::Passing
    );
    let mem = CheckRegistration {
        definition: CheckDefinition {
            name: "mem".into(),
            status: "warning".into(),
            ..ttl_check("", "1h")
        },
        ..CheckRegistration::default()
    };
    let checked = mem.check("n1", agent.settings()).unwrap();
    agent.register_check(checked, at(0.0)).unwrap();
    let health = agent.health_by_name("web");
    assert_eq!(health.len(), 1);
    assert_eq!(health[0].status, CheckStatus::Warning);
    let ids = health[0].checks.iter().map(|check| check.check_id.as_str());
    assert_eq!(ids.collect::<Vec<_>>(), ["c", "mem"]);
    assert!(agent.health_by_id("none").is_none());
    assert!(agent.health_by_name("none").is_empty());
}

#[test]
fn maintenance_makes_an_instance_critical_until_it_is_switched_off() {
    let mut agent = agent();
    register(&mut agent, service("web"), at(0.0));
    agent.begin_maintenance("web", "new disk", at(1.0)).unwrap();
    agent.begin_maintenance("web", "other", at(2.0)).unwrap();
    let check = agent.check("_service_maintenance:web").unwrap();
    assert_eq!(
        (
            check.status,
            check.notes.as_str(),
            check.service_name.as_str()
        ),
        (CheckStatus::Critical, "new disk", "web")
    );
    let health = agent.health_by_id("web").unwrap();
    assert!(health.is_in_maintenance());
    agent.end_maintenance("web", at(3.0)).unwrap();
    agent.end_maintenance("web", at(3.0)).unwrap();
    assert_eq!(agent.checks().count(), 0);
    assert!(!agent.health_by_id("web").unwrap().is_in_maintenance());
}

#[test]
fn maintenance_of_the_node_counts_for_all_and_an_unknown_instance_has_none() {
    let mut agent = agent();
    register(&mut agent, service("web"), at(0.0));
    agent.begin_maintenance("", "", at(1.0)).unwrap();
    assert!(agent.health_by_id("web").unwrap().is_in_maintenance());
    assert!(
        agent
            .check("_node_maintenance")
            .unwrap()
            .notes
            .contains("no reason was provided")
    );
    assert_eq!(
        agent
            .begin_maintenance("nope", "", at(1.0))
            .unwrap_err()
            .to_string(),
        "No service registered with ID \"nope\""
    );
}
