//! Commands: Consul's order of checks, its texts, and what a write keeps or renews.

use super::*;

fn refused(set: &IntentionSet, command: &IntentionCommand) -> String {
    set.propose(command, &|_| true, 9, at(9))
        .unwrap_err()
        .to_string()
}

fn creating(draft: IntentionDraft) -> IntentionCommand {
    IntentionCommand::Create { id: id(77), draft }
}

fn web_db() -> IntentionSet {
    let mut set = empty();
    create(&mut set, 0, "web", "db", "allow");
    create(&mut set, 1, "api", "db", "deny");
    set
}

#[test]
fn a_draft_is_refused_with_every_mistake_in_consuls_words() {
    let long = |length| "d".repeat(length);
    let partial = "wildcard character '*' cannot be used with partial values";
    for (draft, sentences) in [
        (
            IntentionDraft::default(),
            vec![
                "SourceName must be set".to_owned(),
                "DestinationName must be set".into(),
                "Action must be set to 'allow' or 'deny'".into(),
            ],
        ),
        (
            draft("we*", "**", "allow"),
            vec![
                format!("SourceName: {partial}"),
                format!("DestinationName: {partial}"),
            ],
        ),
        (
            draft("d*/web", "db", "allow"),
            vec![format!("SourceNS: {partial}")],
        ),
        (
            draft("*/web", "*/db", "ALLOW"),
            vec![
                "SourceName: exact value cannot follow wildcard namespace".into(),
                "DestinationName: exact value cannot follow wildcard namespace".into(),
                "Action must be set to 'allow' or 'deny'".into(),
            ],
        ),
        (
            draft("teamA/web", "db", "allow"),
            vec!["SourceNS: namespace \"teamA\" is not supported, must be 'default' or '*'".into()],
        ),
        (
            draft(&long(2049), "db", "allow"),
            vec!["SourceName exceeds maximum length 2048".into()],
        ),
        (
            IntentionDraft {
                description: long(513),
                source_type: "Consul".into(),
                meta: [("k".repeat(129), long(513))].into(),
                ..draft("web", "db", "allow")
            },
            vec![
                "Description exceeds maximum length 512".into(),
                format!(
                    "Meta key \"{}\" exceeds maximum length 128",
                    "k".repeat(129)
                ),
                format!(
                    "Meta value for key \"{}\" exceeds maximum length 512",
                    "k".repeat(129)
                ),
                "SourceType must be set to 'consul'".into(),
            ],
        ),
        (
            IntentionDraft {
                meta: (0..65).map(|it| (it.to_string(), String::new())).collect(),
                ..draft("web", "db", "allow")
            },
            vec!["Meta exceeds maximum element count 64".into()],
        ),
    ] {
        let headline = match sentences.len() {
            1 => "1 error occurred:".to_owned(),
            count => format!("{count} errors occurred:"),
        };
        let list: String = sentences.iter().map(|it| format!("\n\t* {it}")).collect();
        assert_eq!(
            refused(&empty(), &creating(draft)),
            format!("{headline}{list}\n\n")
        );
    }
}

#[test]
fn a_draft_at_every_limit_is_accepted() {
    let draft = IntentionDraft {
        description: "d".repeat(512),
        source_type: "consul".into(),
        meta: (0..64)
            .map(|it| (format!("{it:0128}"), "v".repeat(512)))
            .collect(),
        default_port: -1,
        ..draft(&"n".repeat(2048), "default/a b\n\u{e9}", "deny")
    };
    let mut set = empty();
    write(&mut set, &creating(draft.clone()), 5).unwrap();
    let row = set.by_id(id(77)).unwrap();
    assert_eq!(
        (row.description(), row.meta(), row.default_port()),
        (&*draft.description, &draft.meta, -1)
    );
}

#[test]
fn a_pair_cannot_have_two_rules_in_any_case() {
    let set = web_db();
    let text = "duplicate intention found: ALLOW default/web => default/db \
                (ID: 00000000-0000-0000-0000-000000000000, Precedence: 9)";
    for (source, destination) in [("web", "db"), ("WEB", "db"), ("Web", "Default/DB")] {
        assert_eq!(
            refused(&set, &creating(draft(source, destination, "deny"))),
            text
        );
    }
    let moving = IntentionCommand::Update {
        id: id(1).to_string(),
        draft: draft("web", "db", "deny"),
    };
    assert_eq!(refused(&set, &moving), text);
}

#[test]
fn identifiers_are_checked_in_consuls_words() {
    let set = web_db();
    let update = |id: &str| IntentionCommand::Update {
        id: id.into(),
        draft: draft("x", "y", "allow"),
    };
    let delete = |id: &str| IntentionCommand::Delete { id: id.into() };
    let unknown = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";
    let lookup = "Intention lookup failed: failed intention lookup: index error:";
    assert_eq!(
        refused(&set, &update(unknown)),
        format!("Cannot modify non-existent intention: '{unknown}'")
    );
    assert_eq!(
        refused(&set, &delete(unknown)),
        format!("Cannot delete non-existent intention: '{unknown}'")
    );
    for command in [update("nonsense"), delete("nonsense")] {
        assert_eq!(
            refused(&set, &command),
            format!("{lookup} UUID must be 36 characters")
        );
    }
    assert_eq!(
        refused(&set, &update(&"z".repeat(36))),
        format!("{lookup} Invalid UUID: encoding/hex: invalid byte: U+007A 'z'")
    );
    let given = IntentionDraft {
        id: "x".into(),
        ..IntentionDraft::default()
    };
    assert_eq!(
        refused(&set, &creating(given)),
        "ID must be empty when creating a new intention"
    );
    let taken = IntentionCommand::Create {
        id: id(1),
        draft: draft("x", "y", "allow"),
    };
    assert_eq!(
        refused(&set, &taken),
        format!("intention id {} is taken", id(1))
    );
}

#[test]
fn an_update_keeps_creation_and_renews_the_rest() {
    let mut set = web_db();
    let before = set.clone();
    let command = IntentionCommand::Update {
        // The dash places and case of the identifier do not matter.
        id: format!("----{:032X}", 1),
        draft: IntentionDraft {
            description: "now".into(),
            ..draft("API", "cache", "allow")
        },
    };
    let touched = write(&mut set, &command, 20).unwrap();
    let names: Vec<_> = touched
        .iter()
        .map(|it| (it.source_name(), it.destination_name()))
        .collect();
    assert_eq!(names, [("api", "db"), ("api", "cache")]);
    let row = set.by_id(id(1)).unwrap();
    assert_eq!(
        row.to_string(),
        format!(
            "ALLOW default/API => default/cache (ID: {}, Precedence: 9)",
            id(1)
        )
    );
    assert_eq!((row.create_index(), row.modify_index()), (3, 20));
    assert_eq!(
        (row.created_at(), row.updated_at()),
        (Timestamp::from_unix(3), Timestamp::from_unix(20))
    );
    assert_eq!(
        texts(&set.sorted()),
        ["allow API => cache", "allow web => db"]
    );
    assert_eq!(
        texts(&before.sorted()),
        ["deny api => db", "allow web => db"]
    );

    // Only the case of the name changes: same pair, one change.
    let command = IntentionCommand::Update {
        id: id(1).to_string(),
        draft: draft("api", "cache", "allow"),
    };
    assert_eq!(write(&mut set, &command, 21).unwrap().len(), 1);
    assert!(set.decide("api", "cache", DefaultPolicy::Deny).allowed());
    assert!(!set.decide("API", "cache", DefaultPolicy::Deny).allowed());
}

#[test]
fn rights_are_asked_about_the_new_and_the_old_destination() {
    let set = web_db();
    let update = |id: &str| IntentionCommand::Update {
        id: id.into(),
        draft: draft("api", "cache", "allow"),
    };
    let may = |allowed: &'static str, command: &IntentionCommand| {
        set.propose(command, &|it| it == allowed, 9, at(9))
            .map_err(|it| it.to_string())
    };
    let denied = Err("Permission denied".to_owned());
    let unknown = id(9).to_string();
    assert_eq!(may("db", &update(&unknown)), denied);
    assert_eq!(
        may("cache", &update(&unknown)),
        Err(format!("Cannot modify non-existent intention: '{unknown}'"))
    );
    assert_eq!(may("cache", &update(&id(1).to_string())), denied);
    assert_eq!(
        may(
            "cache",
            &IntentionCommand::Delete {
                id: id(1).to_string()
            }
        ),
        denied
    );
    assert!(
        may(
            "db",
            &IntentionCommand::Delete {
                id: id(1).to_string()
            }
        )
        .is_ok()
    );
    assert_eq!(may("db", &creating(IntentionDraft::default())), denied);
}

#[test]
fn exact_names_make_replace_and_remove() {
    let mut set = web_db();
    let upsert = |source: &str, meta: &[(&str, &str)]| IntentionCommand::UpsertExact {
        source: source.into(),
        destination: "db".into(),
        draft: IntentionDraft {
            id: "ignored".into(),
            meta: meta
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect(),
            ..draft("other/ignored", "ignored", "deny")
        },
    };
    write(&mut set, &upsert("web", &[]), 30).unwrap();
    write(&mut set, &upsert("*", &[]), 31).unwrap();
    let row = set.by_id(id(0)).unwrap();
    assert_eq!(
        (row.action(), row.create_index(), row.modify_index()),
        (Action::Deny, 2, 30)
    );
    let row = set
        .exact(QualifiedName::plain("*"), QualifiedName::plain("db"))
        .unwrap();
    assert_eq!(
        (row.id(), row.to_string()),
        (None, "DENY default/* => default/db (Precedence: 8)".into())
    );

    assert_eq!(
        refused(&set, &upsert("new", &[("k", "v")])),
        "Meta must not be specified"
    );
    let with_meta = IntentionCommand::Update {
        id: id(0).to_string(),
        draft: IntentionDraft {
            meta: [("k".into(), "v".into())].into(),
            ..draft("web", "db", "deny")
        },
    };
    write(&mut set, &with_meta, 32).unwrap();
    assert_eq!(
        refused(&set, &upsert("web", &[("k", "w")])),
        "Meta must not be specified, or should be unchanged during an update."
    );
    write(&mut set, &upsert("web", &[("k", "v")]), 33).unwrap();
    write(&mut set, &upsert("web", &[]), 34).unwrap();
    assert_eq!(
        set.by_id(id(0))
            .unwrap()
            .meta()
            .get("k")
            .map(String::as_str),
        Some("v")
    );

    let remove = IntentionCommand::DeleteExact {
        source: "WEB".into(),
        destination: "db".into(),
    };
    assert_eq!(write(&mut set, &remove, 35).unwrap().len(), 1);
    assert_eq!(write(&mut set, &remove, 36), Ok(vec![]));
    assert_eq!(set.by_id(id(0)), None);
}

#[test]
fn the_hash_is_consuls() {
    // From a Consul 1.8.7 server.
    let mut set = empty();
    let command = IntentionCommand::Create {
        id: IntentionId::parse("3a2593f9-1d34-4a9c-79c8-58006b75674b").unwrap(),
        draft: draft("web", "db", "allow"),
    };
    write(&mut set, &command, 21).unwrap();
    let hash = set.sorted()[0].hash();
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash);
    assert_eq!(text, "eI6tVAuSGCIkcrh/nifCvF8WDKa/85fBWtUpeqlKhcA=");
}

#[test]
fn a_row_reads_back_as_it_was_written() {
    let mut set = empty();
    let command = creating(IntentionDraft {
        description: "why".into(),
        meta: [("k".into(), "v".into())].into(),
        default_addr: "10.0.0.1".into(),
        default_port: 8080,
        ..draft("*/*", "db", "deny")
    });
    write(&mut set, &command, 4).unwrap();
    let row = set.sorted()[0].clone();
    let text = serde_json::to_string(&row).unwrap();
    assert_eq!(
        text,
        "{\"id\":\"00000000-0000-0000-0000-00000000004d\",\"description\":\"why\",\
         \"source_ns\":\"*\",\"source_name\":\"*\",\"destination_ns\":\"default\",\
         \"destination_name\":\"db\",\"action\":\"deny\",\"default_addr\":\"10.0.0.1\",\
         \"default_port\":8080,\"meta\":{\"k\":\"v\"},\"created_at\":\"1970-01-01T00:00:04Z\",\
         \"updated_at\":\"1970-01-01T00:00:04Z\",\"create_index\":4,\"modify_index\":4}"
    );
    assert_eq!(serde_json::from_str::<Intention>(&text).unwrap(), row);
    let key = serde_json::to_string(&row.key()).unwrap();
    assert_eq!(serde_json::from_str::<PairKey>(&key).unwrap(), row.key());
}

#[test]
fn a_decision_gives_consuls_reason() {
    let set = web_db();
    let reason = |source, default| set.decide(source, "db", default).reason().to_string();
    assert_eq!(
        reason("api", DefaultPolicy::Allow),
        format!(
            "Matched intention: DENY default/api => default/db (ID: {}, Precedence: 9)",
            id(1)
        )
    );
    assert_eq!(
        reason("x", DefaultPolicy::AclsDisabled),
        "ACLs disabled, access is allowed by default"
    );
    assert_eq!(
        reason("x", DefaultPolicy::Deny),
        "Default behavior configured by ACLs"
    );
}

#[test]
fn an_explanation_reads_well() {
    let mut set = web_db();
    create(&mut set, 2, "*", "db", "deny");
    let explain = |source, destination| {
        let decision = set.decide(source, destination, DefaultPolicy::AclsDisabled);
        decision.explain().to_string()
    };
    assert_eq!(
        explain("web", "db"),
        "web -> db: allowed\n  \
         decided by  allow web => db (precedence 9, 00000000-0000-0000-0000-000000000000)\n  \
         overrules   deny * => db (precedence 8, 00000000-0000-0000-0000-000000000002)\n  \
         to turn it  delete allow web => db (precedence 9, 00000000-0000-0000-0000-000000000000)"
    );
    assert_eq!(
        explain("mon\x1bitor", "cache"),
        "\"mon\\u{1b}itor\" -> cache: allowed\n  \
         decided by  the default, no intention fits (allow, ACLs are disabled)\n  \
         to turn it  add deny \"mon\\u{1b}itor\" => cache"
    );
    // `WEB` has no rule and can get none beside `web`.
    assert_eq!(
        explain("WEB", "db"),
        "WEB -> db: denied\n  \
         decided by  deny * => db (precedence 8, 00000000-0000-0000-0000-000000000002)\n  \
         to turn it  delete deny * => db (precedence 8, 00000000-0000-0000-0000-000000000002)"
    );
}

#[test]
fn names_are_forgotten_with_their_last_rule() {
    let mut set = empty();
    for round in 0..500 {
        create(
            &mut set,
            round,
            &format!("Source-{round}"),
            &format!("destination-{round}"),
            "deny",
        );
        let key = set.by_id(id(round)).unwrap().key();
        assert!(set.delete(&key).is_some());
        assert!(
            set.decide(&format!("Source-{round}"), "x", DefaultPolicy::Allow)
                .winner()
                .is_none()
        );
    }
    assert!(set.is_empty());
    assert_eq!(set.name_count(), 0);
}
