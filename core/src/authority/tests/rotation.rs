//! The steps of a rotation: what each cause leads to, and what late answers do.

use super::*;

fn configured(leaf_hours: u64) -> CaConfiguration {
    let lifetimes = Lifetimes {
        leaf: Duration::from_secs(leaf_hours * 3600),
        ..Lifetimes::default()
    };
    CaConfiguration::new("consul", Map::new(), lifetimes)
}

#[test]
fn a_new_key_is_prepared_linked_tried_and_switched_to() {
    let mut stand = Stand::serving();
    stand.now = 100;
    stand.rotate(RotationCause::NewKey, false).unwrap();
    let [
        Effect::PrepareIssuer {
            epoch,
            memory: Some(memory),
            renew_root: true,
            renew_intermediate: true,
            signed: None,
            ..
        },
    ] = &stand.due()[..]
    else {
        panic!("{:?}", stand.due());
    };
    assert_eq!((*epoch, memory.epoch), (Epoch::FIRST.next(), Epoch::FIRST));
    stand.prepare("r2").unwrap();
    assert_eq!(stand.keys(), ["cross-sign"]);
    stand.link().unwrap();
    let [Effect::TryIssuer { anchors, links, .. }] = &stand.due()[..] else {
        panic!("{:?}", stand.due());
    };
    assert_eq!(*anchors, [Der::new(b"r2"), Der::new(b"r1")]);
    assert_eq!(links.len(), 1);
    assert_eq!(stand.active().id, "r1");
    stand.now = 200;
    stand.try_it().unwrap();
    assert!(stand.is_idle());
    assert_eq!(stand.active().id, "r2");
    assert_eq!(stand.links(), ["r2 x r1"]);
    assert_eq!(stand.active().links[0].needed_until, at(200 + B).wall);
    let old = stand.authority().root("r1").unwrap();
    assert_eq!(
        (old.active, old.rotated_out_at, old.bundles_until),
        (false, Some(at(200).wall), Some(at(200 + B).wall))
    );
    let view = stand.authority().signing_view().unwrap();
    assert_eq!(view.links, [Der::new(b"r2 x r1")]);
    assert_eq!(view.issuer_key_id, "key of r2");
    let retired = stand.authority().provider_state(Epoch::FIRST).unwrap();
    assert_eq!(retired.retired.as_ref().unwrap().at, at(200).wall);
}

#[test]
fn an_equal_configuration_changes_nothing() {
    let mut stand = Stand::serving();
    stand.rotate(RotationCause::Configured, false).unwrap();
    assert!(stand.is_idle());
    assert_eq!(
        stand.authority().record().unwrap().newest_epoch,
        Epoch::FIRST
    );
}

#[test]
fn options_that_leave_the_root_need_no_link() {
    let mut stand = Stand::serving();
    let before = stand.active().clone();
    let changed = configured(24);
    stand
        .change(changed, RotationCause::Configured, false)
        .unwrap();
    assert!(matches!(
        &stand.due()[..],
        [Effect::PrepareIssuer {
            renew_root: false,
            renew_intermediate: false,
            ..
        }]
    ));
    stand.prepare("r1").unwrap();
    assert_eq!(stand.keys(), ["try issuer"]);
    stand.try_it().unwrap();
    let after = stand.active();
    // Who reads roots sees no change.
    assert_eq!(
        (after.modify_index, after.added_at, after.epoch),
        (before.modify_index, before.added_at, Epoch::FIRST.next())
    );
    let leaf = stand.authority().signing_view().unwrap().leaf_life;
    assert_eq!(leaf, Duration::from_secs(24 * 3600));
}

#[test]
fn a_renewal_is_due_at_half_an_intermediates_life_and_keeps_the_root() {
    let mut stand = Stand::serving();
    stand
        .change(configured(24), RotationCause::Configured, false)
        .unwrap();
    stand
        .prepare_issuer(with_intermediate("r1", "i1", 100 * DAY))
        .unwrap();
    stand.try_it().unwrap();
    stand.now = 50 * DAY - 1;
    assert!(!stand.keys().contains(&"renew intermediate"));
    stand.now = 50 * DAY;
    assert!(stand.keys().contains(&"renew intermediate"));
    stand.rotate(RotationCause::Renewal, false).unwrap();
    assert!(!stand.keys().contains(&"renew intermediate"));
    assert_eq!(
        stand.rotate(RotationCause::NewKey, false),
        Err(AuthorityError::Busy { state: "RENEWING" })
    );
    stand
        .prepare_issuer(with_intermediate("r1", "i2", 150 * DAY))
        .unwrap();
    stand.try_it().unwrap();
    assert_eq!(stand.active().intermediates, [Der::new(b"i2")]);
    assert_eq!(stand.active().id, "r1");
}

#[test]
fn a_renewal_goes_on_although_the_intermediate_has_ended() {
    let mut stand = Stand::serving();
    stand
        .change(configured(24), RotationCause::Configured, false)
        .unwrap();
    stand
        .prepare_issuer(with_intermediate("r1", "i1", 10 * DAY))
        .unwrap();
    stand.try_it().unwrap();
    stand.now = 11 * DAY;
    let view = stand.authority().signing_view().unwrap();
    assert_eq!(view.leaf_validity(stand.wall()), None);
    assert!(stand.keys().contains(&"renew intermediate"));
    stand.rotate(RotationCause::Renewal, false).unwrap();
    stand
        .prepare_issuer(with_intermediate("r1", "i2", 21 * DAY))
        .unwrap();
    stand.try_it().unwrap();
    let view = stand.authority().signing_view().unwrap();
    assert!(view.leaf_validity(stand.wall()).is_some());
}

#[test]
fn a_renewal_that_brings_another_root_is_given_up_and_waits_an_hour() {
    let mut stand = Stand::serving();
    stand
        .change(configured(24), RotationCause::Configured, false)
        .unwrap();
    stand
        .prepare_issuer(with_intermediate("r1", "i1", 10 * DAY))
        .unwrap();
    stand.try_it().unwrap();
    let renewal = |stand: &Stand| stand.authority().renewal_at(stand.wall());
    assert_eq!(renewal(&stand), Some(at(5 * DAY).wall));
    stand.now = 6 * DAY;
    stand.rotate(RotationCause::Renewal, false).unwrap();
    stand
        .prepare_issuer(with_intermediate("r2", "i2", 20 * DAY))
        .unwrap();
    assert!(stand.is_idle());
    assert!(!stand.has_root("r2"));
    assert_eq!(renewal(&stand), Some(at(6 * DAY + HOUR).wall));
    stand.now += HOUR - 1;
    assert!(!stand.keys().contains(&"renew intermediate"));
    stand.now += 1;
    assert!(stand.keys().contains(&"renew intermediate"));
}

#[test]
fn an_emergency_tells_when_the_old_root_goes() {
    let mut stand = Stand::serving();
    let cause = RotationCause::Emergency {
        retire_after: Duration::from_secs(600),
    };
    stand.rotate(cause, false).unwrap();
    stand.prepare("r2").unwrap();
    stand.link().unwrap();
    stand.now = 50;
    stand.try_it().unwrap();
    let old = stand.authority().root("r1").unwrap();
    assert_eq!(old.retire_at, Some(at(650).wall));
    assert_eq!(stand.active().retire_at, None);
}

#[test]
fn a_second_change_is_refused_with_consuls_text() {
    let mut stand = Stand::serving();
    stand.rotate(RotationCause::NewKey, false).unwrap();
    let busy = stand.rotate(RotationCause::NewKey, false).unwrap_err();
    assert_eq!(busy.to_string(), "CA is already in state \"RECONFIGURING\"");
    let mut founding = State::new(HashSeed([1, 2]));
    submit(&mut founding, bootstrap(), at(0)).unwrap();
    let rotate = AuthorityCommand::Rotate {
        configuration: configured(24),
        cause: RotationCause::Configured,
        force: false,
        operation: operation(9),
    };
    assert_eq!(
        submit(&mut founding, rotate, at(0)),
        Err(AuthorityError::Busy {
            state: "INITIALIZING"
        })
    );
}

/// Stands with a rotation to `r2` at each of its steps.
fn at_every_step() -> Vec<Stand> {
    let preparing = || {
        let mut stand = Stand::serving();
        stand.rotate(RotationCause::NewKey, false).unwrap();
        stand
    };
    let mut linking = preparing();
    linking.prepare("r2").unwrap();
    let mut trying = preparing();
    trying.prepare("r2").unwrap();
    trying.link().unwrap();
    let mut awaiting = preparing();
    want_signature(&mut awaiting).unwrap();
    let mut accepting = preparing();
    want_signature(&mut accepting).unwrap();
    give_signature(&mut accepting).unwrap();
    vec![preparing(), linking, trying, awaiting, accepting]
}

fn want_signature(stand: &mut Stand) -> Result<(), AuthorityError> {
    let (epoch, operation) = stand.order();
    stand.submit(AuthorityCommand::SignatureWanted {
        epoch,
        operation,
        root: issuer("r2"),
        csr: Der::new(b"csr"),
        state: Sealed::from_bytes(vec![7]),
    })
}

fn give_signature(stand: &mut Stand) -> Result<(), AuthorityError> {
    stand.submit(AuthorityCommand::SignatureGiven {
        chain: vec![Der::new(b"signed")],
    })
}

#[test]
fn what_belongs_to_another_step_is_refused() {
    let steps = at_every_step();
    let names: Vec<_> = steps
        .iter()
        .map(|stand| stand.rotation().step.name())
        .collect();
    assert_eq!(
        names,
        [
            "preparing",
            "linking",
            "trying",
            "awaiting signature",
            "accepting"
        ]
    );
    for mut stand in steps {
        let step = stand.rotation().step.name();
        let (epoch, operation) = stand.order();
        let link = Link {
            subject: "r2".to_owned(),
            signer: "r1".to_owned(),
            certificate: Der::new(b"link"),
            not_after: at(100 * DAY).wall,
            needed_until: Timestamp::ZERO,
        };
        let commands = [
            (
                &["linking"][..],
                AuthorityCommand::CrossSigned { epoch, link },
            ),
            (&["trying"], AuthorityCommand::IssuerTried { epoch }),
            (&["accepting"], AuthorityCommand::SignatureRefused { epoch }),
            (
                &["preparing", "accepting"],
                AuthorityCommand::IssuerPrepared {
                    epoch,
                    operation,
                    issuer: issuer("r2"),
                    state: Sealed::from_bytes(vec![1]),
                },
            ),
        ];
        for (wanted, command) in commands {
            let before = stand.state.clone();
            let result = stand.submit(command);
            assert_eq!(result.is_ok(), wanted.contains(&step), "{step}: {result:?}");
            stand.state = before;
        }
        assert_eq!(
            stand.submit(AuthorityCommand::IssuerTried {
                epoch: epoch.next()
            }),
            Err(AuthorityError::Stale {
                found: epoch.next(),
                expected: epoch
            })
        );
    }
}

#[test]
fn each_step_can_be_given_up_and_its_epoch_is_not_used_again() {
    for mut stand in at_every_step() {
        let epoch = stand.rotation().epoch;
        let before = stand.active().clone();
        stand.submit(AuthorityCommand::Abandon { epoch }).unwrap();
        assert!(stand.is_idle());
        assert_eq!(*stand.active(), before);
        assert_eq!(
            stand.submit(AuthorityCommand::Abandon { epoch }),
            Err(AuthorityError::NoRotation)
        );
        // What the provider has made for it is cleaned up after a moment.
        assert_eq!(stand.keys(), [""; 0]);
        stand.now = 10;
        assert!(matches!(
            &stand.due()[..],
            [Effect::CleanUp { epoch: of, everything: true, keep, .. }]
                if *of == epoch && *keep == [Der::new(b"r1")]
        ));
        stand.rotate(RotationCause::NewKey, false).unwrap();
        assert_eq!(stand.rotation().epoch, epoch.next());
    }
}

#[test]
fn each_step_but_the_wait_for_somebody_is_given_up_after_an_hour() {
    for mut stand in at_every_step() {
        let awaited = stand.rotation().step.name() == "awaiting signature";
        stand.now = HOUR - 1;
        assert!(!stand.keys().contains(&"abandon"));
        stand.now = HOUR;
        assert_eq!(stand.keys().contains(&"abandon"), !awaited);
        // Begun by a clock that was far ahead.
        stand.now = -HOUR - 1;
        assert_eq!(stand.keys().contains(&"abandon"), !awaited);
        stand.now = -HOUR;
        assert!(!stand.keys().contains(&"abandon"));
    }
}

#[test]
fn a_signature_from_outside_is_awaited_accepted_or_refused() {
    let mut stand = Stand::serving();
    assert_eq!(
        give_signature(&mut stand),
        Err(AuthorityError::NoSignatureWanted)
    );
    stand
        .change(configured(24), RotationCause::Configured, false)
        .unwrap();
    want_signature(&mut stand).unwrap();
    assert_eq!(stand.keys(), [""; 0]);
    give_signature(&mut stand).unwrap();
    let [
        Effect::PrepareIssuer {
            signed: Some(chain),
            memory: Some(memory),
            ..
        },
    ] = &stand.due()[..]
    else {
        panic!("{:?}", stand.due());
    };
    assert_eq!(*chain, [Der::new(b"signed")]);
    assert_eq!(memory.epoch, stand.rotation().epoch);
    let epoch = stand.rotation().epoch;
    stand
        .submit(AuthorityCommand::SignatureRefused { epoch })
        .unwrap();
    assert_eq!(stand.rotation().step.name(), "awaiting signature");
    give_signature(&mut stand).unwrap();
    stand
        .prepare_issuer(with_intermediate("r2", "signed", 30 * DAY))
        .unwrap();
    assert_eq!(stand.rotation().step.name(), "linking");
}

#[test]
fn a_root_that_signs_already_is_no_new_key() {
    let mut stand = Stand::serving();
    stand.rotate(RotationCause::NewKey, false).unwrap();
    assert_eq!(
        stand.prepare("r1"),
        Err(AuthorityError::SameRoot {
            root: "r1".to_owned()
        })
    );
}
